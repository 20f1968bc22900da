// SPDX-License-Identifier: Apache-2.0
// `guard` is taken 10 times and refused 7 times: busy for trylock, timed out for timedlock (20 ms)
// and clocklock (20 ms), EDEADLK for an errorcheck mutex `strict`. Every code is what it should be.
#include "program.h"

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t strict = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_mutex_t again = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static struct timespec in_ms(clockid_t clock, unsigned ms) {
  struct timespec at;
  clock_gettime(clock, &at);
  at.tv_nsec += (long)ms * 1000000;
  if (at.tv_nsec >= 1000000000) {
    at.tv_nsec -= 1000000000;
    at.tv_sec++;
  }
  return at;
}

static void *refused_main(void *unused) {
  for (int i = 0; i < 5; i++) REQUIRE(pthread_mutex_trylock(&guard) == EBUSY);
  struct timespec at = in_ms(CLOCK_REALTIME, 20);
  REQUIRE(pthread_mutex_timedlock(&guard, &at) == ETIMEDOUT);
  at = in_ms(CLOCK_MONOTONIC, 20);
  REQUIRE(pthread_mutex_clocklock(&guard, CLOCK_MONOTONIC, &at) == ETIMEDOUT);
  return unused;
}

int main(void) {
  pthread_t refused;
  REQUIRE_0(pthread_mutex_lock(&guard));
  REQUIRE_0(pthread_create(&refused, NULL, refused_main, NULL));
  pthread_join(refused, NULL);
  REQUIRE_0(pthread_mutex_unlock(&guard));
  for (int i = 0; i < 3; i++) {
    REQUIRE_0(pthread_mutex_trylock(&guard));
    REQUIRE_0(pthread_mutex_unlock(&guard));
    struct timespec at = in_ms(CLOCK_REALTIME, 1000);
    REQUIRE_0(pthread_mutex_timedlock(&guard, &at));
    REQUIRE_0(pthread_mutex_unlock(&guard));
    at = in_ms(CLOCK_MONOTONIC, 1000);
    REQUIRE_0(pthread_mutex_clocklock(&guard, CLOCK_MONOTONIC, &at));
    REQUIRE_0(pthread_mutex_unlock(&guard));
  }
  REQUIRE_0(pthread_mutex_lock(&strict));
  REQUIRE(pthread_mutex_lock(&strict) == EDEADLK);
  REQUIRE_0(pthread_mutex_unlock(&strict));
  REQUIRE(pthread_mutex_unlock(&strict) == EPERM);
  REQUIRE_0(pthread_mutex_lock(&again));
  REQUIRE_0(pthread_mutex_lock(&again));
  REQUIRE_0(pthread_mutex_unlock(&again));
  REQUIRE_0(pthread_mutex_unlock(&again));
  printf("{\"guard\": 10, \"strict\": 1}\n");
  return 0;
}
