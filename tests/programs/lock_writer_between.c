// SPDX-License-Identifier: Apache-2.0
// A potential deadlock: readers in both orders, of a kind that lets waiting writers go first; and
// there are writers.
#include "locks.h"

static pthread_rwlock_t a, b;

static NOINLINE void read_both(pthread_rwlock_t *first, pthread_rwlock_t *second) {
  pthread_rwlock_rdlock(first);
  pthread_rwlock_rdlock(second);
  pthread_rwlock_unlock(second);
  pthread_rwlock_unlock(first);
}

static void forth(void) { read_both(&a, &b); }
static void back(void) { read_both(&b, &a); }

static void write_each(void) {
  pthread_rwlock_wrlock(&a);
  pthread_rwlock_unlock(&a);
  pthread_rwlock_wrlock(&b);
  pthread_rwlock_unlock(&b);
}

int main(void) {
  pthread_rwlockattr_t writers_first;
  pthread_rwlockattr_init(&writers_first);
  pthread_rwlockattr_setkind_np(&writers_first, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  pthread_rwlock_init(&a, &writers_first);
  pthread_rwlock_init(&b, &writers_first);
  RUN_IN_TURN(forth, write_each, back);
  return 0;
}
