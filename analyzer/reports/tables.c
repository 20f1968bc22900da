// SPDX-License-Identifier: Apache-2.0
// CSV tables: a row here for each file, a function for its rows.
#include "analyzer/reports/tables.h"

#include "analyzer/findings/balance.h"
#include "analyzer/reports/names.h"
#include "analyzer/reports/ranking.h"
#include "analyzer/reports/tables_locks.h"
#include "analyzer/reports/taskview.h"
#include "analyzer/reports/verdict.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void csv_address(csv_t *csv, uint64_t address) {
  char text[24];
  snprintf(text, sizeof text, "0x%" PRIx64, address);
  csv_text(csv, text);
}

static void csv_quantiles(csv_t *csv, const histogram_t *histogram) {
  csv_number(csv, histogram_quantile(histogram, 0.5));
  csv_number(csv, histogram_quantile(histogram, 0.95));
  csv_number(csv, histogram_quantile(histogram, 0.99));
  csv_number(csv, histogram->max);
}

static void csv_histogram(csv_t *csv, const histogram_t *histogram) {
  csv_number(csv, histogram->total);
  csv_quantiles(csv, histogram);
}

// Nothing where the number is 0.
static void csv_number_or_none(csv_t *csv, uint64_t number) {
  if (number)
    csv_number(csv, number);
  else
    csv_text(csv, NULL);
}

static void tasks_rows(const analysis_t *analysis, csv_t *csv) {
  taskview_t view;
  for (uint64_t position = 0; taskview_next(analysis, &position, &view);) {
    csv_number(csv, view.id);
    csv_text(csv, view.name);
    csv_text(csv, view.state);
    csv_milliseconds(csv, view.created_ns);
    csv_milliseconds(csv, view.ended_ns - view.created_ns);
    csv_number(csv, view.polls);
    csv_milliseconds(csv, view.running_ns);
    csv_number_or_none(csv, view.parent);
    csv_text(csv, view.kind);
    csv_number(csv, view.scheduled_ns);
    csv_number(csv, view.idle_ns);
    csv_number(csv, view.blocked_ns);
    csv_number(csv, view.max_poll_ns);
    csv_text(csv, view.site);
    csv_text(csv, view.what);
    csv_number_or_none(csv, view.descriptor ? view.descriptor->bytes_in : 0);
    csv_number_or_none(csv, view.descriptor ? view.descriptor->bytes_out : 0);
    csv_number_or_none(csv, view.descriptor ? view.descriptor->responses : 0);
    csv_number_or_none(csv, view.descriptor ? view.descriptor->response_max_ns : 0);
    csv_number(csv,
               view.descriptor ? tasks_weight(models_tasks(analysis->models), view.descriptor) : 1);
    csv_row_end(csv);
  }
}

static void thread_row(const analysis_t *analysis, uint32_t index, csv_t *csv) {
  const thread_account_t *account = threads_get(models_threads(analysis->models), index);
  const reader_thread_t *thread =
      index < reader_thread_count(analysis->reader) ? reader_thread(analysis->reader, index) : NULL;
  csv_number(csv, index);
  csv_number_or_none(csv, thread ? thread->tid : 0);
  csv_text(csv, names_thread(analysis->names, index));
  csv_number_or_none(csv, thread ? thread->creator : 0);
  csv_text(csv, thread ? names_site(analysis->names, thread->create_stack) : NULL);
  csv_number(csv, account->started_ns);
  csv_number(csv, account->ended_ns);
  csv_text(csv, account->ended ? "ended" : taskview_state_key(account->state));
  csv_number(csv, account->pending.what ? account->pending.since_ns : account->last_event_ns);
  csv_number_or_none(csv, account->joined_by);
  for (int state = 0; state < THREAD_STATE_COUNT; state++) csv_number(csv, account->time_ns[state]);
  csv_number(csv, account->waits[THREAD_STATE_LOCK]);
  csv_number(csv, account->longest_ns[THREAD_STATE_LOCK]);
  csv_number(csv, account->events);
  csv_number(csv, account->lost);
  csv_number_or_none(csv, account->ran_ns);
  csv_number_or_none(csv, account->scheduled_ns ? account->runnable_ns : 0);
  csv_row_end(csv);
}

static void threads_rows(const analysis_t *analysis, csv_t *csv) {
  const threads_t *threads = models_threads(analysis->models);
  for (uint32_t index = 1; index < threads_limit(threads); index++)
    if (threads_get(threads, index)->seen) thread_row(analysis, index, csv);
}

static void locks_rows(const analysis_t *analysis, csv_t *csv) {
  const locks_t *locks = models_locks(analysis->models);
  for (uint32_t id = 1; id < locks_limit(locks); id++) {
    const lock_t *lock = locks_get(locks, id);
    if (!lock) continue;
    csv_number(csv, id);
    csv_text(csv, lock_kind_name(lock->bits));
    csv_text(csv, names_lock(analysis->names, id));
    csv_address(csv, lock->address);
    csv_number(csv, lock->acquisitions);
    csv_number(csv, lock->contended);
    csv_histogram(csv, &lock->wait_ns);
    csv_histogram(csv, &lock->hold_ns);
    csv_text(csv,
             names_site(analysis->names, lock->init_stack ? lock->init_stack : lock->first_stack));
    tables_contention(analysis, lock, csv);
    csv_number(csv, estimate_error(locks_acquisitions_variance(locks, lock)));
    csv_row_end(csv);
  }
}

static void edges_rows(const analysis_t *analysis, csv_t *csv) {
  size_t count;
  lock_edge_t *edges = dependencies_edges(models_dependencies(analysis->models), &count);
  for (size_t i = 0; i < count; i++) {
    csv_number(csv, edges[i].from);
    csv_number(csv, edges[i].to);
    csv_text(csv, names_lock(analysis->names, edges[i].from));
    csv_text(csv, names_lock(analysis->names, edges[i].to));
    csv_number(csv, edges[i].count);
    csv_number(csv, edges[i].threads);
    csv_text(csv, names_site(analysis->names, edges[i].from_stack));
    csv_text(csv, names_site(analysis->names, edges[i].to_stack));
    csv_row_end(csv);
  }
  free(edges);
}

typedef void sentence_t(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock);

static void csv_sentence(csv_t *csv, sentence_t *sentence, const analysis_t *analysis,
                         const deadlock_t *deadlock) {
  char *text = NULL;
  size_t length;
  FILE *stream = open_memstream(&text, &length);
  if (stream) sentence(stream, analysis, deadlock);
  if (stream) fclose(stream);
  csv_text(csv, text);
  free(text);
}

static void deadlock_row(const analysis_t *analysis, const deadlock_t *deadlock, csv_t *csv) {
  csv_number(csv, deadlock->id);
  csv_text(csv, deadlock_verdict_name(deadlock->verdict));
  csv_text(csv, deadlock_kind_name(deadlock->kind));
  csv_sentence(csv, verdict_cycle, analysis, deadlock);
  csv_sentence(csv, verdict_threads, analysis, deadlock);
  csv_text(csv, deadlock_reason_text(deadlock->reason));
  csv_row_end(csv);
}

static void all_deadlocks_rows(const analysis_t *analysis, csv_t *csv) {
  for (size_t i = 0; i < analysis->deadlocks->count; i++)
    deadlock_row(analysis, &analysis->deadlocks->items[i], csv);
}

static void deadlocks_rows(const analysis_t *analysis, csv_t *csv) {
  for (size_t i = 0; i < analysis->deadlocks->count; i++)
    if (analysis->deadlocks->items[i].verdict != DEADLOCK_BENIGN)
      deadlock_row(analysis, &analysis->deadlocks->items[i], csv);
}

static void fraction_put(csv_t *csv, double fraction) {
  char text[24];
  snprintf(text, sizeof text, "%.4f", fraction);
  csv_text(csv, text);
}

// Nothing where no other loop was made in its place.
static void balance_put(csv_t *csv, balance_t balance) {
  const double figures[] = {balance.events_share, balance.busy_share, balance.ratio};
  csv_number_or_none(csv, balance.loops);
  for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
    if (balance.loops)
      fraction_put(csv, figures[i]);
    else
      csv_text(csv, NULL);
}

static void loops_rows(const analysis_t *analysis, csv_t *csv) {
  const loops_t *loops = models_loops(analysis->models);
  balances_t *balances = balances_open(loops);
  for (uint32_t i = 0; i < loops_count(loops); i++) {
    const loop_t *loop = loops_get(loops, i);
    char *threads = NULL;
    size_t length;
    FILE *stream = open_memstream(&threads, &length);
    for (uint32_t j = 0; stream && j < loop->thread_count; j++)
      fprintf(stream, "%s%s", j ? ", " : "", names_thread_label(analysis->names, loop->threads[j]));
    if (stream) fclose(stream);
    csv_number(csv, loop->id);
    csv_text(csv, threads);
    csv_number(csv, loop->turns);
    csv_number(csv, loop->events);
    csv_number(csv, loop->busy_ns);
    csv_number(csv, loop->idle_ns);
    csv_quantiles(csv, &loop->lag_ns);
    csv_number(csv, loop->stall_count);
    if (loops_rate(loops) < 1 && !loop->poll)
      csv_number(csv, loop->drawn);
    else
      csv_text(csv, NULL);
    balance_put(csv, balances_get(balances, i));
    csv_row_end(csv);
    free(threads);
  }
  balances_close(balances);
}

static void pools_rows(const analysis_t *analysis, csv_t *csv) {
  const pools_t *pools = loops_pools(models_loops(analysis->models));
  for (uint32_t i = 0; i < pools_count(pools); i++) {
    const pool_t *pool = pools_get(pools, i);
    csv_number(csv, pool->id);
    csv_number(csv, pool->thread_count);
    csv_text(csv, names_pool_object(analysis->names, pool));
    csv_number(csv, pool->jobs);
    csv_quantiles(csv, &pool->queue_ns);
    csv_quantiles(csv, &pool->job_ns);
    fraction_put(csv, pool->utilization);
    csv_number(csv, pool->stuck_count);
    csv_text(csv, pool_advice_name(pool->advice));
    csv_number(csv, pool->given);
    csv_number(csv, pool_unseen(pool));
    csv_row_end(csv);
  }
}

static void wakers_rows(const analysis_t *analysis, csv_t *csv) {
  const wakers_t *wakers = models_wakers(analysis->models);
  for (uint32_t i = 0; i < wakers_count(wakers); i++) {
    const waker_row_t *row = wakers_row(wakers, i);
    csv_number(csv, row->woken);
    csv_text(csv, names_thread(analysis->names, row->woken));
    csv_number(csv, row->waker);
    csv_text(csv, names_thread(analysis->names, row->waker));
    csv_text(csv, wake_how_name(row->how));
    csv_number(csv, row->count);
    csv_number(csv, row->waited_ns);
    csv_number(csv, row->latency_ns);
    csv_number(csv, row->latency_max_ns);
    csv_text(csv, names_site(analysis->names, row->stack));
    csv_row_end(csv);
  }
}

static void allocations_rows(const analysis_t *analysis, csv_t *csv) {
  const heap_t *heap = models_heap(analysis->models);
  ranking_t ranking = ranking_sites(analysis, OPTIONS_SORT_DEFAULT);
  for (size_t i = 0; i < ranking.count; i++) {
    const heap_site_t *site = heap_site(heap, ranking.ids[i]);
    const symbols_frame_t *frame = names_frame(analysis->names, site->stack);
    csv_number(csv, site->stack);
    csv_text(csv, frame
                      ? frame->function ? frame->function : names_frame_text(analysis->names, frame)
                      : NULL);
    csv_text(csv, frame ? frame->file : NULL);
    csv_number_or_none(csv, frame && frame->file ? frame->line : 0);
    csv_number(csv, site->allocations);
    csv_number(csv, site->bytes);
    csv_number(csv, site->live_blocks);
    csv_number(csv, site->live_bytes);
    csv_number(csv, site->peak_bytes);
    if (site->ever.members)
      csv_text(csv, NULL);  // not known of a sample
    else
      csv_number(csv, site->temporary);
    csv_text(csv, names_folded(analysis->names, site->stack));
    csv_number(csv, estimate_error(site->ever.blocks_variance));
    csv_number(csv, estimate_error(site->ever.bytes_variance));
    csv_number(csv, estimate_error(site->live.blocks_variance));
    csv_number(csv, estimate_error(site->live.bytes_variance));
    csv_number(csv, estimate_error(site->peak_variance));
    csv_row_end(csv);
  }
  ranking_free(&ranking);
}

static void histogram_rows(csv_t *csv, const char *metric, uint64_t id, const char *name,
                           const histogram_t *histogram) {
  histogram_bucket_t bucket;
  for (size_t position = 0; histogram_next(histogram, &position, &bucket);) {
    csv_text(csv, metric);
    csv_number(csv, id);
    csv_text(csv, name);
    csv_number(csv, bucket.low);
    csv_number(csv, bucket.high);
    csv_number(csv, bucket.count);
    csv_row_end(csv);
  }
}

static void histograms_rows(const analysis_t *analysis, csv_t *csv) {
  const locks_t *locks = models_locks(analysis->models);
  const loops_t *loops = models_loops(analysis->models);
  for (uint32_t id = 1; id < locks_limit(locks); id++) {
    const lock_t *lock = locks_get(locks, id);
    if (!lock) continue;
    histogram_rows(csv, "lock_wait", id, names_lock(analysis->names, id), &lock->wait_ns);
    histogram_rows(csv, "lock_hold", id, names_lock(analysis->names, id), &lock->hold_ns);
  }
  for (uint32_t i = 0; i < locks_condition_count(locks); i++) {
    const condition_t *condition = locks_condition(locks, i);
    histogram_rows(csv, "condition_wait", i + 1,
                   names_address(analysis->names, "condition", condition->address),
                   &condition->wait_ns);
    histogram_rows(csv, "condition_signal_wait", i + 1,
                   names_address(analysis->names, "condition", condition->address),
                   &condition->signal_ns);
    histogram_rows(csv, "condition_mutex_wait", i + 1,
                   names_address(analysis->names, "condition", condition->address),
                   &condition->mutex_ns);
  }
  for (uint32_t i = 0; i < loops_count(loops); i++) {
    const loop_t *loop = loops_get(loops, i);
    const char *name = names_loop(analysis->names, loop);
    histogram_rows(csv, "loop_turn", loop->id, name, &loop->turn_ns);
    histogram_rows(csv, "loop_lag", loop->id, name, &loop->lag_ns);
    histogram_rows(csv, "wake_up", loop->id, name, &loop->wake_up_ns);
    histogram_rows(csv, "response", loop->id, name, &loop->response_ns);
  }
  const pools_t *pools = loops_pools(loops);
  for (uint32_t i = 0; i < pools_count(pools); i++) {
    const pool_t *pool = pools_get(pools, i);
    histogram_rows(csv, "pool_queue", pool->id, names_pool_object(analysis->names, pool),
                   &pool->queue_ns);
    histogram_rows(csv, "pool_job", pool->id, names_pool_object(analysis->names, pool),
                   &pool->job_ns);
  }
}

static void warnings_rows(const analysis_t *analysis, csv_t *csv) {
  analysis_warning_t warning;
  for (size_t i = 0; analysis_warning(analysis, i, &warning); i++) {
    csv_number(csv, warning.id);
    csv_text(csv, warning_severity_name(warning.severity));
    csv_text(csv, warning.text);
    csv_text(csv, warning.where);
    csv_text(csv, warning.lint.confidence);
    csv_number_or_none(csv, warning.lint.threshold);
    csv_text(csv, !warning.lint.confidence ? NULL : warning.lint.is_time ? "ns" : "count");
    csv_row_end(csv);
  }
}

typedef void rows_t(const analysis_t *analysis, csv_t *csv);

// `rows` is NULL for a table that has none; `all_rows` writes what --all adds, too.
static const struct {
  const char *file, *header;
  rows_t *rows, *all_rows;
} table_list[] = {
    {"tasks.csv",
     "id,name,state,created_at_ms,duration_ms,poll_count,run_time_ms,parent_id,kind,scheduled_ns,"
     "idle_ns,blocked_ns,max_poll_ns,site,what,bytes_in,bytes_out,responses,response_max_ns,stands_"
     "for",
     tasks_rows, tasks_rows},
    {"threads.csv",
     "id,tid,name,creator_id,created_in,started_ns,ended_ns,state,since_ns,joined_by_id,running_ns,"
     "lock_ns,condition_ns,epoll_ns,join_ns,read_ns,write_ns,accept_ns,barrier_ns,sleep_ns,"
     "poll_ns,futex_ns,connect_ns,sync_ns,resolve_ns,"
     "lock_waits,longest_lock_wait_ns,events,events_lost,ran_ns,runnable_ns",
     threads_rows, threads_rows},
    {"locks.csv",
     "id,kind,name,address,acquisitions,contended," TABLES_LOCK_TIMES(wait) "," TABLES_LOCK_TIMES(
         hold) ",site," TABLES_CONTENTION_COLUMNS ",acquisitions_error",
     locks_rows, locks_rows},
    {"lock_sites.csv", TABLES_LOCK_SITES_COLUMNS, tables_lock_sites, tables_lock_sites},
    {"critical_path.csv", TABLES_CRITICAL_PATH_COLUMNS, tables_critical_path, tables_critical_path},
    {"lock_edges.csv", "from_id,to_id,from_name,to_name,count,threads,from_site,to_site",
     edges_rows, edges_rows},
    {"deadlocks.csv", "id,verdict,kind,cycle,threads,reason", deadlocks_rows, all_deadlocks_rows},
    {"loops.csv",
     "id,threads,turns,events,busy_ns,idle_ns,lag_p50_ns,lag_p95_ns,lag_p99_ns,lag_max_ns,stalls,"
     "turns_drawn,balance_loops,events_share,busy_share,balance_ratio",
     loops_rows, loops_rows},
    {"pools.csv",
     "id,threads,waits_on,jobs,queue_p50_ns,queue_p95_ns,queue_p99_ns,queue_max_ns,job_p50_ns,"
     "job_p95_ns,job_p99_ns,job_max_ns,utilization,stuck,advice,submitted,unseen",
     pools_rows, pools_rows},
    {"wakers.csv",
     "woken_id,woken,waker_id,waker,how,count,waited_ns,latency_ns,latency_max_ns,site",
     wakers_rows, wakers_rows},
    {"allocations.csv",
     "site_id,function,file,line,allocations,bytes,live_blocks,live_bytes,peak_bytes,temporary,"
     "stack,allocations_error,bytes_error,live_blocks_error,live_bytes_error,peak_bytes_error",
     allocations_rows, allocations_rows},
    {"histograms.csv", "metric,object_id,object,low_ns,high_ns,count", histograms_rows,
     histograms_rows},
    {"warnings.csv", "id,severity,text,where,confidence,threshold,threshold_unit", warnings_rows,
     warnings_rows},
};
_Static_assert(THREAD_STATE_COUNT == 15, "threads.csv has a column for each state");

bool tables_end(csv_t *csv, char *error, size_t size) {
  int code = csv_close(csv);
  if (code) snprintf(error, size, "%s: %s", csv->path ? csv->path : "CSV", strerror(code));
  csv_free(csv);
  return code == 0;
}

bool tables_write(const analysis_t *analysis, const char *folder, bool all, char *error,
                  size_t size) {
  for (size_t i = 0; i < sizeof table_list / sizeof *table_list; i++) {
    csv_t csv;
    rows_t *rows = all ? table_list[i].all_rows : table_list[i].rows;
    if (csv_open(&csv, folder, table_list[i].file, table_list[i].header) && rows)
      rows(analysis, &csv);
    if (!tables_end(&csv, error, size)) return false;
  }
  return true;
}
