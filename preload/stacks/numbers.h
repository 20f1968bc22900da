// SPDX-License-Identifier: Apache-2.0
// Numbers of stacks: which stack, by its 64-bit hash, has which number in this lane.
//
// Numbers are given in turn and never mean another stack, until they begin again after the last one
// there is. The newest STACKS_NUMBERS are found by hash: number n has its own at the place
// (n - 1) % STACKS_NUMBERS. The index is a hash table of places over these, with linear probing, at
// most half full; it is rebuilt from the hashes when it has to grow, and whenever it may not be
// whole (bits 0): a signal handler may leave by longjmp at any instruction.
#ifndef PRELOAD_STACKS_NUMBERS_H
#define PRELOAD_STACKS_NUMBERS_H

#include "preload/stacks/stacks.h"

enum { NUMBERS_INDEX_BITS_MIN = 7, NUMBERS_INDEX_BITS_MAX = 14 };
_Static_assert((int)STACKS_NUMBERS * 2 == 1 << NUMBERS_INDEX_BITS_MAX, "at most half full");

// All-zero is a valid state, and has no numbers.
typedef struct {
  uint32_t last;       // number given last
  uint32_t forgotten;  // numbers up to this one are not found any more
  uint32_t bits;       // the index has 1 << bits places in use; 0: it must be rebuilt
  uint32_t voids;      // how often all were forgotten
  uint64_t hashes[STACKS_NUMBERS];
  uint16_t index[1 << NUMBERS_INDEX_BITS_MAX];  // places + 1; 0: free
} numbers_t;

// The number of the stack with that hash (not 0), or 0.
uint32_t numbers_find(numbers_t *numbers, uint64_t hash);
// Whether all numbers were given: before the next they must begin again.
static inline bool numbers_exhausted(const numbers_t *numbers) {
  return numbers->last >= STACKS_NUMBER_LAST;
}
void numbers_restart(numbers_t *numbers);
// The number to be given next; the oldest that is still found may have to be forgotten for it.
uint32_t numbers_reserve(numbers_t *numbers);
// Gives the number just reserved to the stack with that hash, which has none.
void numbers_give(numbers_t *numbers, uint32_t number, uint64_t hash);
// None is found any more.
void numbers_forget(numbers_t *numbers);

#endif
