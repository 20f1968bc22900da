// SPDX-License-Identifier: Apache-2.0
// Nothing: pairs out of an array of locks, in many combinations, always the lower address first.
#include "locks.h"

enum { COUNT = 64, PAIRS = 500 };

static pthread_mutex_t cells[COUNT];

static void swap_pairs(unsigned state) {
  for (int i = 0; i < PAIRS; i++) {
    state = state * 1103515245 + 12345;
    unsigned x = state >> 8 & (COUNT - 1), y = state >> 16 & (COUNT - 1);
    if (x != y) lock_both(&cells[x < y ? x : y], &cells[x < y ? y : x]);
  }
}

static void first(void) { swap_pairs(1); }
static void second(void) { swap_pairs(2); }

int main(void) {
  for (int i = 0; i < COUNT; i++) pthread_mutex_init(&cells[i], NULL);
  RUN_IN_TURN(first, second);
  return 0;
}
