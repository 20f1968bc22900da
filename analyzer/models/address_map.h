// SPDX-License-Identifier: Apache-2.0
// A map from 64-bit keys (addresses, handles, tokens) to values of one type: open addressing, one
// multiplication a look-up, values in the table itself, no tombstones left by removals.
#ifndef ANALYZER_MODELS_ADDRESS_MAP_H
#define ANALYZER_MODELS_ADDRESS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Made by ADDRESS_MAP(type); all zero is an empty map of uint64_t. A slot is the key (0: empty) and
// the value. count <= 3/4 of 1 << bits. The value's type is aligned to 8 at most. Slots begin with
// a cache line, so that those of 32 bytes never lie in two.
typedef struct {
  unsigned char *slots;
  void *memory;  // that they lie in
  size_t count;
  unsigned bits;
  uint32_t slot_size;
} address_map_t;

#define ADDRESS_MAP(type)                                                                          \
  { .slot_size = (uint32_t)((sizeof(uint64_t) + sizeof(type) + 7) & ~(size_t)7) }

enum { ADDRESS_MAP_KEY = sizeof(uint64_t) };

// Fibonacci hashing (Knuth, TAOCP 6.4): the high bits of the product depend on all bits of the key.
static inline size_t address_map_home(const address_map_t *map, uint64_t key) {
  return (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - map->bits));
}
static inline unsigned char *address_map_slot(const address_map_t *map, size_t at) {
  return map->slots + at * map->slot_size;
}

void address_map_clear(address_map_t *map);
// The value, NULL where there is none. Valid until the next put or remove. No key is 0.
static inline void *address_map_get(const address_map_t *map, uint64_t key) {
  if (!map->count || !key) return NULL;
  const size_t mask = ((size_t)1 << map->bits) - 1;
  for (size_t at = address_map_home(map, key);; at = (at + 1) & mask) {
    unsigned char *slot = address_map_slot(map, at);
    const uint64_t found = *(const uint64_t *)slot;
    if (found == key) return slot + ADDRESS_MAP_KEY;
    if (!found) return NULL;
  }
}
// Fetches what a look-up of the key will read; worth it some 100 ns before that. Always inline: gcc
// 12 takes a function that only prefetches for one without effect, and drops its calls.
static inline __attribute__((always_inline)) void address_map_prefetch(const address_map_t *map,
                                                                       uint64_t key) {
  if (!map->count) return;
  const unsigned char *slot = address_map_slot(map, address_map_home(map, key));
  __builtin_prefetch(slot);
  __builtin_prefetch(slot + 63);
}
void address_map_grow(address_map_t *map);
// The value, and whether it was made now, of zeros, where there was none. Valid until the next put
// or remove.
static inline void *address_map_place(address_map_t *map, uint64_t key, bool *made) {
  if (!map->slots || map->count >= ((size_t)3 << map->bits) / 4) address_map_grow(map);
  const size_t mask = ((size_t)1 << map->bits) - 1;
  for (size_t at = address_map_home(map, key);; at = (at + 1) & mask) {
    uint64_t *slot = (uint64_t *)address_map_slot(map, at);
    *made = !*slot;
    if (*slot && *slot != key) continue;
    if (*made) {
      for (uint32_t word = 1; word < map->slot_size / sizeof *slot; ++word) slot[word] = 0;
      *slot = key;
      ++map->count;
    }
    return slot + 1;
  }
}
// The same where it does not matter whether it was made.
void *address_map_put(address_map_t *map, uint64_t key);
// True, and the value copied to *value (may be NULL), where there was one.
bool address_map_remove(address_map_t *map, uint64_t key, void *value);
// Removes a value that get or put has just given.
void address_map_drop(address_map_t *map, void *value);
// Visits all values in no order: the next one and its key; NULL at the end. *position starts at 0.
void *address_map_next(const address_map_t *map, size_t *position, uint64_t *key);

#endif
