// SPDX-License-Identifier: Apache-2.0
// Stacks met before, by origin: an entry has the trail of a walk, and where all its words are
// still the same the stack is the same and need not be walked.
//
// Entries stand in a log of MEMO_WORDS words that is written round and round; `end` counts the
// words ever written, and the entry at position p is alive as long as end - p <= MEMO_WORDS. A
// position never wraps in the middle of an entry. The ways of a set are words of
//
//   bits 0-23 tag of the key (odd), bits 24-63 position
//
// One origin (a function that allocates) is reached by many stacks in turn: under the key of the
// origin stands one of them, and that of another is made of its key, of the place where the two
// part, and of the word there. So a stack is found in as many looks as it parts from others on the
// way, MEMO_FORKS at most, and those that part at the same place are as many as there is room for.
// What a key finds is compared whole: which keys led there decides nothing.
#ifndef PRELOAD_STACKS_MEMO_H
#define PRELOAD_STACKS_MEMO_H

#include "preload/stacks/numbers.h"
#include "preload/stacks/walk.h"

enum {
  MEMO_SET_BITS = 8,
  MEMO_WAYS = 4,
  MEMO_TAG_BITS = 24,
  MEMO_WORDS = 16384,
  MEMO_STRIDE = 4,
  MEMO_FORKS = 16,
  MEMO_NEEDS_RBP = 1 << 15,
};

// What an entry begins with; values of the trail follow, then its offsets. Both are filled up to
// whole MEMO_STRIDEs with the last word, which is compared again: a loop without a rest.
typedef struct {
  uint64_t ip, cfa, rbp;  // of the origin
  uint32_t number;
  uint16_t count;    // of words, with MEMO_NEEDS_RBP
  uint16_t outside;  // the walk ended outside of all modules, where one may have been loaded since
} memo_entry_t;
_Static_assert(sizeof(memo_entry_t) == 32, "whole words, none of them padding");
_Static_assert((int)TRAIL_MAX < (int)MEMO_NEEDS_RBP, "a count fits");
_Static_assert(MEMO_STRIDE == 4, "trail_same compares four at a time");

// All-zero is a valid state.
typedef struct {
  uint64_t end;
  uint64_t latest[1 << MEMO_SET_BITS];  // positions: found last, of all origins with that set
  uint64_t ways[1 << MEMO_SET_BITS][MEMO_WAYS];
  uint64_t log[MEMO_WORDS];
} memo_t;

// Keeps the stack that was just walked under the key with which it was not found, where its trail
// tells all.
void memo_keep(memo_t *memo, uint64_t key, const stacks_origin_t *origin, const walk_t *walk,
               uint32_t number);

static inline void memo_forget(memo_t *memo) { memo->end += MEMO_WORDS + 1; }

// ---- finding: the hot path -----------------------------------------------------------------

static inline uint64_t memo_key(const stacks_origin_t *origin) {
  return (origin->ip + origin->cfa * UINT64_C(0xd6e8feb86659fd93)) * UINT64_C(0x9e3779b97f4a7c15);
}
static inline uint64_t *key_set(memo_t *memo, uint64_t key) {
  return memo->ways[key >> (64 - MEMO_SET_BITS)];
}
static inline uint64_t *key_latest(memo_t *memo, uint64_t key) {
  return &memo->latest[key >> (64 - MEMO_SET_BITS)];
}
static inline uint64_t *entry_values(memo_entry_t *entry) { return (uint64_t *)(entry + 1); }
static inline uint32_t entry_count(const memo_entry_t *entry) {
  return entry->count & (MEMO_NEEDS_RBP - 1);
}

// How many words of the trail are the same, up to the MEMO_STRIDE of the first difference: `count`
// where all are. Innermost first, and no further than to that difference: each word is known to be
// memory of the stack only because those before it are the same.
static inline __attribute__((always_inline, no_sanitize("address"))) uint32_t
trail_same(memo_entry_t *entry, uint32_t count, uint64_t cfa) {
  const uint64_t *first = entry_values(entry), *end = first + count, *values = first;
  const uint32_t *offsets = (const uint32_t *)end;
  for (; values < end; values += MEMO_STRIDE, offsets += MEMO_STRIDE)
    if (memory_peek(cfa + offsets[0], 8) != values[0] ||
        memory_peek(cfa + offsets[1], 8) != values[1] ||
        memory_peek(cfa + offsets[2], 8) != values[2] ||
        memory_peek(cfa + offsets[3], 8) != values[3])
      break;
  return (uint32_t)(values - first);
}

// The entry at a position if it is alive and its stack ends in that ip and cfa, else NULL.
static inline __attribute__((always_inline)) memo_entry_t *
memo_entry(memo_t *memo, uint64_t position, const stacks_origin_t *origin) {
  if (memo->end - position > MEMO_WORDS) return NULL;
  memo_entry_t *entry = (memo_entry_t *)&memo->log[position % MEMO_WORDS];
  return entry->ip == origin->ip && entry->cfa == origin->cfa ? entry : NULL;
}
static inline bool entry_has_rbp(const memo_entry_t *entry, const stacks_origin_t *origin) {
  return !(entry->count & MEMO_NEEDS_RBP) || entry->rbp == origin->rbp;
}

// The number of the stack that ends in `origin` if it is the one found last for its origin and need
// not be looked at again, else 0: what a call mostly needs, and little enough for the registers
// that a function need not save.
static inline __attribute__((always_inline)) uint32_t
memo_find_first(memo_t *memo, const stacks_origin_t *origin) {
  memo_entry_t *entry = memo_entry(memo, *key_latest(memo, memo_key(origin)), origin);
  if (unlikely(!entry) || entry->outside || !entry_has_rbp(entry, origin)) return 0;
  const uint32_t count = entry_count(entry);
  return likely(trail_same(entry, count, origin->cfa) == count) ? entry->number : 0;
}

// The number of the stack that ends in `origin` if it is a stack met before. Else 0, and *key is
// the one to keep it under.
uint32_t memo_find(memo_t *memo, const stacks_origin_t *origin, uint64_t *key);

#endif
