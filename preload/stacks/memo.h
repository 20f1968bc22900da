// SPDX-License-Identifier: Apache-2.0
// Stacks met before, by origin: an entry has the trail of a walk, and where all its words are
// still the same the stack is the same and need not be walked.
//
// Entries stand in a log of MEMO_WORDS words that is written round and round; `end` counts the
// words ever written, and the entry at position p is alive as long as end - p <= MEMO_WORDS. A
// position never wraps in the middle of an entry. The ways of a set are words of
//
//   bits 0-23 tag of the origin (odd), bits 24-63 position
//
// 4 of them, because one origin (a function that allocates) is reached by several stacks in turn.
#ifndef PRELOAD_STACKS_MEMO_H
#define PRELOAD_STACKS_MEMO_H

#include "preload/stacks/numbers.h"
#include "preload/stacks/walk.h"

enum {
  MEMO_SET_BITS = 8,
  MEMO_WAYS = 4,
  MEMO_TAG_BITS = 24,
  MEMO_WORDS = 16384,
};

// What an entry begins with; values of the trail follow, then its offsets.
typedef struct {
  uint64_t ip, cfa, rbp;  // of the origin
  uint32_t evictions;     // of numbers, when `number` was last seen to stand
  uint16_t number;
  uint16_t count : 14, needs_rbp : 1, outside : 1;
  uint64_t hash;  // of the stack
} memo_entry_t;
_Static_assert(sizeof(memo_entry_t) == 40, "whole words, none of them padding");
_Static_assert(STACKS_NUMBERS <= UINT16_MAX, "a number fits");

// All-zero is a valid state.
typedef struct {
  uint64_t end;
  uint64_t ways[1 << MEMO_SET_BITS][MEMO_WAYS];
  uint64_t log[MEMO_WORDS];
} memo_t;

// The number of the stack that ends in `origin` if it is a stack met before whose number stands,
// else 0.
uint32_t memo_find(memo_t *memo, const stacks_origin_t *origin, numbers_t *numbers);
// Keeps the stack that was just walked, where its trail tells all.
void memo_keep(memo_t *memo, const stacks_origin_t *origin, const walk_t *walk, uint32_t number,
               uint64_t hash, uint32_t evictions);

static inline void memo_forget(memo_t *memo) { memo->end += MEMO_WORDS + 1; }

#endif
