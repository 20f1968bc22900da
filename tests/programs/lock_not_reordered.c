// SPDX-License-Identifier: Apache-2.0
// Only potential: before b then a, the second thread takes a alone, behind the first thread; no run
// that keeps the order of a's sections hangs.
#include "locks.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;

static void forth(void) { lock_both(&a, &b); }

static void back(void) {
  pthread_mutex_lock(&a);
  pthread_mutex_unlock(&a);
  lock_both(&b, &a);
}

int main(void) {
  RUN_IN_TURN(forth, back);
  return 0;
}
