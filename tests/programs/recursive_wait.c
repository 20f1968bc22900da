// SPDX-License-Identifier: Apache-2.0
// A condition wait with a recursive mutex taken once, and one taken twice, which is not given up by
// the wait (a timed one): what is held is what glibc says is held.
#include "program.h"

static pthread_mutex_t depth = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static int refused;

static void *try_main(void *unused) {
  if (pthread_mutex_trylock(&depth) == EBUSY)
    refused++;
  else
    pthread_mutex_unlock(&depth);
  return unused;
}

static void try_elsewhere(void) {
  pthread_t thread;
  REQUIRE_0(pthread_create(&thread, NULL, try_main, NULL));
  pthread_join(thread, NULL);
}

static void wait_10_ms(void) {
  struct timespec limit;
  clock_gettime(CLOCK_REALTIME, &limit);
  limit.tv_nsec += 10000000;
  if (limit.tv_nsec >= 1000000000) limit.tv_sec++, limit.tv_nsec -= 1000000000;
  REQUIRE(pthread_cond_timedwait(&never, &depth, &limit) == ETIMEDOUT);
}

int main(void) {
  for (int times = 1; times <= 2; times++) {
    for (int i = 0; i < times; i++) REQUIRE_0(pthread_mutex_lock(&depth));
    wait_10_ms();
    try_elsewhere();
    for (int i = 0; i < times; i++) {
      REQUIRE_0(pthread_mutex_unlock(&depth));
      try_elsewhere();
    }
  }
  printf("{\"refused\": %d}\n", refused);
  return 0;
}
