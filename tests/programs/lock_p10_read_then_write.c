// SPDX-License-Identifier: Apache-2.0
// A feasible deadlock: each reads one lock and then would write the other.
#include "locks.h"

static pthread_rwlock_t a = PTHREAD_RWLOCK_INITIALIZER, b = PTHREAD_RWLOCK_INITIALIZER;

static NOINLINE void read_then_write(pthread_rwlock_t *first, pthread_rwlock_t *second) {
  pthread_rwlock_rdlock(first);
  pthread_rwlock_wrlock(second);
  pthread_rwlock_unlock(second);
  pthread_rwlock_unlock(first);
}

static void forth(void) { read_then_write(&a, &b); }
static void back(void) { read_then_write(&b, &a); }

int main(void) {
  RUN_IN_TURN(forth, back);
  return 0;
}
