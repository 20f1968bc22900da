// SPDX-License-Identifier: Apache-2.0
// Totals by call site, in a small open-addressing table over a growable array.
#include "analyzer/models/site_table.h"

#include "analyzer/models/array.h"

#include <stdlib.h>
#include <string.h>

void site_table_clear(site_table_t *table) {
  free(table->items);
  free(table->slots);
  *table = (site_table_t){0};
}

// The slot that names the item of (kind, stack), or the empty one where it belongs.
static uint32_t *find_slot(const site_table_t *table, uint32_t kind, uint32_t stack) {
  uint64_t hash = ((uint64_t)kind << 32 | stack) * UINT64_C(0x9e3779b97f4a7c15);
  uint32_t mask = table->slot_count - 1, at = (uint32_t)(hash >> 32) & mask;
  for (; table->slots[at]; at = (at + 1) & mask) {
    const site_total_t *item = &table->items[table->slots[at] - 1];
    if (item->stack == stack && item->kind == kind) break;
  }
  return &table->slots[at];
}

static void rebuild_slots(site_table_t *table) {
  memset(table->slots, 0, table->slot_count * sizeof *table->slots);
  for (uint32_t item = 0; item < table->count; ++item)
    *find_slot(table, table->items[item].kind, table->items[item].stack) = item + 1;
}

static void grow(site_table_t *table) {
  table->slot_count = table->slot_count ? table->slot_count * 2 : 8;
  table->slots = array_resize(table->slots, table->slot_count, sizeof *table->slots);
  rebuild_slots(table);
}

static site_total_t *item_of(site_table_t *table, uint32_t kind, uint32_t stack) {
  if (table->count >= table->slot_count / 2) grow(table);
  uint32_t *slot = find_slot(table, kind, stack);
  if (!*slot) {
    ARRAY_RESERVE(table->items, table->capacity, table->count + 1);
    table->items[table->count] = (site_total_t){.stack = stack, .kind = kind};
    *slot = ++table->count;
  }
  return &table->items[*slot - 1];
}

void site_table_add(site_table_t *table, uint32_t kind, uint32_t stack, uint64_t duration_ns) {
  site_total_t *item = item_of(table, kind, stack);
  ++item->count;
  item->total_ns += duration_ns;
  if (duration_ns > item->max_ns) item->max_ns = duration_ns;
}

void site_table_merge(site_table_t *table, const site_table_t *other) {
  for (uint32_t at = 0; at < other->count; ++at) {
    const site_total_t *from = &other->items[at];
    site_total_t *item = item_of(table, from->kind, from->stack);
    item->count += from->count;
    item->total_ns += from->total_ns;
    if (from->max_ns > item->max_ns) item->max_ns = from->max_ns;
  }
}

static int compare_items(const void *left, const void *right) {
  const site_total_t *a = left, *b = right;
  if (a->total_ns != b->total_ns) return a->total_ns < b->total_ns ? 1 : -1;
  if (a->count != b->count) return a->count < b->count ? 1 : -1;
  if (a->stack != b->stack) return a->stack < b->stack ? -1 : 1;
  return a->kind < b->kind ? -1 : a->kind > b->kind;
}

void site_table_sort(site_table_t *table) {
  if (!table->count) return;
  qsort(table->items, table->count, sizeof *table->items, compare_items);
  rebuild_slots(table);
}
