// SPDX-License-Identifier: Apache-2.0
// LOCKS: who waited and for how long, how long they were held, and by whom meanwhile.
#include "analyzer/reading/memory.h"
#include "analyzer/reports/chart.h"
#include "analyzer/reports/names.h"
#include "analyzer/reports/quantity.h"
#include "analyzer/reports/ranking.h"
#include "analyzer/reports/sites.h"
#include "analyzer/reports/table.h"
#include "analyzer/reports/text.h"

#include <stdlib.h>
#include <string.h>

enum { BLAMED_LOCKS = 3, BLAMED_SITES = 3, BUCKETS_MAX = 4096 };

static void quantiles_put(table_t *table, const histogram_t *histogram) {
  static const double quantiles[] = {0.5, 0.95, 0.99};
  for (size_t i = 0; i < 3; i++)
    table_put(table, histogram->count
                         ? quantity_time(histogram_quantile(histogram, quantiles[i]), QUANTITY)
                         : "-");
  table_put(table, histogram->count ? quantity_time(histogram->max, QUANTITY) : "-");
}

static const lock_t *lock_at(const text_t *text, const ranking_t *ranking, size_t i) {
  return locks_get(models_locks(text->analysis->models), ranking->ids[i]);
}

static uint64_t acquisitions_error(const analysis_t *analysis, const lock_t *lock) {
  return estimate_error(locks_acquisitions_variance(models_locks(analysis->models), lock));
}

static void waits_table(const text_t *text, const ranking_t *ranking, size_t rows) {
  static const table_column_t columns[] = {{"lock", true, true},
                                           {"kind", true, false},
                                           {"acquired", false, false},
                                           {"contended", false, false, true},
                                           {"failed", false, false, true},
                                           {"costs", false, false, true},
                                           {"waited", false, false, true},
                                           {"p50", false, false, true},
                                           {"p95", false, false, true},
                                           {"p99", false, false, true},
                                           {"max", false, false, true},
                                           {"waiters", false, false, true},
                                           {"made or first used in", true, true, true}};
  table_t table;
  table_open(&table, columns, sizeof columns / sizeof *columns);
  for (size_t i = 0; i < rows; i++) {
    const lock_t *lock = lock_at(text, ranking, i);
    table_put(&table, names_lock(text->analysis->names, lock->id));
    table_put(&table, lock_kind_name(lock->bits));
    table_put(&table, quantity_count_about(lock->acquisitions,
                                           acquisitions_error(text->analysis, lock), QUANTITY));
    table_put(&table, quantity_count(lock->contended, QUANTITY));
    table_put(&table, quantity_count(lock->failed, QUANTITY));
    table_put(&table, lock_is_contention(lock) ? quantity_time(lock->blamed_ns, QUANTITY) : "-");
    table_put(&table, quantity_time(lock->wait_ns.total, QUANTITY));
    quantiles_put(&table, &lock->wait_ns);
    table_put(&table, quantity_count(lock->max_waiters, QUANTITY));
    table_put(&table, names_site(text->analysis->names,
                                 lock->init_stack ? lock->init_stack : lock->first_stack));
  }
  table_print(&table, text->page);
  table_close(&table);
}

static void held_by_put(const text_t *text, table_t *table, const lock_t *lock) {
  const lock_holder_t *holder = lock->owner.thread ? &lock->owner : lock->readers;
  uint64_t end = models_end_ns(text->analysis->models);
  char cell[200] = "";
  if (lock_is_held(lock))
    snprintf(cell, sizeof cell, "%s, for %s",
             names_thread_label(text->analysis->names, holder->thread),
             quantity_time(end > holder->since_ns ? end - holder->since_ns : 0, QUANTITY));
  table_put(table, cell);
}

// True where not all holds were timed: the quantiles are of a part of them.
static bool holds_are_estimated(const lock_t *lock) { return lock->holds > lock->hold_ns.count; }

static void holds_table(const text_t *text, const ranking_t *ranking, size_t rows) {
  static const table_column_t columns[] = {
      {"lock", true, true},   {"holds", false, false}, {"timed", false, false},
      {"held", false, false}, {"p50", false, false},   {"p95", false, false},
      {"p99", false, false},  {"max", false, false},   {"held at the end by", true, false, true}};
  table_t table;
  bool estimated = false;
  table_open(&table, columns, sizeof columns / sizeof *columns);
  for (size_t i = 0; i < rows; i++) {
    const lock_t *lock = lock_at(text, ranking, i);
    table_put(&table, names_lock(text->analysis->names, lock->id));
    table_put(&table, quantity_count(lock->holds, QUANTITY));
    table_put(&table, quantity_count(lock->hold_ns.count, QUANTITY));
    table_put(&table, lock->hold_ns.count ? quantity_time(lock->hold_ns.total, QUANTITY) : "-");
    quantiles_put(&table, &lock->hold_ns);
    held_by_put(text, &table, lock);
    estimated |= holds_are_estimated(lock);
  }
  fputs("\n  How long they were held\n", text->page->stream);
  table_print(&table, text->page);
  table_close(&table);
  if (estimated)
    page_print(text->page, PAGE_FAINT,
               "  (of holds that nobody waited for only some are timed: what is said of held is "
               "estimated from these)\n");
}

static const char *shown_name(const named_site_t *site, bool holders) {
  if (*site->name) return site->name;
  return holders ? "(hand-over, or a holder that was not seen)" : "(no stack)";
}

static void sites_print(const text_t *text, const char *title, const site_table_t *table,
                        bool holders) {
  named_sites_t sites = sites_named(text->analysis, table);
  if (sites.total_ns) fprintf(text->page->stream, "    %s\n", title);
  for (size_t i = 0; sites.total_ns && i < sites.count && i < BLAMED_SITES; i++) {
    const named_site_t *site = &sites.items[i];
    fprintf(text->page->stream, "      %6s  %8s  %s",
            quantity_share(site->total_ns, sites.total_ns, QUANTITY),
            quantity_time(site->total_ns, QUANTITY), shown_name(site, holders));
    if (site->through)
      fprintf(text->page->stream, ", which held %s, for which the holder waited",
              names_lock(text->analysis->names, site->through));
    fputc('\n', text->page->stream);
  }
  sites_free(&sites);
}

static void histogram_print(const text_t *text, const histogram_t *histogram) {
  static chart_bucket_t buckets[BUCKETS_MAX];
  size_t count = 0, position = 0;
  histogram_bucket_t bucket;
  while (count < BUCKETS_MAX && histogram_next(histogram, &position, &bucket))
    buckets[count++] = (chart_bucket_t){bucket.low, bucket.high, bucket.count};
  chart_histogram(text->page, "      ", buckets, count);
}

static void blame_print(const text_t *text, const ranking_t *ranking, size_t rows) {
  for (size_t i = 0; i < rows && i < BLAMED_LOCKS; i++) {
    const lock_t *lock = lock_at(text, ranking, i);
    if (!lock->wait_ns.total && !lock->blocks.count) continue;
    fprintf(text->page->stream, "\n  %s\n", names_lock_unique(text->analysis->names, lock->id));
    sites_print(text, "held while others waited, by", &lock->holders, true);
    sites_print(text, "waited for it", &lock->waiters, false);
    text_held_across(text, lock);
    if (i == 0) {
      text_lock_sites(text, lock);
      fputs("    how long its waits took\n", text->page->stream);
      histogram_print(text, &lock->wait_ns);
    }
  }
}

// What the waits were made of, and the signals without effect.
static void condition_put(const text_t *text, table_t *table, const condition_t *condition) {
  wakers_condition_t wakes =
      wakers_condition(models_wakers(text->analysis->models), condition->address);
  const site_table_t *signallers = &condition->signallers;
  table_put(table, quantity_time(condition->signal_ns.total, QUANTITY));
  table_put(table, quantity_time(histogram_quantile(&condition->signal_ns, 0.5), QUANTITY));
  table_put(table, quantity_time(histogram_quantile(&condition->signal_ns, 0.99), QUANTITY));
  table_put(table, quantity_time(condition->mutex_ns.total, QUANTITY));
  table_put(table, quantity_time(condition->latency_ns, QUANTITY));
  table_put(table, quantity_count(wakes.signals_without_effect, QUANTITY));
  table_put(table, quantity_count(wakes.waits_without_signal, QUANTITY));
  table_put(table,
            signallers->count ? names_site(text->analysis->names, signallers->items[0].stack) : "");
}

static void conditions_print(const text_t *text) {
  const locks_t *locks = models_locks(text->analysis->models);
  uint32_t count = locks_condition_count(locks);
  if (!count) return;
  static const table_column_t columns[] = {{"condition", true, true},
                                           {"waits", false, false},
                                           {"signals", false, false},
                                           {"broadcasts", false, false, true},
                                           {"timeouts", false, false, true},
                                           {"waited", false, false},
                                           {"for the signal", false, false, true},
                                           {"p50", false, false, true},
                                           {"p99", false, false, true},
                                           {"for the mutex", false, false, true},
                                           {"to go on", false, false, true},
                                           {"no effect", false, false, true},
                                           {"spurious", false, false, true},
                                           {"signalled most by", true, true, true}};
  table_t table;
  table_open(&table, columns, sizeof columns / sizeof *columns);
  ranking_t ranking = ranking_conditions(text->analysis, text->options->sort);
  for (size_t i = 0; i < text_rows(text, count); i++) {
    const condition_t *condition = locks_condition(locks, ranking.ids[i]);
    table_put(&table, names_address(text->analysis->names, "condition", condition->address));
    table_put(&table, quantity_count(condition->waits, QUANTITY));
    table_put(&table, quantity_count(condition->signals, QUANTITY));
    table_put(&table, quantity_count(condition->broadcasts, QUANTITY));
    table_put(&table, quantity_count(condition->timeouts, QUANTITY));
    table_put(&table, quantity_time(condition->wait_ns.total, QUANTITY));
    condition_put(text, &table, condition);
  }
  fputs("\n  Condition variables\n", text->page->stream);
  table_print(&table, text->page);
  table_close(&table);
  text_more(text, count);
  ranking_free(&ranking);
}

static void note_write(const text_t *text, const ranking_t *ranking, char *note, size_t size) {
  size_t contended = 0;
  bool joined = reader_part_count(text->analysis->reader) > 1;
  for (size_t i = 0; i < ranking->count; i++)
    contended += lock_at(text, ranking, i)->wait_ns.count > 0;
  snprintf(note, size, "%s lock%s%s, %s waited for", quantity_count(ranking->count, QUANTITY),
           quantity_plural(ranking->count), joined ? " that they share" : "",
           contended ? quantity_count(contended, QUANTITY) : "none");
}

// Conditions have a table of their own; as a lock one is nothing but the place where it was made.
static void leave_out_conditions(const text_t *text, ranking_t *ranking) {
  size_t kept = 0;
  for (size_t i = 0; i < ranking->count; i++) {
    const lock_t *lock = lock_at(text, ranking, i);
    if ((lock->bits & TRACE_LOCK_WHAT) != TRACE_LOCK_CONDITION || lock->acquisitions ||
        lock->wait_ns.count)
      ranking->ids[kept++] = ranking->ids[i];
  }
  ranking->count = kept;
}

void text_locks(const text_t *text) {
  ranking_t ranking = ranking_locks(text->analysis, text->options->sort);
  leave_out_conditions(text, &ranking);
  const char *absence = analysis_absence(text->analysis, TRACE_FAMILY_LOCK);
  char note[200];
  note_write(text, &ranking, note, sizeof note);
  if (!ranking.count && absence) snprintf(note, sizeof note, "none: %s", absence);
  page_heading(text->page, "LOCKS", note);
  size_t rows = text_rows(text, ranking.count);
  if (rows) {
    text_contention(text, lock_at(text, &ranking, 0));
    waits_table(text, &ranking, rows);
    text_more(text, ranking.count);
    blame_print(text, &ranking, rows);
    holds_table(text, &ranking, rows);
  }
  if (reader_part_count(text->analysis->reader) == 1) {
    conditions_print(text);
    text_critical_path(text);
  }
  ranking_free(&ranking);
}
