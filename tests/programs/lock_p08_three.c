// SPDX-License-Identifier: Apache-2.0
// A feasible deadlock of three: a then b, b then c, c then a, each in a thread of its own.
#include "locks.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t c = PTHREAD_MUTEX_INITIALIZER;

static void first(void) { lock_both(&a, &b); }
static void second(void) { lock_both(&b, &c); }
static void third(void) { lock_both(&c, &a); }

int main(void) {
  RUN_IN_TURN(first, second, third);
  return 0;
}
