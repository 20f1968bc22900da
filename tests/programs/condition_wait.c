// SPDX-License-Identifier: Apache-2.0
// Waiting for a condition is not waiting for its mutex: "sleeper" waits 100 ms for `ready`, then,
// as the signaller keeps `ready_lock` for another 100 ms, that long for the mutex. Two timed waits
// of 50 ms end as ETIMEDOUT.
#include "program.h"

static pthread_mutex_t ready_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ready = PTHREAD_COND_INITIALIZER;
static bool is_ready;
static uint64_t waited_ns;

static void wait_timed(clockid_t clock) {
  struct timespec at;
  clock_gettime(clock, &at);
  at.tv_sec += at.tv_nsec >= 950000000;
  at.tv_nsec = (at.tv_nsec + 50000000) % 1000000000;
  pthread_mutex_lock(&ready_lock);
  int result = clock == CLOCK_REALTIME ? pthread_cond_timedwait(&ready, &ready_lock, &at)
                                       : pthread_cond_clockwait(&ready, &ready_lock, clock, &at);
  REQUIRE(result == ETIMEDOUT);
  pthread_mutex_unlock(&ready_lock);
}

static void *sleeper_main(void *unused) {
  pthread_setname_np(pthread_self(), "sleeper");
  pthread_mutex_lock(&ready_lock);
  uint64_t start = now_ns();
  while (!is_ready) pthread_cond_wait(&ready, &ready_lock);
  waited_ns = now_ns() - start;
  pthread_mutex_unlock(&ready_lock);
  return unused;
}

int main(void) {
  wait_timed(CLOCK_REALTIME);
  wait_timed(CLOCK_MONOTONIC);
  pthread_t sleeper;
  REQUIRE_0(pthread_create(&sleeper, NULL, sleeper_main, NULL));
  sleep_ms(100);
  pthread_mutex_lock(&ready_lock);
  is_ready = true;
  pthread_cond_signal(&ready);
  sleep_ms(100);
  pthread_mutex_unlock(&ready_lock);
  pthread_join(sleeper, NULL);
  printf("{\"waited_ns\": %lu, \"timed_ns\": 100000000}\n", waited_ns);
  return 0;
}
