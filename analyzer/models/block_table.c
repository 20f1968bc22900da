// SPDX-License-Identifier: Apache-2.0
// Where blocks need memory, and the blocks that are rare.
#include "analyzer/models/block_table.h"

#include "analyzer/models/array.h"

#include <stdlib.h>

void block_table_open(block_table_t *table) {
  *table = (block_table_t){.regions = ADDRESS_MAP(block_region_slot_t),
                           .odd = ADDRESS_MAP(block_t),
                           .block_used = 1,
                           .sweep_at = BLOCK_REGIONS_KEPT};
}

void block_table_clear(block_table_t *table) {
  address_map_clear(&table->regions);
  address_map_clear(&table->odd);
  free(table->pool);
  free(table->pool_free);
  free(table->blocks);
  free(table->block_free);
  block_table_open(table);
}

// Gives back what the regions without blocks have. They are kept until there are as many of them as
// of others: a block that comes and goes would make and drop its region each time.
static void sweep_regions(block_table_t *table) {
  size_t position = 0, count = 0;
  uint64_t key, *empty = array_resize(NULL, table->regions.count + 1, sizeof *empty);
  for (block_region_slot_t *slot; (slot = address_map_next(&table->regions, &position, &key));) {
    if (slot->blocks) continue;
    ARRAY_RESERVE(table->pool_free, table->pool_free_capacity, table->pool_free_count + 1);
    table->pool_free[table->pool_free_count++] = slot->index;
    empty[count++] = key;
  }
  while (count > 0) address_map_remove(&table->regions, empty[--count], NULL);
  free(empty);
  table->sweep_at = 2 * table->regions.count + BLOCK_REGIONS_KEPT;
}

static void make_region(block_table_t *table, uint64_t key) {
  if (table->regions.count >= table->sweep_at) sweep_regions(table);
  uint32_t index = table->pool_used;
  if (table->pool_free_count) {
    index = table->pool_free[--table->pool_free_count];
  } else {
    ARRAY_RESERVE(table->pool, table->pool_capacity, index + 1);
    table->pool_used = index + 1;
  }
  *(block_region_slot_t *)address_map_put(&table->regions, key) = (block_region_slot_t){index, 0};
}

static void make_block(block_table_t *table) {
  ARRAY_RESERVE(table->blocks, table->block_capacity, table->block_used + 1);
  ARRAY_RESERVE(table->block_free, table->block_free_capacity, table->block_used + 1);
  table->block_free[table->block_free_count++] = table->block_used++;
}

block_t *block_table_put_slow(block_table_t *table, uint64_t address, bool *made) {
  if (block_is_odd(address)) return address_map_place(&table->odd, address, made);
  const uint64_t key = block_region_key(address);
  if (!address_map_get(&table->regions, key)) make_region(table, key);
  if (!table->block_free_count) make_block(table);
  return block_table_put(table, address, made);
}

bool block_table_take_odd(block_table_t *table, uint64_t address, block_t *block) {
  return address_map_remove(&table->odd, address, block);
}

const block_t *block_table_before(const block_table_t *table, uint64_t address, uint64_t least,
                                  uint64_t *start) {
  enum { REGION = 1 << BLOCK_REGION_BITS };
  for (uint64_t at = address - address % BLOCK_GRANULE;; at -= at % REGION + BLOCK_GRANULE) {
    const block_region_slot_t *slot = address_map_get(&table->regions, block_region_key(at));
    const uint64_t region = at - at % REGION;
    for (*start = at; slot && *start >= least; *start -= BLOCK_GRANULE) {
      const uint32_t number = *block_place(table, slot, *start);
      if (number) return &table->blocks[number];
      if (*start == region) break;
    }
    if (region <= least) return NULL;
  }
}
