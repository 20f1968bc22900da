// SPDX-License-Identifier: Apache-2.0
// A feasible deadlock on C11 mutexes: a then b, and b then a.
#include "locks.h"

#include <threads.h>

static mtx_t a, b;

static NOINLINE void lock_both_mtx(mtx_t *first, mtx_t *second) {
  mtx_lock(first);
  mtx_lock(second);
  mtx_unlock(second);
  mtx_unlock(first);
}

static atomic_int step;

static int forth(void *unused) {
  await_step(&step, 1);
  lock_both_mtx(&a, &b);
  atomic_store(&step, 2);
  return unused != NULL;
}

static int back(void *unused) {
  await_step(&step, 2);
  lock_both_mtx(&b, &a);
  return unused != NULL;
}

int main(void) {
  thrd_t first, second;
  mtx_init(&a, mtx_plain);
  mtx_init(&b, mtx_plain);
  REQUIRE(thrd_create(&first, forth, NULL) == thrd_success);
  REQUIRE(thrd_create(&second, back, NULL) == thrd_success);
  atomic_store(&step, 1);
  thrd_join(first, NULL);
  thrd_join(second, NULL);
  return 0;
}
