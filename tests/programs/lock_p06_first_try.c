// SPDX-License-Identifier: Apache-2.0
// A feasible deadlock: the first lock is taken by trylock, but the second one is waited for.
#include "locks.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;

static NOINLINE void try_then_lock(pthread_mutex_t *first, pthread_mutex_t *second) {
  if (pthread_mutex_trylock(first) != 0) return;
  pthread_mutex_lock(second);
  pthread_mutex_unlock(second);
  pthread_mutex_unlock(first);
}

static void forth(void) { try_then_lock(&a, &b); }
static void back(void) { try_then_lock(&b, &a); }

int main(void) {
  RUN_IN_TURN(forth, back);
  return 0;
}
