// SPDX-License-Identifier: Apache-2.0
// Figures of a lock by call site, and by calls that blocked while it was held.
#include "analyzer/models/lock_sites.h"

#include "analyzer/models/array.h"

#include <stdlib.h>

enum { FEW = 8 };

void lock_sites_clear(lock_sites_t *sites) {
  for (uint32_t at = 0; at < sites->count; ++at) {
    histogram_clear(&sites->items[at].wait_ns);
    histogram_clear(&sites->items[at].hold_ns);
  }
  free(sites->items);
  address_map_clear(&sites->index);
  *sites = (lock_sites_t){0};
}

static uint32_t find_site(const lock_sites_t *sites, uint32_t stack) {
  if (sites->count > FEW) {
    const uint64_t *found = address_map_get(&sites->index, (uint64_t)stack + 1);
    return found ? (uint32_t)*found - 1 : sites->count;
  }
  uint32_t at = 0;
  while (at < sites->count && sites->items[at].stack != stack) ++at;
  return at;
}

static void index_site(lock_sites_t *sites, uint32_t at) {
  *(uint64_t *)address_map_put(&sites->index, (uint64_t)sites->items[at].stack + 1) = at + 1;
}

static uint32_t add_site(lock_sites_t *sites, uint32_t stack) {
  ARRAY_RESERVE(sites->items, sites->capacity, sites->count + 1);
  uint32_t place = sites->count++;
  sites->items[place] = (lock_site_t){.stack = stack};
  if (sites->count == FEW + 1)
    for (uint32_t at = 0; at < place; ++at) index_site(sites, at);
  if (sites->count > FEW) index_site(sites, place);
  return place;
}

lock_site_t *lock_sites_at(lock_sites_t *sites, uint32_t stack) {
  if (sites->last >= sites->count || sites->items[sites->last].stack != stack) {
    uint32_t at = find_site(sites, stack);
    sites->last = at < sites->count ? at : add_site(sites, stack);
  }
  return &sites->items[sites->last];
}

void lock_sites_merge(lock_sites_t *sites, const lock_sites_t *other) {
  for (uint32_t at = 0; at < other->count; ++at) {
    const lock_site_t *from = &other->items[at];
    lock_site_t *into = lock_sites_at(sites, from->stack);
    into->acquisitions += from->acquisitions;
    into->contended += from->contended;
    histogram_merge(&into->wait_ns, &from->wait_ns);
    histogram_merge(&into->hold_ns, &from->hold_ns);
  }
}

static int compare_sites(const void *left, const void *right) {
  const lock_site_t *a = left, *b = right;
  if (a->wait_ns.total != b->wait_ns.total) return a->wait_ns.total > b->wait_ns.total ? -1 : 1;
  if (a->acquisitions != b->acquisitions) return a->acquisitions > b->acquisitions ? -1 : 1;
  return a->stack < b->stack ? -1 : a->stack > b->stack;
}

void lock_sites_sort(lock_sites_t *sites) {
  if (sites->count) qsort(sites->items, sites->count, sizeof *sites->items, compare_sites);
  address_map_clear(&sites->index);
}

// ---- calls that block --------------------------------------------------------------------------

void lock_blocks_clear(lock_blocks_t *blocks) {
  free(blocks->items);
  *blocks = (lock_blocks_t){0};
}

uint32_t lock_blocks_at(lock_blocks_t *blocks, uint32_t hold_stack, uint32_t call_stack,
                        thread_state_t state) {
  for (uint32_t at = 0; at < blocks->count; ++at) {
    const lock_block_t *item = &blocks->items[at];
    if (item->hold_stack == hold_stack && item->call_stack == call_stack && item->state == state)
      return at + 1;
  }
  if (blocks->count >= LOCK_BLOCKS_MAX) return 0;
  ARRAY_RESERVE(blocks->items, blocks->capacity, blocks->count + 1);
  blocks->items[blocks->count] =
      (lock_block_t){.hold_stack = hold_stack, .call_stack = call_stack, .state = state};
  return ++blocks->count;
}

void lock_blocks_merge(lock_blocks_t *blocks, const lock_blocks_t *other) {
  for (uint32_t at = 0; at < other->count; ++at) {
    const lock_block_t *from = &other->items[at];
    uint32_t row = lock_blocks_at(blocks, from->hold_stack, from->call_stack, from->state);
    if (!row) continue;
    lock_block_t *into = &blocks->items[row - 1];
    into->count += from->count;
    into->total_ns += from->total_ns;
    into->waits += from->waits;
    into->waited_ns += from->waited_ns;
    if (from->max_ns > into->max_ns) into->max_ns = from->max_ns;
  }
}

static int compare_blocks(const void *left, const void *right) {
  const lock_block_t *a = left, *b = right;
  if (a->waited_ns != b->waited_ns) return a->waited_ns > b->waited_ns ? -1 : 1;
  if (a->total_ns != b->total_ns) return a->total_ns > b->total_ns ? -1 : 1;
  if (a->hold_stack != b->hold_stack) return a->hold_stack < b->hold_stack ? -1 : 1;
  if (a->call_stack != b->call_stack) return a->call_stack < b->call_stack ? -1 : 1;
  return a->state < b->state ? -1 : a->state > b->state;
}

void lock_blocks_sort(lock_blocks_t *blocks) {
  if (blocks->count) qsort(blocks->items, blocks->count, sizeof *blocks->items, compare_blocks);
}
