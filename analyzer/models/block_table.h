// SPDX-License-Identifier: Apache-2.0
// Live blocks by address. Blocks are allocated and freed beside each other, and so their places lie
// here: memory is cut into regions of 1 KiB, a region that has blocks has 64 places, one for each
// address at which a block may begin, and a place is four bytes, the number of the block. What is
// known of a block stands apart, where the one freed last was: that is in the cache still.
//
//   regions.count <= 2 x regions that had blocks at the last sweep + BLOCK_REGIONS_KEPT
#ifndef ANALYZER_MODELS_BLOCK_TABLE_H
#define ANALYZER_MODELS_BLOCK_TABLE_H

#include "analyzer/models/address_map.h"

enum {
  BLOCK_GRANULE =
      16,  // blocks of malloc begin at multiples of it; others are in a map of their own
  BLOCK_REGION_BITS = 10,
  BLOCK_REGION_PLACES = (1 << BLOCK_REGION_BITS) / BLOCK_GRANULE,
  BLOCK_REGIONS_KEPT = 1024,
};

typedef struct {
  uint64_t size, time;
  uint32_t stack, thread;
} block_t;

typedef struct {
  uint32_t places[BLOCK_REGION_PLACES];  // numbers of blocks, 0: none begins there
} block_region_t;

// A region that has places.
typedef struct {
  uint32_t index;   // in `pool`
  uint32_t blocks;  // that begin there
} block_region_slot_t;

typedef struct {
  address_map_t regions;  // address >> BLOCK_REGION_BITS, + 1 -> block_region_slot_t
  address_map_t odd;      // address that is no multiple of BLOCK_GRANULE -> block_t
  block_region_t *pool;
  block_t *blocks;  // by number, from 1
  uint32_t pool_used, pool_capacity;
  uint32_t block_used, block_capacity;
  uint32_t *pool_free, *block_free;  // numbers of those that were given back
  uint32_t pool_free_count, pool_free_capacity;
  uint32_t block_free_count, block_free_capacity;  // capacity >= block_used
  size_t sweep_at;  // regions from which on empty ones are looked for
} block_table_t;

void block_table_open(block_table_t *table);
void block_table_clear(block_table_t *table);

static inline uint64_t block_region_key(uint64_t address) {
  return (address >> BLOCK_REGION_BITS) + 1;
}
static inline uint32_t *block_place(const block_table_t *table, const block_region_slot_t *slot,
                                    uint64_t address) {
  return &table->pool[slot->index].places[address / BLOCK_GRANULE % BLOCK_REGION_PLACES];
}
static inline bool block_is_odd(uint64_t address) { return address % BLOCK_GRANULE != 0; }

// The block that begins there, NULL where none does. Valid until the next put or take.
static inline block_t *block_table_get(const block_table_t *table, uint64_t address) {
  if (__builtin_expect(block_is_odd(address), 0)) return address_map_get(&table->odd, address);
  const block_region_slot_t *slot = address_map_get(&table->regions, block_region_key(address));
  const uint32_t number = slot ? *block_place(table, slot, address) : 0;
  return number ? &table->blocks[number] : NULL;
}

// Fetches what will be read of blocks that begin at these addresses, in stages, for a place is only
// known when what names it has come: regions, places, blocks. Always inline: see
// address_map_prefetch.
static inline __attribute__((always_inline)) void
block_table_fetch_region(const block_table_t *table, uint64_t address) {
  address_map_prefetch(&table->regions, block_region_key(address));
}
static inline __attribute__((always_inline)) const uint32_t *
block_table_fetch_place(const block_table_t *table, uint64_t address) {
  const block_region_slot_t *slot = address_map_get(&table->regions, block_region_key(address));
  if (!slot) return NULL;
  const uint32_t *place = block_place(table, slot, address);
  __builtin_prefetch(place);
  return place;
}
static inline __attribute__((always_inline)) void
block_table_fetch_block(const block_table_t *table, const uint32_t *place) {
  __builtin_prefetch(&table->blocks[*place]);
}

// For addresses that are no multiples, and where memory is needed first.
block_t *block_table_put_slow(block_table_t *table, uint64_t address, bool *made);
bool block_table_take_odd(block_table_t *table, uint64_t address, block_t *block);

// The block that begins there, made now (with any content) where none did. Valid likewise.
static inline block_t *block_table_put(block_table_t *table, uint64_t address, bool *made) {
  block_region_slot_t *slot = address_map_get(&table->regions, block_region_key(address));
  if (__builtin_expect(!slot || !table->block_free_count || block_is_odd(address), 0))
    return block_table_put_slow(table, address, made);
  uint32_t *place = block_place(table, slot, address);
  *made = !*place;
  if (*made) {
    *place = table->block_free[--table->block_free_count];
    ++slot->blocks;
  }
  return &table->blocks[*place];
}

// Removes the block that begins there and gives what it was. False where none does.
static inline bool block_table_take(block_table_t *table, uint64_t address, block_t *block) {
  if (__builtin_expect(block_is_odd(address), 0))
    return block_table_take_odd(table, address, block);
  block_region_slot_t *slot = address_map_get(&table->regions, block_region_key(address));
  uint32_t *place = slot ? block_place(table, slot, address) : NULL;
  if (!place || !*place) return false;
  *block = table->blocks[*place];
  table->block_free[table->block_free_count++] = *place;
  *place = 0;
  --slot->blocks;
  return true;
}

// The block that begins at the greatest multiple of BLOCK_GRANULE in [least, address]. NULL: none.
const block_t *block_table_before(const block_table_t *table, uint64_t address, uint64_t least,
                                  uint64_t *start);

#endif
