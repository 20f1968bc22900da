// SPDX-License-Identifier: Apache-2.0
// Open addressing with linear probing; a removal closes the gap it leaves.
#include "analyzer/models/address_map.h"

#include "analyzer/models/array.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BITS = 6 };

static inline size_t mask_of(const address_map_t *map) { return ((size_t)1 << map->bits) - 1; }

static inline uint64_t *key_at(const address_map_t *map, size_t at) {
  return (uint64_t *)address_map_slot(map, at);
}

void address_map_clear(address_map_t *map) {
  free(map->slots);
  *map = (address_map_t){.slot_size = map->slot_size};
}

// The slot that has the key, or the empty one where it belongs.
static inline size_t find_slot(const address_map_t *map, uint64_t key) {
  size_t mask = mask_of(map), at = address_map_home(map, key);
  for (uint64_t found; (found = *key_at(map, at)) && found != key;) at = (at + 1) & mask;
  return at;
}

static void grow(address_map_t *map) {
  address_map_t grown = *map;
  if (!grown.slot_size) grown.slot_size = ADDRESS_MAP_KEY + sizeof(uint64_t);
  grown.bits = map->slots ? map->bits + 1 : FIRST_BITS;
  grown.slots = array_zeroed((size_t)1 << grown.bits, grown.slot_size);
  for (size_t at = 0; map->slots && at <= mask_of(map); ++at)
    if (*key_at(map, at))
      memcpy(address_map_slot(&grown, find_slot(&grown, *key_at(map, at))),
             address_map_slot(map, at), map->slot_size);
  free(map->slots);
  *map = grown;
}

void *address_map_put(address_map_t *map, uint64_t key) {
  if (!map->slots || map->count >= ((size_t)3 << map->bits) / 4) grow(map);
  size_t at = find_slot(map, key);
  if (!*key_at(map, at)) {
    memset(address_map_slot(map, at), 0, map->slot_size);
    *key_at(map, at) = key;
    ++map->count;
  }
  return address_map_slot(map, at) + ADDRESS_MAP_KEY;
}

// Moves back what was displaced past the gap, so that probing never needs tombstones.
static void close_gap(address_map_t *map, size_t gap) {
  size_t mask = mask_of(map);
  for (size_t at = (gap + 1) & mask; *key_at(map, at); at = (at + 1) & mask) {
    size_t home = address_map_home(map, *key_at(map, at));
    if (((at - home) & mask) < ((at - gap) & mask)) continue;
    memcpy(address_map_slot(map, gap), address_map_slot(map, at), map->slot_size);
    gap = at;
  }
  *key_at(map, gap) = 0;
}

bool address_map_remove(address_map_t *map, uint64_t key, void *value) {
  if (!map->count || !key) return false;
  size_t at = find_slot(map, key);
  if (!*key_at(map, at)) return false;
  if (value)
    memcpy(value, address_map_slot(map, at) + ADDRESS_MAP_KEY, map->slot_size - ADDRESS_MAP_KEY);
  close_gap(map, at);
  --map->count;
  return true;
}

void address_map_drop(address_map_t *map, void *value) {
  const size_t offset = (size_t)((unsigned char *)value - ADDRESS_MAP_KEY - map->slots);
  close_gap(map, offset / map->slot_size);
  --map->count;
}

void *address_map_next(const address_map_t *map, size_t *position, uint64_t *key) {
  while (map->slots && *position <= mask_of(map)) {
    size_t at = (*position)++;
    if (!*key_at(map, at)) continue;
    *key = *key_at(map, at);
    return address_map_slot(map, at) + ADDRESS_MAP_KEY;
  }
  return NULL;
}
