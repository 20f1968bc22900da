// SPDX-License-Identifier: Apache-2.0
// Columns and tables of contention: blame, call sites, the critical path.
#include "analyzer/reports/tables_locks.h"

#include "analyzer/reports/names.h"

static const critical_path_t *path_of(const analysis_t *analysis) {
  return models_critical_path(analysis->models);
}

static uint64_t blocked_waits(const lock_t *lock) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < lock->blocks.count; i++) sum += lock->blocks.items[i].waited_ns;
  return sum;
}

void tables_contention(const analysis_t *analysis, const lock_t *lock, csv_t *csv) {
  const path_row_t *held = critical_path_row(path_of(analysis), PATH_LOCK, lock->id);
  const path_row_t *wakes = critical_path_row(path_of(analysis), PATH_WAKE_LOCK, lock->id);
  csv_number(csv, lock_is_contention(lock));
  csv_number(csv, lock->blamed_ns);
  csv_number(csv, lock->max_waiters);
  csv_number(csv, lock->reacquire_ns);
  csv_number(csv, lock->convoys.count);
  csv_number(csv, lock->convoys.longest);
  csv_number(csv, blocked_waits(lock));
  csv_number(csv, held ? held->ns : 0);
  csv_number(csv, wakes ? wakes->count : 0);
}

// ---- lock_sites.csv ----------------------------------------------------------------------------

static void times_put(csv_t *csv, const histogram_t *histogram) {
  csv_number(csv, histogram->total);
  csv_number(csv, histogram_quantile(histogram, 0.5));
  csv_number(csv, histogram_quantile(histogram, 0.95));
  csv_number(csv, histogram_quantile(histogram, 0.99));
  csv_number(csv, histogram->max);
}

static uint64_t blamed_at(const lock_t *lock, uint32_t stack) {
  for (uint32_t i = 0; i < lock->blamed.count; i++)
    if (lock->blamed.items[i].stack == stack) return lock->blamed.items[i].total_ns;
  return 0;
}

static void site_row(const analysis_t *analysis, const lock_t *lock, const lock_site_t *site,
                     csv_t *csv) {
  csv_number(csv, lock->id);
  csv_text(csv, names_lock(analysis->names, lock->id));
  csv_text(csv, names_site(analysis->names, site->stack));
  csv_number(csv, site->acquisitions);
  csv_number(csv, site->contended);
  times_put(csv, &site->wait_ns);
  times_put(csv, &site->hold_ns);
  csv_number(csv, site->stack ? blamed_at(lock, site->stack) : 0);
  csv_row_end(csv);
}

void tables_lock_sites(const analysis_t *analysis, csv_t *csv) {
  const locks_t *locks = models_locks(analysis->models);
  for (uint32_t id = 1; id < locks_limit(locks); id++) {
    const lock_t *lock = locks_get(locks, id);
    for (uint32_t i = 0; lock && i < lock->sites.count; i++)
      site_row(analysis, lock, &lock->sites.items[i], csv);
  }
}

// ---- critical_path.csv -------------------------------------------------------------------------

static const char *const path_kinds[PATH_KIND_COUNT] = {
    [PATH_THREAD] = "thread", [PATH_LOCK] = "lock-held",          [PATH_WAIT] = "wait",
    [PATH_WAKE] = "wake-up",  [PATH_WAKE_LOCK] = "lock-handover",
};

static const char *path_name(const analysis_t *analysis, const path_row_t *row) {
  switch (row->kind) {
  case PATH_THREAD:
    return names_thread(analysis->names, row->id);
  case PATH_WAIT:
    return thread_state_text((thread_state_t)row->id);
  case PATH_WAKE:
    return wake_how_name((wake_how_t)row->id);
  default:
    return names_lock(analysis->names, row->id);
  }
}

void tables_critical_path(const analysis_t *analysis, csv_t *csv) {
  uint32_t count;
  const path_row_t *rows = critical_path_rows(path_of(analysis), &count);
  uint64_t total = critical_path_summary(path_of(analysis))->total_ns;
  for (uint32_t i = 0; i < count; i++) {
    char share[24];
    snprintf(share, sizeof share, "%.4f", total ? (double)rows[i].ns / (double)total : 0);
    csv_text(csv, path_kinds[rows[i].kind]);
    csv_number(csv, rows[i].id);
    csv_text(csv, path_name(analysis, &rows[i]));
    csv_number(csv, rows[i].ns);
    csv_text(csv, share);
    csv_number(csv, rows[i].count);
    csv_row_end(csv);
  }
}
