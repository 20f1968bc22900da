// SPDX-License-Identifier: Apache-2.0
// Benign: a barrier between two phases keeps the orders apart.
#include "locks.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t phase;

static void *early_main(void *unused) {
  lock_both(&a, &b);
  pthread_barrier_wait(&phase);
  return unused;
}

static void *late_main(void *unused) {
  pthread_barrier_wait(&phase);
  lock_both(&b, &a);
  return unused;
}

int main(void) {
  pthread_t early, late;
  pthread_barrier_init(&phase, NULL, 2);
  REQUIRE_0(pthread_create(&early, NULL, early_main, NULL));
  REQUIRE_0(pthread_create(&late, NULL, late_main, NULL));
  pthread_join(early, NULL);
  pthread_join(late, NULL);
  return 0;
}
