// SPDX-License-Identifier: Apache-2.0
// No deadlock is possible, though every pair of locks is taken in both orders: by one thread alone,
// before and after a join, under a common gate, by trylock, in steps that never hold both.
#include "program.h"

static pthread_mutex_t alone_a = PTHREAD_MUTEX_INITIALIZER, alone_b = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t joined_a = PTHREAD_MUTEX_INITIALIZER, joined_b = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t gated_a = PTHREAD_MUTEX_INITIALIZER, gated_b = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t tried_a = PTHREAD_MUTEX_INITIALIZER, tried_b = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t chain_a = PTHREAD_MUTEX_INITIALIZER, chain_b = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t chain_c = PTHREAD_MUTEX_INITIALIZER;

static NOINLINE void lock_both(pthread_mutex_t *first, pthread_mutex_t *second) {
  pthread_mutex_lock(first);
  pthread_mutex_lock(second);
  pthread_mutex_unlock(second);
  pthread_mutex_unlock(first);
}

static NOINLINE void lock_gated(pthread_mutex_t *first, pthread_mutex_t *second) {
  pthread_mutex_lock(&gate);
  lock_both(first, second);
  pthread_mutex_unlock(&gate);
}

static NOINLINE void lock_or_try(pthread_mutex_t *first, pthread_mutex_t *second) {
  pthread_mutex_lock(first);
  if (pthread_mutex_trylock(second) == 0) pthread_mutex_unlock(second);
  pthread_mutex_unlock(first);
}

static NOINLINE void lock_chain(void) {
  lock_both(&chain_a, &chain_b);
  lock_both(&chain_b, &chain_c);
}

static void *joined_main(void *unused) {
  lock_both(&joined_a, &joined_b);
  return unused;
}

static void *one_main(void *unused) {
  lock_gated(&gated_a, &gated_b);
  lock_or_try(&tried_a, &tried_b);
  lock_chain();
  return unused;
}

static void *other_main(void *unused) {
  lock_gated(&gated_b, &gated_a);
  lock_or_try(&tried_b, &tried_a);
  lock_both(&chain_c, &chain_a);  // a ring only for those who forget that a was dropped before b-c
  return unused;
}

int main(void) {
  lock_both(&alone_a, &alone_b);
  lock_both(&alone_b, &alone_a);
  pthread_t joined, one, other;
  REQUIRE_0(pthread_create(&joined, NULL, joined_main, NULL));
  pthread_join(joined, NULL);
  lock_both(&joined_b, &joined_a);
  REQUIRE_0(pthread_create(&one, NULL, one_main, NULL));
  REQUIRE_0(pthread_create(&other, NULL, other_main, NULL));
  pthread_join(one, NULL);
  pthread_join(other, NULL);
  return 0;
}
