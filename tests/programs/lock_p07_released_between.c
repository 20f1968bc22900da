// SPDX-License-Identifier: Apache-2.0
// Nothing: a then b, then b then c with a released; and c then a. No three threads can meet in it.
#include "locks.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t c = PTHREAD_MUTEX_INITIALIZER;

static void forth(void) {
  lock_both(&a, &b);
  lock_both(&b, &c);
}

static void back(void) { lock_both(&c, &a); }

int main(void) {
  RUN_IN_TURN(forth, back);
  return 0;
}
