// SPDX-License-Identifier: Apache-2.0
// A potential deadlock of two semaphores that are used as locks: a then b, and b then a.
#include "locks.h"

#include <semaphore.h>

static sem_t a, b;

static NOINLINE void wait_both(sem_t *first, sem_t *second) {
  sem_wait(first);
  sem_wait(second);
  sem_post(second);
  sem_post(first);
}

static void forth(void) { wait_both(&a, &b); }
static void back(void) { wait_both(&b, &a); }

int main(void) {
  sem_init(&a, 0, 1);
  sem_init(&b, 0, 1);
  RUN_IN_TURN(forth, back);
  return 0;
}
