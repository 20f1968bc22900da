// SPDX-License-Identifier: Apache-2.0
// Open addressing with linear probing; a removal closes the gap it leaves.
#include "analyzer/models/address_map.h"

#include "analyzer/models/array.h"

#include <stdlib.h>

enum { FIRST_BITS = 6 };

// Fibonacci hashing: the high bits of the product depend on all bits of the key.
static inline size_t slot_of(const address_map_t *map, uint64_t key) {
  return (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - map->bits));
}

static inline size_t mask_of(const address_map_t *map) { return ((size_t)1 << map->bits) - 1; }

void address_map_clear(address_map_t *map) {
  free(map->slots);
  *map = (address_map_t){0};
}

// The slot that has the key, or the empty one where it belongs.
static inline address_slot_t *find_slot(const address_map_t *map, uint64_t key) {
  size_t mask = mask_of(map), at = slot_of(map, key);
  while (map->slots[at].key && map->slots[at].key != key) at = (at + 1) & mask;
  return &map->slots[at];
}

uint64_t *address_map_get(const address_map_t *map, uint64_t key) {
  if (!map->count || !key) return NULL;
  address_slot_t *slot = find_slot(map, key);
  return slot->key ? &slot->value : NULL;
}

static void grow(address_map_t *map) {
  address_map_t grown = {.count = map->count, .bits = map->bits ? map->bits + 1 : FIRST_BITS};
  grown.slots = array_zeroed((size_t)1 << grown.bits, sizeof *grown.slots);
  for (size_t at = 0; map->slots && at <= mask_of(map); ++at)
    if (map->slots[at].key) *find_slot(&grown, map->slots[at].key) = map->slots[at];
  free(map->slots);
  *map = grown;
}

uint64_t *address_map_put(address_map_t *map, uint64_t key) {
  if (!map->slots || map->count >= ((size_t)3 << map->bits) / 4) grow(map);
  address_slot_t *slot = find_slot(map, key);
  if (!slot->key) {
    *slot = (address_slot_t){.key = key};
    ++map->count;
  }
  return &slot->value;
}

// Moves back what was displaced past the gap, so that probing never needs tombstones.
static void close_gap(address_map_t *map, size_t gap) {
  size_t mask = mask_of(map);
  for (size_t at = (gap + 1) & mask; map->slots[at].key; at = (at + 1) & mask) {
    size_t home = slot_of(map, map->slots[at].key);
    if (((at - home) & mask) < ((at - gap) & mask)) continue;
    map->slots[gap] = map->slots[at];
    gap = at;
  }
  map->slots[gap].key = 0;
}

bool address_map_remove(address_map_t *map, uint64_t key, uint64_t *value) {
  if (!map->count || !key) return false;
  address_slot_t *slot = find_slot(map, key);
  if (!slot->key) return false;
  if (value) *value = slot->value;
  close_gap(map, (size_t)(slot - map->slots));
  --map->count;
  return true;
}

bool address_map_next(const address_map_t *map, size_t *position, address_slot_t *slot) {
  for (; map->slots && *position <= mask_of(map); ++*position)
    if (map->slots[*position].key) {
      *slot = map->slots[(*position)++];
      return true;
    }
  return false;
}
