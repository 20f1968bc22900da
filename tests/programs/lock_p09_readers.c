// SPDX-License-Identifier: Apache-2.0
// Nothing: both orders, but all of them readers, of a kind that no waiting writer stops.
#include "locks.h"

static pthread_rwlock_t a = PTHREAD_RWLOCK_INITIALIZER, b = PTHREAD_RWLOCK_INITIALIZER;

static NOINLINE void read_both(pthread_rwlock_t *first, pthread_rwlock_t *second) {
  pthread_rwlock_rdlock(first);
  pthread_rwlock_rdlock(second);
  pthread_rwlock_unlock(second);
  pthread_rwlock_unlock(first);
}

static void forth(void) { read_both(&a, &b); }
static void back(void) { read_both(&b, &a); }

int main(void) {
  RUN_IN_TURN(forth, back);
  return 0;
}
