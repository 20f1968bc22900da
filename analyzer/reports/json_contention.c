// SPDX-License-Identifier: Apache-2.0
// What contention was made of, as JSON: blame, sites, blocking calls, convoys, the critical path.
#include "analyzer/reports/json.h"
#include "analyzer/reports/names.h"

#include <stdlib.h>

enum { SITES_MAX = 20 };

static json_t *lock_name(const analysis_t *analysis, uint32_t lock) {
  return lock ? json_text(names_lock(analysis->names, lock)) : json_null();
}

// `kind` of a holder's row is the lock that the holder waited for itself.
json_t *json_holders(const analysis_t *analysis, const site_table_t *unsorted) {
  site_table_t sites = {0};
  json_t *list = json_array();
  site_table_merge(&sites, unsorted);
  site_table_sort(&sites);
  for (uint32_t i = 0; i < sites.count; i++) {
    const site_total_t *site = &sites.items[i];
    json_t *item = json_object();
    json_object_set_new(item, "site", json_text(names_site(analysis->names, site->stack)));
    json_object_set_new(item, "stack", json_stack(analysis, site->stack));
    json_object_set_new(item, "through", lock_name(analysis, site->kind));
    json_object_set_new(item, "count", json_number(site->count));
    json_object_set_new(item, "total_ns", json_number(site->total_ns));
    json_object_set_new(item, "max_ns", json_number(site->max_ns));
    json_array_append_new(list, item);
  }
  site_table_clear(&sites);
  return list;
}

static json_t *sites_value(const analysis_t *analysis, const lock_sites_t *sites) {
  json_t *list = json_array();
  for (uint32_t i = 0; i < sites->count && i < SITES_MAX; i++) {
    const lock_site_t *site = &sites->items[i];
    json_t *item = json_object();
    json_object_set_new(item, "site", json_text(names_site(analysis->names, site->stack)));
    json_object_set_new(item, "stack", json_stack(analysis, site->stack));
    json_object_set_new(item, "acquisitions", json_number(site->acquisitions));
    json_object_set_new(item, "contended", json_number(site->contended));
    json_object_set_new(item, "wait_ns", json_histogram(&site->wait_ns));
    json_object_set_new(item, "hold_ns", json_histogram(&site->hold_ns));
    json_array_append_new(list, item);
  }
  return list;
}

static json_t *blocks_value(const analysis_t *analysis, const lock_blocks_t *blocks) {
  json_t *list = json_array();
  for (uint32_t i = 0; i < blocks->count; i++) {
    const lock_block_t *block = &blocks->items[i];
    json_t *item = json_object();
    json_object_set_new(item, "held_from",
                        json_text(names_site(analysis->names, block->hold_stack)));
    json_object_set_new(item, "call_site",
                        json_text(names_site(analysis->names, block->call_stack)));
    json_object_set_new(item, "call_stack", json_stack(analysis, block->call_stack));
    json_object_set_new(item, "doing", json_text(thread_state_text(block->state)));
    json_object_set_new(item, "count", json_number(block->count));
    json_object_set_new(item, "total_ns", json_number(block->total_ns));
    json_object_set_new(item, "max_ns", json_number(block->max_ns));
    json_object_set_new(item, "waits", json_number(block->waits));
    json_object_set_new(item, "waited_ns", json_number(block->waited_ns));
    json_array_append_new(list, item);
  }
  return list;
}

static json_t *convoys_value(const lock_convoys_t *convoys) {
  json_t *value = json_object();
  json_object_set_new(value, "count", json_number(convoys->count));
  json_object_set_new(value, "handovers", json_number(convoys->handovers));
  json_object_set_new(value, "total_ns", json_number(convoys->total_ns));
  json_object_set_new(value, "longest_handovers", json_number(convoys->longest));
  json_object_set_new(value, "longest_from_ns", json_number(convoys->longest_from));
  json_object_set_new(value, "longest_until_ns", json_number(convoys->longest_until));
  return value;
}

static double share(uint64_t part, uint64_t whole) {
  return whole ? (double)part / (double)whole : 0;
}

static uint64_t row_ns(const path_row_t *row) { return row ? row->ns : 0; }
static uint64_t row_count(const path_row_t *row) { return row ? row->count : 0; }

void json_lock_contention(const analysis_t *analysis, const lock_t *lock, json_t *value) {
  const critical_path_t *path = models_critical_path(analysis->models);
  uint64_t held = row_ns(critical_path_row(path, PATH_LOCK, lock->id));
  json_object_set_new(value, "contention", json_boolean(lock_is_contention(lock)));
  json_object_set_new(value, "blamed_ns", json_number(lock->blamed_ns));
  json_object_set_new(value, "blamed_by_site", json_sites(analysis, &lock->blamed));
  json_object_set_new(value, "reacquires", json_number(lock->reacquires));
  json_object_set_new(value, "reacquire_ns", json_number(lock->reacquire_ns));
  json_object_set_new(value, "sites", sites_value(analysis, &lock->sites));
  json_object_set_new(value, "held_across", blocks_value(analysis, &lock->blocks));
  json_object_set_new(value, "convoys", convoys_value(&lock->convoys));
  json_object_set_new(value, "critical_path_ns", json_number(held));
  json_object_set_new(value, "critical_path_share",
                      json_real(share(held, critical_path_summary(path)->total_ns)));
}

// ---- the critical path -------------------------------------------------------------------------

static json_t *path_lock_value(const analysis_t *analysis, const path_row_t *row) {
  const critical_path_t *path = models_critical_path(analysis->models);
  const path_row_t *wakes = critical_path_row(path, PATH_WAKE_LOCK, row->id);
  json_t *value = json_object();
  json_object_set_new(value, "lock", lock_name(analysis, row->id));
  json_object_set_new(value, "id", json_number(row->id));
  json_object_set_new(value, "held_ns", json_number(row->ns));
  json_object_set_new(value, "share",
                      json_real(share(row->ns, critical_path_summary(path)->total_ns)));
  json_object_set_new(value, "holds", json_number(row->count));
  json_object_set_new(value, "handovers", json_number(row_count(wakes)));
  json_object_set_new(value, "handover_ns", json_number(row_ns(wakes)));
  return value;
}

static json_t *path_row_value(const analysis_t *analysis, const path_row_t *row) {
  uint64_t total = critical_path_summary(models_critical_path(analysis->models))->total_ns;
  json_t *value = json_object();
  if (row->kind == PATH_THREAD)
    json_object_set_new(value, "thread", json_thread(analysis, row->id));
  else if (row->kind == PATH_WAIT)
    json_object_set_new(value, "waiting", json_text(thread_state_text((thread_state_t)row->id)));
  else
    json_object_set_new(value, "woken_by", json_text(wake_how_name((wake_how_t)row->id)));
  json_object_set_new(value, "ns", json_number(row->ns));
  json_object_set_new(value, "share", json_real(share(row->ns, total)));
  json_object_set_new(value, "count", json_number(row->count));
  return value;
}

static json_t *path_rows_value(const analysis_t *analysis, path_kind_t kind) {
  json_t *list = json_array();
  uint32_t count;
  const path_row_t *rows = critical_path_rows(models_critical_path(analysis->models), &count);
  for (uint32_t i = 0; i < count; i++)
    if (rows[i].kind == kind)
      json_array_append_new(list, kind == PATH_LOCK ? path_lock_value(analysis, &rows[i])
                                                    : path_row_value(analysis, &rows[i]));
  return list;
}

json_t *json_critical_path(const analysis_t *analysis) {
  const path_summary_t *summary = critical_path_summary(models_critical_path(analysis->models));
  json_t *value = json_object();
  json_object_set_new(value, "total_ns", json_number(summary->total_ns));
  json_object_set_new(value, "running_ns", json_number(summary->running_ns));
  json_object_set_new(value, "from_ns", json_number(summary->from_ns));
  json_object_set_new(value, "until_ns", json_number(summary->until_ns));
  json_object_set_new(value, "first_thread", json_thread(analysis, summary->first_thread));
  json_object_set_new(value, "last_thread", json_thread(analysis, summary->last_thread));
  json_object_set_new(value, "wakeups", json_number(summary->wakeups));
  json_object_set_new(value, "unresolved", json_number(summary->unresolved));
  json_object_set_new(value, "threads", path_rows_value(analysis, PATH_THREAD));
  json_object_set_new(value, "locks", path_rows_value(analysis, PATH_LOCK));
  json_object_set_new(value, "waits", path_rows_value(analysis, PATH_WAIT));
  json_object_set_new(value, "wakes", path_rows_value(analysis, PATH_WAKE));
  return value;
}
