// SPDX-License-Identifier: Apache-2.0
// Nothing: one thread reads both, so it never waits for the other, which reads one and writes one.
#include "locks.h"

static pthread_rwlock_t a = PTHREAD_RWLOCK_INITIALIZER, b = PTHREAD_RWLOCK_INITIALIZER;

static void read_both(void) {
  pthread_rwlock_rdlock(&a);
  pthread_rwlock_rdlock(&b);
  pthread_rwlock_unlock(&b);
  pthread_rwlock_unlock(&a);
}

static void read_then_write(void) {
  pthread_rwlock_rdlock(&b);
  pthread_rwlock_wrlock(&a);
  pthread_rwlock_unlock(&a);
  pthread_rwlock_unlock(&b);
}

int main(void) {
  RUN_IN_TURN(read_both, read_then_write);
  return 0;
}
