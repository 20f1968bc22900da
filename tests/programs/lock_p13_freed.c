// SPDX-License-Identifier: Apache-2.0
// Nothing: the locks' block was freed, without a destroy, and the next one lies at its address.
#include "locks.h"

typedef struct {
  pthread_mutex_t a, b;
} pair_t;

static pair_t *pair, *first_pair;

static NOINLINE void pair_new(void) {
  pair = malloc(sizeof *pair);
  REQUIRE(pair);
  *pair = (pair_t){PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
}

static void replace(void) {
  first_pair = pair;
  free(pair);
  pair_new();
}

static void forth(void) {
  lock_both(&pair->a, &pair->b);
  replace();
}

static void back(void) { lock_both(&pair->b, &pair->a); }

int main(void) {
  pair_new();
  RUN_IN_TURN(forth, back);
  printf("{\"same_address\": %d}\n", pair == first_pair);
  free(pair);
  return 0;
}
