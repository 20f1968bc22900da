// SPDX-License-Identifier: Apache-2.0
// Nothing: a recursive lock is taken again inside another one, which its holder may do.
#include "locks.h"

static pthread_mutex_t a = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP, b = PTHREAD_MUTEX_INITIALIZER;

static void again(void) {
  pthread_mutex_lock(&a);
  lock_both(&b, &a);
  pthread_mutex_unlock(&a);
}

static void straight(void) { lock_both(&a, &b); }

int main(void) {
  RUN_IN_TURN(again, straight);
  return 0;
}
