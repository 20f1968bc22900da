// SPDX-License-Identifier: Apache-2.0
// LOOPS: turns, load, lag and stalls of each epoll instance; TASKS: its descriptors.
#include "analyzer/findings/balance.h"
#include "analyzer/findings/scheduling.h"
#include "analyzer/reports/names.h"
#include "analyzer/reports/quantity.h"
#include "analyzer/reports/ranking.h"
#include "analyzer/reports/table.h"
#include "analyzer/reports/taskview.h"
#include "analyzer/reports/text.h"

#include <stdlib.h>

enum { STALL_FRAMES = 5 };

static const loop_t *loop_at(const text_t *text, const ranking_t *ranking, size_t i) {
  return loops_get(models_loops(text->analysis->models), ranking->ids[i]);
}

static void loop_threads_put(const text_t *text, table_t *table, const loop_t *loop) {
  char cell[200];
  const char *first =
      loop->thread_count ? names_thread_label(text->analysis->names, loop->threads[0]) : "-";
  if (loop->thread_count > 1)
    snprintf(cell, sizeof cell, "%s and %u more", first, loop->thread_count - 1);
  else
    snprintf(cell, sizeof cell, "%s", first);
  table_put(table, cell);
}

static void lags_put(table_t *table, const loop_t *loop) {
  static const double quantiles[] = {0.5, 0.95, 0.99};
  for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++)
    table_put(table, loop->lag_ns.count
                         ? quantity_time(histogram_quantile(&loop->lag_ns, quantiles[i]), QUANTITY)
                         : "-");
  table_put(table, loop->lag_ns.count ? quantity_time(loop->lag_ns.max, QUANTITY) : "-");
}

// "-" where no wait that returned something was recorded.
static void batches_put(table_t *table, const loop_t *loop) {
  const uint64_t sizes[] = {histogram_quantile(&loop->batch, 0.5),
                            histogram_quantile(&loop->batch, 0.95), loop->batch.max};
  bool any = loop->batch.count || !loop->events;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    table_put(table, any ? quantity_count(sizes[i], QUANTITY) : "-");
}

static void loops_table(const text_t *text, const ranking_t *ranking, size_t rows) {
  static const table_column_t columns[] = {
      {"loop", true, false},     {"thread", true, true},      {"turns", false, false},
      {"events", false, false},  {"batch p50", false, false}, {"p95", false, false},
      {"max", false, false},     {"busy", false, false},      {"idle", false, false},
      {"lag p50", false, false}, {"p95", false, false},       {"p99", false, false},
      {"max", false, false},     {"stalls", false, false}};
  table_t table;
  char cell[40];
  table_open(&table, columns, sizeof columns / sizeof *columns);
  for (size_t i = 0; i < rows; i++) {
    const loop_t *loop = loop_at(text, ranking, i);
    snprintf(cell, sizeof cell, "%u (%s)", loop->id, names_loop(text->analysis->names, loop));
    table_put(&table, cell);
    loop_threads_put(text, &table, loop);
    table_put(&table, quantity_count(loop->turns, QUANTITY));
    table_put(&table, quantity_count(loop->events, QUANTITY));
    batches_put(&table, loop);
    table_put(&table, quantity_share(loop->busy_ns, loop->busy_ns + loop->idle_ns, QUANTITY));
    table_put(&table, quantity_share(loop->idle_ns, loop->busy_ns + loop->idle_ns, QUANTITY));
    lags_put(&table, loop);
    table_put(&table, quantity_count(loop->stall_count, QUANTITY));
  }
  table_print(&table, text->page);
  table_close(&table);
}

static int stall_compare(const void *left, const void *right) {
  const loop_stall_t *a = *(const loop_stall_t *const *)left;
  const loop_stall_t *b = *(const loop_stall_t *const *)right;
  if (a->duration_ns != b->duration_ns) return a->duration_ns > b->duration_ns ? -1 : 1;
  return a->at_ns < b->at_ns ? -1 : a->at_ns > b->at_ns;
}

static void stall_print(const text_t *text, const loop_stall_t *stall) {
  FILE *stream = text->page->stream;
  const task_t *task =
      stall->task ? tasks_by_id(models_tasks(text->analysis->models), stall->task) : NULL;
  fprintf(stream, "    %s at %s in %s", quantity_time(stall->duration_ns, QUANTITY),
          quantity_time(stall->at_ns, QUANTITY),
          names_thread_label(text->analysis->names, stall->thread));
  if (task) fprintf(stream, ", handling %s", names_descriptor(text->analysis->names, task));
  if (stall->who) fprintf(stream, ", handling %s", stall->who);
  if (stall->blocked_kind && stall->blocked_kind < TRACE_KIND_LIMIT)
    fprintf(stream, ", of this %s blocked in %s", quantity_time(stall->blocked_ns, QUANTITY),
            trace_event_kinds[stall->blocked_kind].name);
  if (*stall->blocked_on) fprintf(stream, " on %s", stall->blocked_on);
  if (stall->open) fputs(", and has not ended", stream);
  fputc('\n', stream);
  if (stall->stack) text_stack(text, "      ", stall->stack, STALL_FRAMES);
}

// Whether one of the `count` before it has the same stack.
static bool stall_is_repeated(const loop_stall_t *const *sorted, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (sorted[i]->stack == sorted[count]->stack) return true;
  return false;
}

// One for each stack, its longest, and how many others there are like it.
static size_t stalls_print_sites(const text_t *text, const loop_stall_t *const *sorted,
                                 size_t count) {
  size_t sites = 0, told = 0;
  for (size_t i = 0; i < count; i++) {
    if (stall_is_repeated(sorted, i)) continue;
    if (sites++ == text_rows(text, count)) break;
    size_t alike = 0;
    for (size_t j = i + 1; j < count; j++) alike += sorted[j]->stack == sorted[i]->stack;
    stall_print(text, sorted[i]);
    if (alike)
      fprintf(text->page->stream, "      and %s more there\n", quantity_count(alike, QUANTITY));
    told += 1 + alike;
  }
  return told;
}

static void stalls_print(const text_t *text, const loop_t *loop) {
  if (!loop->kept_stalls) return;
  const loop_stall_t **sorted = calloc(loop->kept_stalls, sizeof *sorted);
  if (!sorted) return;
  for (uint32_t i = 0; i < loop->kept_stalls; i++) sorted[i] = &loop->stalls[i];
  qsort(sorted, loop->kept_stalls, sizeof *sorted, stall_compare);
  uint64_t threshold = loops_stall_ns(models_loops(text->analysis->models));
  fprintf(text->page->stream,
          "\n  loop %u: turns over %s, the longest first (the stack is the one seen nearest to the "
          "longest silence)\n",
          loop->id, quantity_time(threshold, QUANTITY));
  size_t shown = stalls_print_sites(text, sorted, loop->kept_stalls);
  if (loop->stall_count > shown)
    page_print(text->page, PAGE_FAINT, "    ... and %s more\n",
               quantity_count(loop->stall_count - shown, QUANTITY));
  free(sorted);
}

static void blocking_print(const text_t *text, const loop_t *loop) {
  site_table_t sites = {0};
  site_table_merge(&sites, &loop->blocking);
  site_table_sort(&sites);
  size_t shown = text_rows(text, sites.count);
  if (shown)
    fprintf(text->page->stream, "\n  loop %u: calls that blocked inside a turn\n", loop->id);
  for (size_t i = 0; i < shown; i++) {
    const site_total_t *site = &sites.items[i];
    const char *name = site->kind < TRACE_KIND_LIMIT ? trace_event_kinds[site->kind].name : NULL;
    fprintf(text->page->stream, "    %8s  %6s time%s  longest %8s  %s  %s\n",
            quantity_time(site->total_ns, QUANTITY), quantity_count(site->count, QUANTITY),
            quantity_plural(site->count), quantity_time(site->max_ns, QUANTITY), name ? name : "",
            site->stack ? names_site(text->analysis->names, site->stack) : "(stack not taken)");
  }
  site_table_clear(&sites);
}

// One line for each figure that has something to say.
static void latencies_print(const text_t *text, const loop_t *loop) {
  static const char *const forms[] = {
      "\n  loop %u: answers: %s, first byte in to first byte out p50 %s, p99 %s, longest %s\n",
      "\n  loop %u: wake-ups from other threads: %s, written to seen p50 %s, p99 %s, longest %s\n"};
  const histogram_t *histograms[] = {&loop->response_ns, &loop->wake_up_ns};
  for (size_t i = 0; i < 2; i++)
    if (histograms[i]->count)
      page_print(text->page, PAGE_PLAIN, forms[i], loop->id,
                 quantity_count(histograms[i]->count, QUANTITY),
                 quantity_time(histogram_quantile(histograms[i], 0.5), QUANTITY),
                 quantity_time(histogram_quantile(histograms[i], 0.99), QUANTITY),
                 quantity_time(histograms[i]->max, QUANTITY));
  uint64_t full = loop->saturated, some = loop->waits - loop->empty;
  if (full && full * 20 >= some)
    fprintf(text->page->stream,
            "\n  loop %u: saturated: %s of its waits that found something were full\n", loop->id,
            quantity_share(full, some, QUANTITY));
}

// Only where it matters: a turn may be long because its thread was not running.
static void scheduling_print(const text_t *text, const loop_t *loop) {
  scheduling_t times = scheduling_of_loop(text->analysis->models, loop);
  if (!times.runnable_ns || times.runnable_ns < loop->busy_ns / 20) return;
  fprintf(text->page->stream, "\n  loop %u: runnable, but not running, for %s (it ran %s)%s\n",
          loop->id, quantity_time(times.runnable_ns, QUANTITY),
          quantity_time(times.ran_ns, QUANTITY),
          loop->stall_count ? ": long turns may be due to that" : "");
}

// Where loops made in one place do the same work, and one has most of it: once for each place.
static void balances_print(const text_t *text, const ranking_t *ranking) {
  balances_t *balances = balances_open(models_loops(text->analysis->models));
  for (size_t i = 0; i < ranking->count; i++) {
    balance_t balance = balances_get(balances, ranking->ids[i]);
    const loop_t *loop = loop_at(text, ranking, i);
    if (!balance.unbalanced) continue;
    fprintf(text->page->stream,
            "\n  unbalanced: loop %u had %.0f %% of the events of the %s loops made in %s, and "
            "%.0f %% of their busy time\n",
            loop->id, balance.events_share * 100, quantity_count(balance.loops, QUANTITY),
            names_site(text->analysis->names, loop->site), balance.busy_share * 100);
  }
  balances_close(balances);
}

// "one in 100", or what it is where nothing was drawn.
static const char *one_in(double rate, quantity_t *quantity) {
  return quantity_count((uint64_t)(1 / rate + 0.5), quantity);
}

static void sampling_print(const text_t *text, const ranking_t *ranking) {
  double rate = loops_rate(models_loops(text->analysis->models));
  uint64_t drawn = 0;
  bool any = false;
  for (size_t i = 0; i < ranking->count; i++) {
    drawn += loop_at(text, ranking, i)->drawn;
    any |= !loop_at(text, ranking, i)->poll;
  }
  if (rate >= 1 || !any) return;
  if (rate > 0)
    fprintf(text->page->stream,
            "  estimated  batch and lag, from %s turn%s drawn at random, one in %s; all else of "
            "epoll loops is complete\n",
            quantity_count(drawn, QUANTITY), quantity_plural(drawn), one_in(rate, QUANTITY));
  else
    fprintf(text->page->stream,
            "  batch and lag are not known, as no turn was drawn (INSPECT_SAMPLING=0); all else of "
            "epoll loops is complete\n");
}

void text_loops(const text_t *text) {
  const char *absence = analysis_absence(text->analysis, TRACE_FAMILY_DESCRIPTOR);
  ranking_t ranking = ranking_loops(text->analysis, text->options->sort);
  char note[200];
  uint64_t stalls = 0;
  for (size_t i = 0; i < ranking.count; i++) stalls += loop_at(text, &ranking, i)->stall_count;
  if (ranking.count)
    snprintf(note, sizeof note, "%s event loop%s, %s stall%s",
             quantity_count(ranking.count, QUANTITY), quantity_plural(ranking.count),
             stalls ? quantity_count(stalls, QUANTITY) : "no", quantity_plural(stalls));
  else
    snprintf(note, sizeof note, "none: %s",
             absence ? absence : "no thread waited in epoll, or in poll or select again and again");
  page_heading(text->page, "LOOPS", note);
  size_t rows = text_rows(text, ranking.count);
  if (rows) loops_table(text, &ranking, rows);
  if (rows) sampling_print(text, &ranking);
  text_more(text, ranking.count);
  balances_print(text, &ranking);
  for (size_t i = 0; i < rows; i++) {
    scheduling_print(text, loop_at(text, &ranking, i));
    latencies_print(text, loop_at(text, &ranking, i));
    stalls_print(text, loop_at(text, &ranking, i));
    blocking_print(text, loop_at(text, &ranking, i));
  }
  ranking_free(&ranking);
}

static void task_put(const text_t *text, table_t *table, const task_t *task) {
  table_put(table, names_descriptor(text->analysis->names, task));
  table_put(table, task_state_name(task->state));
  table_put(table, quantity_time(task->ended_ns - task->created_ns, QUANTITY));
  table_put(table, quantity_count(task->polls, QUANTITY));
  table_put(table, quantity_time(task->running_ns, QUANTITY));
  table_put(table, quantity_time(task->scheduled_ns, QUANTITY));
  table_put(table, quantity_time(task->blocked_ns, QUANTITY));
  table_put(table, quantity_time(task->idle_ns, QUANTITY));
  table_put(table, quantity_time(task->max_poll_ns, QUANTITY));
  table_put(table, quantity_bytes(task->bytes_in, QUANTITY));
  table_put(table, quantity_bytes(task->bytes_out, QUANTITY));
  table_put(table, task->responses ? quantity_time(task->response_max_ns, QUANTITY) : "-");
  table_put(table, task->held ? TASKVIEW_HELD : names_site(text->analysis->names, task->site));
}

static const char *about(const tasks_totals_t *totals, const estimate_sum_t *sum,
                         const char *(*format)(uint64_t, uint64_t, quantity_t *),
                         quantity_t *quantity) {
  estimate_total_t total = tasks_total(totals, sum);
  return format(estimate_round(total.value), estimate_error(total.variance), quantity);
}

// What a sample of connections says of all.
static void task_totals_print(const text_t *text) {
  tasks_totals_t totals = tasks_totals(models_tasks(text->analysis->models));
  FILE *stream = text->page->stream;
  if (totals.rate >= 1 || !(totals.out + totals.lost)) return;
  if (totals.lost)
    fprintf(stream,
            "  missing    %s connection%s more %s in the part of the record that is missing; what "
            "follows is of the rest\n",
            quantity_count(totals.lost, QUANTITY), quantity_plural(totals.lost),
            totals.lost == 1 ? "was" : "were");
  if (!totals.out) return;
  fprintf(stream,
          "  sampled    %s connection%s more %s not recorded; %s of the others %s drawn from the "
          "same\n",
          quantity_count(totals.out, QUANTITY), quantity_plural(totals.out),
          totals.out == 1 ? "was" : "were", quantity_count(totals.drawn, QUANTITY),
          totals.drawn == 1 ? "was" : "were");
  if (!totals.drawn) return;
  fprintf(stream,
          "  estimated  of all %s tasks: %s polls, %s calls, %s in, %s out, %s answers; ± is the "
          "standard error\n",
          quantity_count(totals.recorded + totals.out, QUANTITY),
          about(&totals, &totals.polls, quantity_count_about, QUANTITY),
          about(&totals, &totals.calls, quantity_count_about, QUANTITY),
          about(&totals, &totals.bytes_in, quantity_bytes_about, QUANTITY),
          about(&totals, &totals.bytes_out, quantity_bytes_about, QUANTITY),
          about(&totals, &totals.responses, quantity_count_about, QUANTITY));
}

void text_tasks(const text_t *text) {
  static const table_column_t columns[] = {{"task", true, false},
                                           {"state", true, false},
                                           {"lived", false, false},
                                           {"polls", false, false},
                                           {"running", false, false},
                                           {"scheduled", false, false},
                                           {"blocked", false, false, true},
                                           {"idle", false, false},
                                           {"longest", false, false},
                                           {"in", false, false},
                                           {"out", false, false},
                                           {"slowest answer", false, false, true},
                                           {"registered in", true, true, true}};
  const tasks_t *tasks = models_tasks(text->analysis->models);
  ranking_t ranking = ranking_tasks(text->analysis, text->options->sort);
  char note[200];
  tasks_totals_t totals = tasks_totals(tasks);
  uint64_t all = totals.recorded + totals.out + totals.lost;
  snprintf(note, sizeof note, "%s%s%s descriptor%s in event loops; threads are listed above",
           ranking.count ? quantity_count(ranking.count, QUANTITY) : "no",
           totals.out + totals.lost ? " of " : "",
           totals.out + totals.lost ? quantity_count(all, QUANTITY) : "",
           quantity_plural(totals.out + totals.lost ? all : ranking.count));
  page_heading(text->page, "TASKS", note);
  task_totals_print(text);
  table_t table;
  table_open(&table, columns, sizeof columns / sizeof *columns);
  for (size_t i = 0; i < text_rows(text, ranking.count); i++)
    task_put(text, &table, tasks_get(tasks, ranking.ids[i]));
  if (ranking.count) table_print(&table, text->page);
  table_close(&table);
  text_more(text, ranking.count);
  if (tasks_dropped(tasks))
    fprintf(text->page->stream, "  %s ended tasks are no longer listed\n",
            quantity_count(tasks_dropped(tasks), QUANTITY));
  ranking_free(&ranking);
}
