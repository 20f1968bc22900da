// SPDX-License-Identifier: Apache-2.0
// Nothing: between the two orders both locks were destroyed and initialised again, as others.
#include "locks.h"

static pthread_mutex_t a, b;

static void forth(void) { lock_both(&a, &b); }
static void back(void) { lock_both(&b, &a); }

static void replace(void) {
  pthread_mutex_destroy(&a);
  pthread_mutex_destroy(&b);
  pthread_mutex_init(&a, NULL);
  pthread_mutex_init(&b, NULL);
}

int main(void) {
  pthread_mutex_init(&a, NULL);
  pthread_mutex_init(&b, NULL);
  RUN_IN_TURN(forth, replace, back);
  return 0;
}
