// SPDX-License-Identifier: Apache-2.0
// Totals by call site: stack number -> how often, how long. Used for who waited, who held.
#ifndef ANALYZER_MODELS_SITE_TABLE_H
#define ANALYZER_MODELS_SITE_TABLE_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint32_t stack;  // reader stack index, 0: not known
  uint32_t kind;   // trace_kind_t where a table tells kinds apart, else 0
  uint64_t count;
  uint64_t total_ns;
  uint64_t max_ns;
} site_total_t;

// Zero-initialised is empty and valid. After site_table_sort: items[0..count) by falling total_ns
// (then count, then stack). Items may be read at any time, in no particular order before that.
typedef struct {
  site_total_t *items;
  uint32_t count, capacity;
  uint32_t *slots;  // open addressing: index into items + 1
  uint32_t slot_count;
} site_table_t;

void site_table_clear(site_table_t *table);
void site_table_add(site_table_t *table, uint32_t kind, uint32_t stack, uint64_t duration_ns);
// Adds all of `other`.
void site_table_merge(site_table_t *table, const site_table_t *other);
// Sorts the items for a report. Adding afterwards is allowed and loses the order.
void site_table_sort(site_table_t *table);

#endif
