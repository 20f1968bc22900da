// SPDX-License-Identifier: Apache-2.0
// THREADS: what each did with its time, and what it is doing now.
#include "analyzer/findings/scheduling.h"
#include "analyzer/models/thread_timeline.h"
#include "analyzer/reports/chart.h"
#include "analyzer/reports/names.h"
#include "analyzer/reports/quantity.h"
#include "analyzer/reports/ranking.h"
#include "analyzer/reports/table.h"
#include "analyzer/reports/text.h"

enum { BAR_COLUMNS = 20, TIME_COLUMNS = 60 };

static uint64_t life_ns(const thread_account_t *thread) {
  return thread->ended_ns > thread->started_ns ? thread->ended_ns - thread->started_ns : 0;
}

static void parts_fill(const thread_account_t *thread, chart_part_t parts[THREAD_PART_COUNT]) {
  for (int part = 0; part < THREAD_PART_COUNT; part++)
    parts[part] = (chart_part_t){thread_part_letter((thread_part_t)part), 0};
  for (int state = 0; state < THREAD_STATE_COUNT; state++)
    parts[thread_part_of((thread_state_t)state)].amount += thread->time_ns[state];
}

static const char *state_now(const text_t *text, const thread_account_t *thread) {
  if (thread->ended)
    return thread->joined_by ? "ended, joined" : thread->detached ? "ended" : "ended, not joined";
  (void)text;
  return thread_state_text(thread->state);
}

static const char *state_since(const text_t *text, const thread_account_t *thread,
                               quantity_t *out) {
  uint64_t end = models_end_ns(text->analysis->models);
  uint64_t since = thread->pending.what ? thread->pending.since_ns : thread->last_event_ns;
  if (thread->ended) return "";
  return quantity_time(end > since ? end - since : 0, out);
}

// What the pending call is about: the lock, the condition, the thread, the descriptor.
static const char *state_object(const text_t *text, const thread_account_t *thread) {
  const analysis_t *analysis = text->analysis;
  const thread_pending_t *pending = &thread->pending;
  const locks_t *locks = models_locks(analysis->models);
  const lock_t *lock = locks_at(locks, pending->object);
  uint32_t joined;
  switch (thread->ended ? TRACE_PENDING_NONE : pending->what) {
  case TRACE_PENDING_LOCK:
    return lock ? names_lock(analysis->names, lock->id)
                : names_address(analysis->names, "lock", pending->object);
  case TRACE_PENDING_CONDITION:
    return names_address(analysis->names, "condition", pending->object);
  case TRACE_PENDING_BARRIER:
    return names_address(analysis->names, "barrier", pending->object);
  case TRACE_PENDING_JOIN:
    joined = reader_thread_by_handle(analysis->reader, pending->object, pending->since_ns);
    return joined ? names_thread_label(analysis->names, joined) : "";
  default:
    return pending->stack ? names_site(analysis->names, pending->stack) : "";
  }
}

// A dash where it is known of no thread: the column is left out then.
static void processor_put(const text_t *text, table_t *table, const thread_account_t *thread,
                          bool known, uint64_t time) {
  bool any = scheduling_of_run(text->analysis->models).ran_known;
  table_put(table, known ? quantity_share(time, life_ns(thread), QUANTITY) : any ? "unknown" : "-");
}

static void thread_put(const text_t *text, table_t *table, uint32_t index) {
  const thread_account_t *thread = threads_get(models_threads(text->analysis->models), index);
  chart_part_t parts[THREAD_PART_COUNT];
  char bar[BAR_COLUMNS + 1];
  parts_fill(thread, parts);
  table_put(table, names_thread_label(text->analysis->names, index));
  table_put(table, quantity_time(life_ns(thread), QUANTITY));
  for (int part = 0; part < THREAD_PART_COUNT; part++)
    table_put(table, quantity_share(parts[part].amount, life_ns(thread), QUANTITY));
  processor_put(text, table, thread, thread->ran_known, thread->ran_ns);
  processor_put(text, table, thread, thread->scheduled_ns, thread->runnable_ns);
  table_put(table, chart_bar(bar, BAR_COLUMNS, parts, THREAD_PART_COUNT));
  table_put(table, state_now(text, thread));
  table_put(table, state_since(text, thread, QUANTITY));
  table_put(table, state_object(text, thread));
}

// What most of the time was, in each column; a blank where the thread did not live.
static void timeline_fill(const text_t *text, const thread_account_t *thread,
                          char line[TIME_COLUMNS + 1]) {
  uint64_t end = models_end_ns(text->analysis->models), parts[THREAD_PART_COUNT];
  for (uint64_t at = 0; at < TIME_COLUMNS; at++) {
    uint64_t from = (uint64_t)((double)end / TIME_COLUMNS * (double)at);
    uint64_t until = (uint64_t)((double)end / TIME_COLUMNS * (double)(at + 1));
    int most = 0;
    line[at] = ' ';
    if (!thread_timeline_parts(thread, from, until, parts)) continue;
    for (int part = 1; part < THREAD_PART_COUNT; part++)
      if (parts[part] > parts[most]) most = part;
    line[at] = thread_part_letter((thread_part_t)most);
  }
  line[TIME_COLUMNS] = 0;
}

static const char *creator_of(const text_t *text, uint32_t index) {
  const reader_thread_t *thread = reader_thread(text->analysis->reader, index);
  return thread->creator ? names_thread_label(text->analysis->names, thread->creator) : "";
}

static void timeline_put(const text_t *text, table_t *table, uint32_t index) {
  const thread_account_t *thread = threads_get(models_threads(text->analysis->models), index);
  char line[TIME_COLUMNS + 1], cell[TIME_COLUMNS + 3];
  timeline_fill(text, thread, line);
  snprintf(cell, sizeof cell, "[%s]", line);
  table_put(table, names_thread_label(text->analysis->names, index));
  table_put(table, cell);
  table_put(table, creator_of(text, index));
  table_put(table, names_site(text->analysis->names,
                              reader_thread(text->analysis->reader, index)->create_stack));
}

static void timelines_print(const text_t *text, const ranking_t *ranking) {
  static const table_column_t columns[] = {{"thread", true, true},
                                           {"over time", true, false},
                                           {"created by", true, false, true},
                                           {"in", true, true, true}};
  FILE *stream = text->page->stream;
  if (!ranking->count) return;
  fprintf(stream, "\n  Over time: a column each %s, what was most of it:",
          quantity_time(models_end_ns(text->analysis->models) / TIME_COLUMNS, QUANTITY));
  for (int part = 0; part < THREAD_PART_COUNT; part++)
    fprintf(stream, "%s %c %s", part ? "," : "", thread_part_letter((thread_part_t)part),
            thread_part_text((thread_part_t)part));
  fputc('\n', stream);
  table_t table;
  table_open(&table, columns, sizeof columns / sizeof *columns);
  for (size_t i = 0; i < text_rows(text, ranking->count); i++)
    timeline_put(text, &table, ranking->ids[i]);
  table_print(&table, text->page);
  table_close(&table);
}

static void waker_put(const text_t *text, table_t *table, const waker_row_t *row) {
  names_t *names = text->analysis->names;
  table_put(table, names_thread_label(names, row->woken));
  table_put(table, names_thread_label(names, row->waker));
  table_put(table, wake_how_text(row->how));
  table_put(table, quantity_count(row->count, QUANTITY));
  table_put(table, quantity_time(row->waited_ns, QUANTITY));
  table_put(table, quantity_time(row->latency_ns / (row->count ? row->count : 1), QUANTITY));
  table_put(table, quantity_time(row->latency_max_ns, QUANTITY));
  table_put(table, names_site(names, row->stack));
}

static void wakers_print(const text_t *text) {
  static const table_column_t columns[] = {
      {"thread", true, true},    {"woken by", true, true},      {"which", true, false},
      {"times", false, false},   {"waited", false, false},      {"went on after", false, false},
      {"at most", false, false}, {"woken in", true, true, true}};
  const wakers_t *wakers = models_wakers(text->analysis->models);
  size_t count = wakers_count(wakers);
  if (!count) return;
  fprintf(text->page->stream, "\n  Who woke whom: %s wake-ups, the longest waits first\n",
          quantity_count(wakers_total(wakers), QUANTITY));
  table_t table;
  table_open(&table, columns, sizeof columns / sizeof *columns);
  for (size_t i = 0; i < text_rows(text, count); i++)
    waker_put(text, &table, wakers_row(wakers, (uint32_t)i));
  table_print(&table, text->page);
  table_close(&table);
  text_more(text, count);
}

void text_threads(const text_t *text) {
  static const table_column_t columns[] = {{"thread", true, true},
                                           {"lived", false, false},
                                           {"running", false, false},
                                           {"lock", false, false, true},
                                           {"cond", false, false, true},
                                           {"loop", false, false, true},
                                           {"join", false, false, true},
                                           {"other", false, false, true},
                                           {"on cpu", false, false, true},
                                           {"no cpu", false, false, true},
                                           {"", true, false},
                                           {"at the end", true, false},
                                           {"for", false, false, true},
                                           {"what", true, true, true}};
  ranking_t ranking = ranking_threads(text->analysis, text->options->sort);
  char note[240];
  snprintf(note, sizeof note,
           "%s thread%s; running includes waiting in calls that are not recorded, and for a "
           "processor; on cpu, no cpu: on a processor, and ready but without one, as the kernel "
           "counted it",
           quantity_count(ranking.count, QUANTITY), quantity_plural(ranking.count));
  page_heading(text->page, "THREADS", note);
  table_t table;
  table_open(&table, columns, sizeof columns / sizeof *columns);
  for (size_t i = 0; i < text_rows(text, ranking.count); i++)
    thread_put(text, &table, ranking.ids[i]);
  if (ranking.count) table_print(&table, text->page);
  table_close(&table);
  text_more(text, ranking.count);
  timelines_print(text, &ranking);
  wakers_print(text);
  ranking_free(&ranking);
}
