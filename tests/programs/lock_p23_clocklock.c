// SPDX-License-Identifier: Apache-2.0
// A potential deadlock that ends: both orders, with a limit on how long the second lock is waited
// for.
#include "locks.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;

static NOINLINE void lock_within_5s(pthread_mutex_t *first, pthread_mutex_t *second) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += 5;
  pthread_mutex_lock(first);
  if (pthread_mutex_clocklock(second, CLOCK_MONOTONIC, &until) == 0) pthread_mutex_unlock(second);
  pthread_mutex_unlock(first);
}

static void forth(void) { lock_within_5s(&a, &b); }
static void back(void) { lock_within_5s(&b, &a); }

int main(void) {
  RUN_IN_TURN(forth, back);
  return 0;
}
