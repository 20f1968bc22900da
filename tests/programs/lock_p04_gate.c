// SPDX-License-Identifier: Apache-2.0
// Benign: both orders, each of them under one and the same gate.
#include "locks.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static NOINLINE void lock_gated(pthread_mutex_t *first, pthread_mutex_t *second) {
  pthread_mutex_lock(&gate);
  lock_both(first, second);
  pthread_mutex_unlock(&gate);
}

static void forth(void) { lock_gated(&a, &b); }
static void back(void) { lock_gated(&b, &a); }

int main(void) {
  RUN_IN_TURN(forth, back);
  return 0;
}
