// SPDX-License-Identifier: Apache-2.0
// Opposite orders that a flag under a mutex keeps apart: what it says is not recorded, so it is
// feasible as far as is seen; the mutex that passes between them is named. With "apart" there is no
// such mutex.
#include "locks.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t state = PTHREAD_MUTEX_INITIALIZER;
static bool done, flagged = true;

static void set_done(void) {
  pthread_mutex_lock(&state);
  done = true;
  pthread_mutex_unlock(&state);
}

static bool is_done(void) {
  pthread_mutex_lock(&state);
  bool result = done;
  pthread_mutex_unlock(&state);
  return result;
}

static void forth(void) {
  lock_both(&a, &b);
  if (flagged) set_done();
}

static void back(void) {
  while (flagged && !is_done()) sleep_ms(1);
  lock_both(&b, &a);
}

int main(int count, char **arguments) {
  flagged = count < 2 || strcmp(arguments[1], "apart") != 0;
  RUN_IN_TURN(forth, back);
  return 0;
}
