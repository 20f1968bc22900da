// SPDX-License-Identifier: Apache-2.0
// Open addressing with linear probing; a removal closes the gap it leaves.
#include "analyzer/models/address_map.h"

#include "analyzer/models/array.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BITS = 6, KEY_SIZE = sizeof(uint64_t) };

// Fibonacci hashing: the high bits of the product depend on all bits of the key.
static inline size_t home_of(const address_map_t *map, uint64_t key) {
  return (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - map->bits));
}

static inline size_t mask_of(const address_map_t *map) { return ((size_t)1 << map->bits) - 1; }

static inline unsigned char *slot_at(const address_map_t *map, size_t at) {
  return map->slots + at * map->slot_size;
}

static inline uint64_t *key_at(const address_map_t *map, size_t at) {
  return (uint64_t *)slot_at(map, at);
}

void address_map_clear(address_map_t *map) {
  free(map->slots);
  *map = (address_map_t){.slot_size = map->slot_size};
}

// The slot that has the key, or the empty one where it belongs.
static inline size_t find_slot(const address_map_t *map, uint64_t key) {
  size_t mask = mask_of(map), at = home_of(map, key);
  for (uint64_t found; (found = *key_at(map, at)) && found != key;) at = (at + 1) & mask;
  return at;
}

void *address_map_get(const address_map_t *map, uint64_t key) {
  if (!map->count || !key) return NULL;
  size_t at = find_slot(map, key);
  return *key_at(map, at) ? slot_at(map, at) + KEY_SIZE : NULL;
}

static void grow(address_map_t *map) {
  address_map_t grown = *map;
  if (!grown.slot_size) grown.slot_size = KEY_SIZE + sizeof(uint64_t);
  grown.bits = map->slots ? map->bits + 1 : FIRST_BITS;
  grown.slots = array_zeroed((size_t)1 << grown.bits, grown.slot_size);
  for (size_t at = 0; map->slots && at <= mask_of(map); ++at)
    if (*key_at(map, at))
      memcpy(slot_at(&grown, find_slot(&grown, *key_at(map, at))), slot_at(map, at),
             map->slot_size);
  free(map->slots);
  *map = grown;
}

void *address_map_put(address_map_t *map, uint64_t key) {
  if (!map->slots || map->count >= ((size_t)3 << map->bits) / 4) grow(map);
  size_t at = find_slot(map, key);
  if (!*key_at(map, at)) {
    memset(slot_at(map, at), 0, map->slot_size);
    *key_at(map, at) = key;
    ++map->count;
  }
  return slot_at(map, at) + KEY_SIZE;
}

// Moves back what was displaced past the gap, so that probing never needs tombstones.
static void close_gap(address_map_t *map, size_t gap) {
  size_t mask = mask_of(map);
  for (size_t at = (gap + 1) & mask; *key_at(map, at); at = (at + 1) & mask) {
    size_t home = home_of(map, *key_at(map, at));
    if (((at - home) & mask) < ((at - gap) & mask)) continue;
    memcpy(slot_at(map, gap), slot_at(map, at), map->slot_size);
    gap = at;
  }
  *key_at(map, gap) = 0;
}

bool address_map_remove(address_map_t *map, uint64_t key, void *value) {
  if (!map->count || !key) return false;
  size_t at = find_slot(map, key);
  if (!*key_at(map, at)) return false;
  if (value) memcpy(value, slot_at(map, at) + KEY_SIZE, map->slot_size - KEY_SIZE);
  close_gap(map, at);
  --map->count;
  return true;
}

void *address_map_next(const address_map_t *map, size_t *position, uint64_t *key) {
  while (map->slots && *position <= mask_of(map)) {
    size_t at = (*position)++;
    if (!*key_at(map, at)) continue;
    *key = *key_at(map, at);
    return slot_at(map, at) + KEY_SIZE;
  }
  return NULL;
}
