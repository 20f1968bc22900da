// SPDX-License-Identifier: Apache-2.0
// Open addressing with linear probing; a removal closes the gap it leaves.
#include "analyzer/models/address_map.h"

#include "analyzer/models/array.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { FIRST_BITS = 6, CACHE_LINE = 64, HUGE_PAGE = 2 << 20 };

static inline size_t mask_of(const address_map_t *map) { return ((size_t)1 << map->bits) - 1; }

static inline uint64_t *key_at(const address_map_t *map, size_t at) {
  return (uint64_t *)address_map_slot(map, at);
}

static size_t size_of(const address_map_t *map) { return (size_t)map->slot_size << map->bits; }
static bool is_large(const address_map_t *map) { return size_of(map) >= 2 * HUGE_PAGE; }

// Large tables are looked up all over: they get pages of their own, huge ones where there are any.
static void *map_pages(size_t size) {
  void *memory =
      mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) array_end();
  madvise(memory, size, MADV_HUGEPAGE);
  return memory;
}

static void allocate(address_map_t *map) {
  const size_t alignment = is_large(map) ? HUGE_PAGE : CACHE_LINE;
  const size_t size = size_of(map) + alignment;
  map->memory = is_large(map) ? map_pages(size) : array_zeroed(size, 1);
  map->slots = map->memory;
  map->slots += -(uintptr_t)map->slots % alignment;
}

static void release(address_map_t *map) {
  if (map->slots && is_large(map))
    munmap(map->memory, size_of(map) + HUGE_PAGE);
  else
    free(map->memory);
}

void address_map_clear(address_map_t *map) {
  release(map);
  *map = (address_map_t){.slot_size = map->slot_size};
}

// The slot that has the key, or the empty one where it belongs.
static inline size_t find_slot(const address_map_t *map, uint64_t key) {
  size_t mask = mask_of(map), at = address_map_home(map, key);
  for (uint64_t found; (found = *key_at(map, at)) && found != key;) at = (at + 1) & mask;
  return at;
}

void address_map_grow(address_map_t *map) {
  address_map_t grown = *map;
  if (!grown.slot_size) grown.slot_size = ADDRESS_MAP_KEY + sizeof(uint64_t);
  grown.bits = map->slots ? map->bits + 1 : FIRST_BITS;
  allocate(&grown);
  for (size_t at = 0; map->slots && at <= mask_of(map); ++at)
    if (*key_at(map, at))
      memcpy(address_map_slot(&grown, find_slot(&grown, *key_at(map, at))),
             address_map_slot(map, at), map->slot_size);
  release(map);
  *map = grown;
}

void *address_map_put(address_map_t *map, uint64_t key) {
  bool made;
  return address_map_place(map, key, &made);
}

static inline void move_slot(const address_map_t *map, size_t to, size_t from) {
  uint64_t *into = key_at(map, to);
  const uint64_t *words = key_at(map, from);
  for (uint32_t word = 0; word < map->slot_size / sizeof *words; ++word) into[word] = words[word];
}

// Moves back what was displaced past the gap, so that probing never needs tombstones.
static void close_gap(address_map_t *map, size_t gap) {
  size_t mask = mask_of(map);
  for (size_t at = (gap + 1) & mask; *key_at(map, at); at = (at + 1) & mask) {
    size_t home = address_map_home(map, *key_at(map, at));
    if (((at - home) & mask) < ((at - gap) & mask)) continue;
    move_slot(map, gap, at);
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
  const unsigned char *slot = (unsigned char *)value - ADDRESS_MAP_KEY;
  const size_t mask = mask_of(map);
  size_t at = address_map_home(map, *(const uint64_t *)slot);
  while (address_map_slot(map, at) != slot) at = (at + 1) & mask;
  close_gap(map, at);
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
