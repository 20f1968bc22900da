// SPDX-License-Identifier: Apache-2.0
// Stacks met before, by origin.
#include "preload/stacks/memo.h"

#include <string.h>

// ---- finding: the hot path -----------------------------------------------------------------

static inline uint64_t origin_mix(const stacks_origin_t *origin) {
  return (origin->ip + origin->cfa * UINT64_C(0xd6e8feb86659fd93)) * UINT64_C(0x9e3779b97f4a7c15);
}
static inline uint64_t *origin_set(memo_t *memo, uint64_t mixed) {
  return memo->ways[mixed >> (64 - MEMO_SET_BITS)];
}
static inline uint64_t origin_tag(uint64_t mixed) {
  return (mixed >> (64 - MEMO_SET_BITS - MEMO_TAG_BITS) & ((1 << MEMO_TAG_BITS) - 1)) | 1;
}

// Innermost first, and no further than to the first difference: each word is known to be memory
// of the stack only because those before it are the same.
static inline __attribute__((no_sanitize("address"))) bool trail_stands(const memo_entry_t *entry,
                                                                        uint64_t cfa) {
  const uint64_t *values = (const uint64_t *)(entry + 1);
  const uint32_t *offsets = (const uint32_t *)(values + entry->count);
  for (uint32_t i = 0; i < entry->count; i++)
    if (memory_peek(cfa + offsets[i], sizeof *values) != values[i]) return false;
  return true;
}

// Other stacks may have taken numbers away meanwhile; and where the walk ended outside of all
// modules, one may have been loaded there.
static bool number_stands(memo_entry_t *entry, const numbers_t *numbers) {
  if (entry->outside) {
    const uint64_t *values = (const uint64_t *)(entry + 1);
    uint64_t last = entry->count ? values[entry->count - 1] : entry->ip;
    if (image_exists(last - 1)) return false;
  }
  if (!numbers_stands(numbers, entry->number, entry->hash)) return false;
  entry->evictions = numbers->evictions;
  return true;
}

// The way that was right comes first: it mostly is the next time too. Left between the two stores,
// one way is lost.
static inline void way_prefer(uint64_t *set, int way) {
  if (!way) return;
  uint64_t first = set[0];
  set[0] = set[way];
  set[way] = first;
}

uint32_t memo_find(memo_t *memo, const stacks_origin_t *origin, numbers_t *numbers) {
  uint64_t mixed = origin_mix(origin), tag = origin_tag(mixed), *set = origin_set(memo, mixed);
  for (int i = 0; i < MEMO_WAYS; i++) {
    uint64_t position = set[i] >> MEMO_TAG_BITS;
    if ((set[i] & ((1 << MEMO_TAG_BITS) - 1)) != tag || memo->end - position > MEMO_WORDS) continue;
    memo_entry_t *entry = (memo_entry_t *)&memo->log[position % MEMO_WORDS];
    if (entry->ip != origin->ip || entry->cfa != origin->cfa) continue;
    if (entry->needs_rbp && entry->rbp != origin->rbp) continue;
    if (!trail_stands(entry, origin->cfa)) continue;
    bool stands = entry->evictions == numbers->evictions && !entry->outside;
    if (unlikely(!stands) && !number_stands(entry, numbers)) {
      set[i] = 0;
      return 0;
    }
    way_prefer(set, i);
    return entry->number;
  }
  return 0;
}

// ---- keeping -------------------------------------------------------------------------------

// Room for `words` words at the end of the log. What was there is dead before it is overwritten.
static uint64_t log_take(memo_t *memo, uint64_t words) {
  uint64_t position = memo->end;
  uint64_t left = MEMO_WORDS - position % MEMO_WORDS;
  if (left < words) position += left;
  memo->end = position + words;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  return position;
}

// The way to be overwritten: the oldest, which a dead or empty one always is.
static uint64_t *way_oldest(uint64_t *set) {
  uint64_t *oldest = set;
  for (int i = 1; i < MEMO_WAYS; i++)
    if (set[i] >> MEMO_TAG_BITS < *oldest >> MEMO_TAG_BITS) oldest = &set[i];
  return oldest;
}

void memo_keep(memo_t *memo, const stacks_origin_t *origin, const walk_t *walk, uint32_t number,
               uint64_t hash, uint32_t evictions) {
  const trail_t *trail = &walk->trail;
  if (trail->broken) return;
  uint64_t words = sizeof(memo_entry_t) / 8 + trail->count + (trail->count + 1) / 2;
  uint64_t position = log_take(memo, words);
  memo_entry_t *entry = (memo_entry_t *)&memo->log[position % MEMO_WORDS];
  *entry = (memo_entry_t){.ip = origin->ip,
                          .cfa = origin->cfa,
                          .rbp = origin->rbp,
                          .evictions = evictions,
                          .number = (uint16_t)number,
                          .count = (uint16_t)trail->count,
                          .needs_rbp = trail->needs_rbp,
                          .outside = walk->outside && walk->truncated,
                          .hash = hash};
  uint64_t *values = (uint64_t *)(entry + 1);
  memcpy(values, trail->values, trail->count * sizeof *values);
  memcpy(values + trail->count, trail->offsets, trail->count * sizeof *trail->offsets);
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  uint64_t mixed = origin_mix(origin);
  *way_oldest(origin_set(memo, mixed)) = position << MEMO_TAG_BITS | origin_tag(mixed);
}
