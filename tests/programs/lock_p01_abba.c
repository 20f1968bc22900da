// SPDX-License-Identifier: Apache-2.0
// A feasible deadlock: one thread takes a then b, another b then a.
#include "locks.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;

static void forth(void) { lock_both(&a, &b); }
static void back(void) { lock_both(&b, &a); }

int main(void) {
  RUN_IN_TURN(forth, back);
  return 0;
}
