// SPDX-License-Identifier: Apache-2.0
// THREADS: what each did with its time, and what it is doing now.
#include "analyzer/reports/chart.h"
#include "analyzer/reports/names.h"
#include "analyzer/reports/quantity.h"
#include "analyzer/reports/ranking.h"
#include "analyzer/reports/table.h"
#include "analyzer/reports/text.h"

enum { BAR_COLUMNS = 20, PART_COUNT = 6 };

static uint64_t life_ns(const thread_account_t *thread) {
  return thread->ended_ns > thread->started_ns ? thread->ended_ns - thread->started_ns : 0;
}

// The states of the model in the parts that are shown.
static void parts_fill(const thread_account_t *thread, chart_part_t parts[PART_COUNT]) {
  static const char letters[THREAD_STATE_COUNT] = {[THREAD_STATE_RUNNING] = 'R',
                                                   [THREAD_STATE_LOCK] = 'L',
                                                   [THREAD_STATE_CONDITION] = 'c',
                                                   [THREAD_STATE_EPOLL] = 'e',
                                                   [THREAD_STATE_JOIN] = 'j'};
  static const char order[PART_COUNT] = {'R', 'L', 'c', 'e', 'j', '.'};
  for (int part = 0; part < PART_COUNT; part++) {
    parts[part] = (chart_part_t){order[part], 0};
    for (int state = 0; state < THREAD_STATE_COUNT; state++)
      if (letters[state] == order[part] || (!letters[state] && order[part] == '.'))
        parts[part].amount += thread->time_ns[state];
  }
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

static void thread_put(const text_t *text, table_t *table, uint32_t index) {
  const thread_account_t *thread = threads_get(models_threads(text->analysis->models), index);
  chart_part_t parts[PART_COUNT];
  char bar[BAR_COLUMNS + 1];
  parts_fill(thread, parts);
  table_put(table, names_thread_label(text->analysis->names, index));
  table_put(table, quantity_time(life_ns(thread), QUANTITY));
  for (int part = 0; part < PART_COUNT; part++)
    table_put(table, quantity_share(parts[part].amount, life_ns(thread), QUANTITY));
  table_put(table, thread->scheduled_ns
                       ? quantity_share(thread->runnable_ns, life_ns(thread), QUANTITY)
                       : "-");
  table_put(table, chart_bar(bar, BAR_COLUMNS, parts, PART_COUNT));
  table_put(table, state_now(text, thread));
  table_put(table, state_since(text, thread, QUANTITY));
  table_put(table, state_object(text, thread));
}

void text_threads(const text_t *text) {
  static const table_column_t columns[] = {
      {"thread", true, true},         {"lived", false, false},
      {"running", false, false},      {"lock", false, false, true},
      {"cond", false, false, true},   {"epoll", false, false, true},
      {"join", false, false, true},   {"other", false, false, true},
      {"no cpu", false, false, true}, {"", true, false},
      {"at the end", true, false},    {"for", false, false, true},
      {"what", true, true, true}};
  ranking_t ranking = ranking_threads(text->analysis, text->options->sort);
  char note[160];
  snprintf(note, sizeof note,
           "%s thread%s; running includes waiting for a processor (how much of it: no cpu), and in "
           "calls that are not recorded",
           quantity_count(ranking.count, QUANTITY), quantity_plural(ranking.count));
  page_heading(text->page, "THREADS", note);
  table_t table;
  table_open(&table, columns, sizeof columns / sizeof *columns);
  for (size_t i = 0; i < text_rows(text, ranking.count); i++)
    thread_put(text, &table, ranking.ids[i]);
  if (ranking.count) table_print(&table, text->page);
  table_close(&table);
  text_more(text, ranking.count);
  ranking_free(&ranking);
}
