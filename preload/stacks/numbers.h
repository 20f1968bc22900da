// SPDX-License-Identifier: Apache-2.0
// Numbers of stacks: which stack, by its 64-bit hash, has which number in this lane.
//
// hashes[n - 1] is the hash of the stack with number n, for n from 1 to count. The index is a hash
// table of numbers over it, with linear probing, at most half full; it is rebuilt from the hashes
// when it has to grow, and whenever it may not be whole (bits 0): a signal handler may leave by
// longjmp at any instruction.
#ifndef PRELOAD_STACKS_NUMBERS_H
#define PRELOAD_STACKS_NUMBERS_H

#include "preload/stacks/stacks.h"

enum { NUMBERS_INDEX_BITS_MIN = 7, NUMBERS_INDEX_BITS_MAX = 14 };
_Static_assert((int)STACKS_NUMBERS * 2 == 1 << NUMBERS_INDEX_BITS_MAX, "at most half full");

// All-zero is a valid state, and has no numbers.
typedef struct {
  uint32_t count;
  uint32_t bits;       // the index has 1 << bits places in use; 0: it must be rebuilt
  uint32_t victim;     // once all numbers are taken: the one before the next to be given away
  uint32_t evictions;  // how often a number lost its stack
  uint64_t hashes[STACKS_NUMBERS];
  uint16_t index[1 << NUMBERS_INDEX_BITS_MAX];  // numbers; 0: free
} numbers_t;

// The number of the stack with that hash (not 0), or 0.
uint32_t numbers_find(numbers_t *numbers, uint64_t hash);
// A number that no stack has now; the oldest loses its own where all are taken.
uint32_t numbers_reserve(numbers_t *numbers);
// Gives the number just reserved to the stack with that hash, which has none.
void numbers_give(numbers_t *numbers, uint32_t number, uint64_t hash);
void numbers_forget(numbers_t *numbers);

// Whether the stack with that number is (still) the one with that hash.
static inline bool numbers_stands(const numbers_t *numbers, uint32_t number, uint64_t hash) {
  return number <= numbers->count && numbers->hashes[number - 1] == hash;
}

#endif
