// SPDX-License-Identifier: Apache-2.0
// Rows in order: each gets two numbers and a name, and one comparison sorts them all.
#include "analyzer/reports/ranking.h"

#include "analyzer/reading/memory.h"
#include "analyzer/reports/names.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
  uint32_t id;
  uint64_t first, second;  // greater comes first
  const char *name;        // before the numbers, where not NULL
} row_t;

typedef struct {
  row_t *rows;
  size_t count, capacity;
} rows_t;

static int row_compare(const void *left, const void *right) {
  const row_t *a = left, *b = right;
  int names = a->name && b->name ? strcmp(a->name, b->name) : 0;
  if (names) return names;
  if (a->first != b->first) return a->first > b->first ? -1 : 1;
  if (a->second != b->second) return a->second > b->second ? -1 : 1;
  return a->id < b->id ? -1 : a->id > b->id;
}

static row_t *row_add(rows_t *rows, uint32_t id) {
  rows->rows = memory_grow(rows->rows, &rows->capacity, rows->count + 1, sizeof *rows->rows);
  rows->rows[rows->count] = (row_t){.id = id};
  return &rows->rows[rows->count++];
}

static ranking_t rows_rank(rows_t *rows) {
  ranking_t ranking = {memory_new(rows->count + 1, sizeof *ranking.ids), rows->count};
  if (rows->count) qsort(rows->rows, rows->count, sizeof *rows->rows, row_compare);
  for (size_t i = 0; i < rows->count; i++) ranking.ids[i] = rows->rows[i].id;
  free(rows->rows);
  return ranking;
}

void ranking_free(ranking_t *ranking) {
  free(ranking->ids);
  *ranking = (ranking_t){0};
}

// `first` by id: greater comes first, so it is turned around.
static uint64_t id_key(uint32_t id) { return UINT32_MAX - id; }

static void lock_key(const analysis_t *analysis, const lock_t *lock, options_sort_t sort,
                     row_t *row) {
  row->first = lock_is_contention(lock) ? lock->blamed_ns : 0;
  row->second = lock->acquisitions;
  switch (sort) {
  case OPTIONS_SORT_WAIT:
    row->first = lock->wait_ns.total;
    break;
  case OPTIONS_SORT_HOLD:
    row->first = lock->hold_ns.total;
    break;
  case OPTIONS_SORT_ACQUISITIONS:
    row->first = lock->acquisitions;
    break;
  case OPTIONS_SORT_CONTENDED:
    row->first = lock->contended;
    break;
  case OPTIONS_SORT_NAME:
    row->name = names_lock(analysis->names, lock->id);
    break;
  case OPTIONS_SORT_ID:
    row->first = id_key(lock->id);
    break;
  default:
    break;
  }
}

ranking_t ranking_locks(const analysis_t *analysis, options_sort_t sort) {
  const locks_t *locks = models_locks(analysis->models);
  bool joined = reader_part_count(analysis->reader) > 1;
  rows_t rows = {0};
  for (uint32_t id = 1; id < locks_limit(locks); id++) {
    const lock_t *lock = locks_get(locks, id);
    if (lock && (!joined || lock->shared_by_processes))
      lock_key(analysis, lock, sort, row_add(&rows, id));
  }
  return rows_rank(&rows);
}

static void thread_key(const analysis_t *analysis, const thread_account_t *thread,
                       options_sort_t sort, row_t *row) {
  const uint64_t *time = thread->time_ns;
  bool stuck =
      !thread->ended && (thread->state == THREAD_STATE_LOCK || thread->state == THREAD_STATE_JOIN);
  row->first = stuck ? UINT64_MAX : time[THREAD_STATE_LOCK];
  row->second = time[stuck ? THREAD_STATE_LOCK : THREAD_STATE_RUNNING];
  switch (sort) {
  case OPTIONS_SORT_WAIT:
    row->first = time[THREAD_STATE_LOCK];
    break;
  case OPTIONS_SORT_RUNNING:
    row->first = time[THREAD_STATE_RUNNING];
    break;
  case OPTIONS_SORT_NAME:
    row->name = names_thread(analysis->names, row->id);
    break;
  case OPTIONS_SORT_ID:
    row->first = id_key(row->id);
    break;
  default:
    break;
  }
}

ranking_t ranking_threads(const analysis_t *analysis, options_sort_t sort) {
  const threads_t *threads = models_threads(analysis->models);
  rows_t rows = {0};
  for (uint32_t id = 1; id < threads_limit(threads); id++)
    if (threads_get(threads, id)->seen)
      thread_key(analysis, threads_get(threads, id), sort, row_add(&rows, id));
  return rows_rank(&rows);
}

static void site_key(const analysis_t *analysis, const heap_site_t *site, options_sort_t sort,
                     row_t *row) {
  row->first = site->live_bytes;
  row->second = site->bytes;
  switch (sort) {
  case OPTIONS_SORT_PEAK:
    row->first = site->peak_bytes;
    break;
  case OPTIONS_SORT_BYTES:
    row->first = site->bytes;
    break;
  case OPTIONS_SORT_ALLOCATIONS:
    row->first = site->allocations;
    break;
  case OPTIONS_SORT_TEMPORARY:
    row->first = site->temporary;
    break;
  case OPTIONS_SORT_NAME:
    row->name = names_site(analysis->names, site->stack);
    break;
  case OPTIONS_SORT_ID:
    row->first = id_key(row->id);
    break;
  default:
    break;
  }
}

ranking_t ranking_sites(const analysis_t *analysis, options_sort_t sort) {
  const heap_t *heap = models_heap(analysis->models);
  rows_t rows = {0};
  for (uint32_t stack = 0; stack < heap_site_limit(heap); stack++) {
    const heap_site_t *site = heap_site(heap, stack);
    if (site && site->allocations) site_key(analysis, site, sort, row_add(&rows, stack));
  }
  return rows_rank(&rows);
}

ranking_t ranking_tasks(const analysis_t *analysis, options_sort_t sort) {
  const tasks_t *tasks = models_tasks(analysis->models);
  rows_t rows = {0};
  for (uint32_t i = 0; i < tasks_count(tasks); i++) {
    const task_t *task = tasks_get(tasks, i);
    row_t *row = row_add(&rows, i);
    row->first = sort == OPTIONS_SORT_ID        ? id_key(i)
                 : sort == OPTIONS_SORT_RUNNING ? task->running_ns
                                                : task->max_poll_ns;
    row->second = task->running_ns;
  }
  return rows_rank(&rows);
}

ranking_t ranking_loops(const analysis_t *analysis, options_sort_t sort) {
  const loops_t *loops = models_loops(analysis->models);
  rows_t rows = {0};
  for (uint32_t i = 0; i < loops_count(loops); i++) {
    const loop_t *loop = loops_get(loops, i);
    row_t *row = row_add(&rows, i);
    row->first = sort == OPTIONS_SORT_ID        ? id_key(i)
                 : sort == OPTIONS_SORT_RUNNING ? loop->busy_ns
                                                : loop->stall_total_ns;
    row->second = loop->events;
  }
  return rows_rank(&rows);
}

ranking_t ranking_conditions(const analysis_t *analysis, options_sort_t sort) {
  const locks_t *locks = models_locks(analysis->models);
  rows_t rows = {0};
  for (uint32_t i = 0; i < locks_condition_count(locks); i++) {
    row_t *row = row_add(&rows, i);
    row->first = sort == OPTIONS_SORT_ID ? id_key(i) : locks_condition(locks, i)->wait_ns.total;
    row->second = locks_condition(locks, i)->waits;
  }
  return rows_rank(&rows);
}
