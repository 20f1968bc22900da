// SPDX-License-Identifier: Apache-2.0
// Nothing: one of the two orders asks for its second lock by trylock, which never waits.
#include "locks.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;

static void forth(void) { lock_both(&a, &b); }

static void back(void) {
  pthread_mutex_lock(&b);
  if (pthread_mutex_trylock(&a) == 0) pthread_mutex_unlock(&a);
  pthread_mutex_unlock(&b);
}

int main(void) {
  RUN_IN_TURN(forth, back);
  return 0;
}
