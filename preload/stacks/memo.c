// SPDX-License-Identifier: Apache-2.0
// Stacks met before, by origin.
#include "preload/stacks/memo.h"

static uint64_t key_tag(uint64_t key) {
  return (key >> (64 - MEMO_SET_BITS - MEMO_TAG_BITS) & ((1 << MEMO_TAG_BITS) - 1)) | 1;
}

// ---- finding: what the hot path leaves out --------------------------------------------------

// Where the walk ended outside of all modules, one may have been loaded meanwhile.
static bool still_ends_there(memo_entry_t *entry) {
  const uint32_t count = entry_count(entry);
  const uint64_t last = count ? entry_values(entry)[count - 1] : entry->ip;
  return !image_exists(last - 1);
}

// The way that was right comes first: it mostly is the next time too. Left between the two stores,
// one way is lost.
static void way_prefer(uint64_t *set, int way) {
  const uint64_t first = set[0];
  set[0] = set[way];
  set[way] = first;
}

// The entry under that key, NULL where there is none.
static inline memo_entry_t *key_entry(memo_t *memo, uint64_t key, const stacks_origin_t *origin) {
  uint64_t *set = key_set(memo, key);
  for (int i = 0; i < MEMO_WAYS; i++) {
    if ((set[i] & ((1 << MEMO_TAG_BITS) - 1)) != key_tag(key)) continue;
    memo_entry_t *entry = memo_entry(memo, set[i] >> MEMO_TAG_BITS, origin);
    if (!entry) continue;
    if (unlikely(i > 0)) way_prefer(set, i);
    return entry;
  }
  return NULL;
}

// The key of those that have, at that place of the trail, that word instead. The shift lets what
// was mixed in before reach all bits.
static inline uint64_t key_fork(uint64_t key, uint64_t place, uint64_t value) {
  return ((key ^ key >> 32) + value * UINT64_C(0xd6e8feb86659fd93) + place) *
         UINT64_C(0x9e3779b97f4a7c15);
}

// The key of the stack that differs from the entry, whose first `same` words are compared.
static inline __attribute__((no_sanitize("address"))) uint64_t
key_parted(uint64_t key, memo_entry_t *entry, uint32_t same, uint64_t cfa) {
  const uint64_t *values = entry_values(entry);
  const uint32_t *offsets = (const uint32_t *)(values + entry_count(entry));
  const uint32_t last = entry_count(entry) - 1;
  while (same < last && memory_peek(cfa + offsets[same], 8) == values[same]) same++;
  return key_fork(key, same, memory_peek(cfa + offsets[same], 8));
}

uint32_t memo_find(memo_t *memo, const stacks_origin_t *origin, uint64_t *key) {
  uint64_t at = *key = memo_key(origin);
  for (int forks = 0; forks < MEMO_FORKS; forks++, *key = at) {
    memo_entry_t *entry = key_entry(memo, at, origin);
    if (!entry) return 0;
    if (unlikely(!entry_has_rbp(entry, origin))) {
      at = key_fork(at, MEMO_NEEDS_RBP, origin->rbp);
      continue;
    }
    const uint32_t count = entry_count(entry), same = trail_same(entry, count, origin->cfa);
    if (likely(same == count)) {
      if (likely(!entry->outside) || still_ends_there(entry)) {
        *key_latest(memo, memo_key(origin)) = *key_set(memo, at) >> MEMO_TAG_BITS;
        return entry->number;
      }
      entry->ip = 0;  // nobody's: it is not found any more
      return 0;
    }
    at = key_parted(at, entry, same, origin->cfa);
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

void memo_keep(memo_t *memo, uint64_t key, const stacks_origin_t *origin, const walk_t *walk,
               uint32_t number) {
  const trail_t *trail = &walk->trail;
  if (trail->broken) return;
  const uint32_t count = (trail->count + MEMO_STRIDE - 1) / MEMO_STRIDE * MEMO_STRIDE;
  const uint64_t position = log_take(memo, sizeof(memo_entry_t) / 8 + count + count / 2);
  memo_entry_t *entry = (memo_entry_t *)&memo->log[position % MEMO_WORDS];
  *entry = (memo_entry_t){.ip = origin->ip,
                          .cfa = origin->cfa,
                          .rbp = origin->rbp,
                          .number = number,
                          .count = (uint16_t)(count | (trail->needs_rbp ? MEMO_NEEDS_RBP : 0)),
                          .outside = walk->outside && walk->truncated};
  uint64_t *values = entry_values(entry);
  uint32_t *offsets = (uint32_t *)(values + count);
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t from = i < trail->count ? i : trail->count - 1;
    values[i] = trail->values[from];
    offsets[i] = trail->offsets[from];
  }
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  *way_oldest(key_set(memo, key)) = position << MEMO_TAG_BITS | key_tag(key);
  *key_latest(memo, memo_key(origin)) = position;
}
