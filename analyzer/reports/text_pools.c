// SPDX-License-Identifier: Apache-2.0
// POOLS: threads that fetch jobs from one queue.
#include "analyzer/reports/names.h"
#include "analyzer/reports/quantity.h"
#include "analyzer/reports/table.h"
#include "analyzer/reports/text.h"

static const pool_t *pool_at(const text_t *text, size_t i) {
  return pools_get(loops_pools(models_loops(text->analysis->models)), (uint32_t)i);
}

static void times_put(table_t *table, const histogram_t *histogram) {
  bool some = histogram->count > 0;
  table_put(table, some ? quantity_time(histogram_quantile(histogram, 0.5), QUANTITY) : "-");
  table_put(table, some ? quantity_time(histogram_quantile(histogram, 0.95), QUANTITY) : "-");
  table_put(table, some ? quantity_time(histogram->max, QUANTITY) : "-");
}

static void pool_put(const text_t *text, table_t *table, const pool_t *pool) {
  char share[16], backlog[40], waiting[40];
  snprintf(share, sizeof share, "%.0f %%", pool->utilization * 100);
  snprintf(backlog, sizeof backlog, "%.1f", pool->backlog);
  snprintf(waiting, sizeof waiting, "%.1f", pool->waiting);
  table_put(table, names_thread(text->analysis->names, pool->threads[0]));
  table_put(table, quantity_count(pool->thread_count, QUANTITY));
  table_put(table, quantity_count(pool->jobs, QUANTITY));
  times_put(table, &pool->queue_ns);
  times_put(table, &pool->job_ns);
  table_put(table, share);
  table_put(table, quantity_count(pool->max_busy, QUANTITY));
  table_put(table, waiting);
  table_put(table, backlog);
  table_put(table, names_pool_object(text->analysis->names, pool));
}

static void advice_print(const text_t *text, const pool_t *pool) {
  FILE *stream = text->page->stream;
  if (!pool->advice) return;
  fprintf(stream, "  %s: %s: ", names_thread(text->analysis->names, pool->threads[0]),
          pool_advice_name(pool->advice));
  if (pool->advice == POOL_ADVICE_TOO_SMALL)
    fprintf(stream, "%s threads worked %.0f %% of the time, and jobs waited %s (p50) to run %s\n",
            quantity_count(pool->thread_count, QUANTITY), pool->utilization * 100,
            quantity_time(histogram_quantile(&pool->queue_ns, 0.5), QUANTITY),
            quantity_time(histogram_quantile(&pool->job_ns, 0.5), QUANTITY));
  else if (pool->advice == POOL_ADVICE_TOO_LARGE)
    fprintf(stream, "of %s threads never more than %s worked at once\n",
            quantity_count(pool->thread_count, QUANTITY), quantity_count(pool->max_busy, QUANTITY));
  else
    fprintf(stream, "of the time in jobs %s was spent waiting for locks\n",
            quantity_share(pool->locked_ns, pool->job_ns.total, QUANTITY));
}

static void stuck_print(const text_t *text, const pool_t *pool) {
  const threads_t *threads = models_threads(text->analysis->models);
  uint64_t end = models_end_ns(text->analysis->models);
  for (uint32_t i = 0; i < pool->stuck_count; i++) {
    const thread_account_t *thread = threads_get(threads, pool->stuck[i].thread);
    fputs("  ", text->page->stream);
    page_print(text->page, PAGE_BAD, "stuck");
    fprintf(text->page->stream, ": %s is in one job since %s, %s\n",
            names_thread_label(text->analysis->names, pool->stuck[i].thread),
            quantity_time(end - pool->stuck[i].since_ns, QUANTITY),
            thread_state_text(thread->state));
    if (thread->pending.stack) text_stack(text, "    ", thread->pending.stack, TEXT_FRAMES);
  }
}

// Jobs that waited, at most, in each part of the run: a blank for none, + for ten and more.
static void backlog_print(const text_t *text, const pool_t *pool) {
  const timeline_t *timeline = &pool->backlog_over_time;
  char line[TIMELINE_PARTS + 1] = "";
  size_t count = TIMELINE_PARTS;
  while (count && !timeline->parts[count - 1]) --count;
  if (pool->max_backlog < 2 || !count) return;
  for (size_t i = 0; i < count; i++)
    line[i] = !timeline->parts[i]      ? ' '
              : timeline->parts[i] > 9 ? '+'
                                       : (char)('0' + timeline->parts[i]);
  fprintf(text->page->stream, "  %s: backlog, a column each %s: [%s]\n",
          names_thread(text->analysis->names, pool->threads[0]),
          quantity_time(timeline->width_ns, QUANTITY), line);
}

// Where the figures of the table are not of all jobs.
static void gaps_print(const text_t *text, const pool_t *pool) {
  FILE *stream = text->page->stream;
  const char *name = names_thread(text->analysis->names, pool->threads[0]);
  if (pool_unseen(pool))
    fprintf(
        stream,
        "  %s: of %s of its %s jobs nobody was seen to hand them over: queued is of the others\n",
        name, quantity_count(pool_unseen(pool), QUANTITY), quantity_count(pool->jobs, QUANTITY));
  if (pool->early_cut)
    fprintf(stream,
            "  %s: of the jobs before any of its threads waited only the first %s are counted\n",
            name, quantity_count(POOL_SIGNALS_MAX, QUANTITY));
}

void text_pools(const text_t *text) {
  static const table_column_t columns[] = {
      {"pool", true, true},         {"threads", false, false},      {"jobs", false, false},
      {"queued p50", false, false}, {"p95", false, false},          {"max", false, false},
      {"job p50", false, false},    {"p95", false, false},          {"max", false, false},
      {"worked", false, false},     {"most at once", false, false}, {"waiting", false, false},
      {"backlog", false, false},    {"waits on", true, true}};
  size_t count = pools_count(loops_pools(models_loops(text->analysis->models)));
  size_t rows = text_rows(text, count);
  if (!count) return;
  page_heading(text->page, "POOLS",
               "queued is from the signal to the start of the job; waiting workers and "
               "backlog are means");
  table_t table;
  table_open(&table, columns, sizeof columns / sizeof *columns);
  for (size_t i = 0; i < rows; i++) pool_put(text, &table, pool_at(text, i));
  table_print(&table, text->page);
  table_close(&table);
  text_more(text, count);
  for (size_t i = 0; i < rows; i++) {
    gaps_print(text, pool_at(text, i));
    backlog_print(text, pool_at(text, i));
    advice_print(text, pool_at(text, i));
    stuck_print(text, pool_at(text, i));
  }
}
