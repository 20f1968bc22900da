// SPDX-License-Identifier: Apache-2.0
// Each lint is a function over the finished models; of many alike the worst is given, and how many.
#include "analyzer/findings/lints.h"

#include "analyzer/findings/scheduling.h"
#include "analyzer/models/array.h"

#include <stdlib.h>
#include <string.h>

static const lint_row_t rows[] = {
#define LINT(NAME, name, confidence, unit, threshold, grace, text)                                 \
  {name, LINT_##confidence, LINT_##unit, threshold, grace},
    LINT_TABLE(LINT)
#undef LINT
};

typedef struct {
  const models_t *models;
  lints_t *lints;
  uint64_t end_ns;
  uint64_t least[LINT_COUNT];  // thresholds
} finder_t;

const lint_row_t *lint_row(lint_kind_t kind) { return &rows[kind]; }

const char *lint_name(lint_kind_t kind) { return rows[kind].name; }

const char *lint_confidence_name(lint_kind_t kind) {
  static const char *const names[] = {"low", "medium", "high"};
  return names[rows[kind].confidence];
}

bool lint_is_warning(lint_kind_t kind) { return rows[kind].confidence == LINT_HIGH; }

bool lints_parse(const char *text, uint32_t *kinds, const char **bad, size_t *length) {
  *kinds = 0;
  for (const char *item = text;; item += *length + 1) {
    *length = strcspn(item, ",");
    uint32_t found = *length == 3 && !memcmp(item, "all", 3) ? (1u << LINT_COUNT) - 1 : 0;
    for (unsigned kind = 0; kind < LINT_COUNT; ++kind)
      if (strlen(rows[kind].name) == *length && !memcmp(rows[kind].name, item, *length))
        found = 1u << kind;
    *bad = item;
    if (!found) return false;
    *kinds |= found;
    if (!item[*length]) return true;
  }
}

static bool kind_find(const char *name, size_t length, lint_kind_t *kind) {
  for (unsigned at = 0; at < LINT_COUNT; ++at) {
    if (strlen(rows[at].name) != length || memcmp(rows[at].name, name, length)) continue;
    *kind = (lint_kind_t)at;
    return true;
  }
  return false;
}

// "1.5s" as ns, "20" as a number; 0: it is none, or no more than 0.
static uint64_t value_parse(const char *text, size_t length, lint_unit_t unit) {
  static const struct {
    const char *suffix;
    double ns;
  } units[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
  char copy[32], *end;
  if (!length || length >= sizeof copy || *text < '0' || *text > '9') return 0;
  memcpy(copy, text, length);
  copy[length] = '\0';
  if (copy[strspn(copy, "0123456789.ums")]) return 0;  // no exponents, no hexadecimals
  double value = strtod(copy, &end);
  if (unit == LINT_NUMBER) return *end || strchr(copy, '.') || value > 1e15 ? 0 : (uint64_t)value;
  for (size_t at = 0; at < sizeof units / sizeof *units; ++at)
    if (!strcmp(end, units[at].suffix))
      return value * units[at].ns > 1e18 ? 0 : (uint64_t)(value * units[at].ns + 0.5);
  return 0;
}

lint_parsed_t lints_parse_thresholds(const char *text, uint64_t thresholds[LINT_COUNT],
                                     const char **bad, size_t *length, lint_kind_t *kind) {
  for (const char *item = text;; item += *length + 1) {
    *length = strcspn(item, ",");
    *bad = item;
    size_t name = strcspn(item, "=,");
    if (!kind_find(item, name, kind)) return LINT_NO_NAME;
    size_t from = name + (item[name] == '=');
    uint64_t value = value_parse(item + from, *length - from, rows[*kind].unit);
    if (!value) return LINT_NO_VALUE;
    thresholds[*kind] = value;
    if (!item[*length]) return LINT_TAKEN;
  }
}

// Until the end of the record.
static uint64_t passed(const finder_t *finder, uint64_t since) {
  return finder->end_ns > since ? finder->end_ns - since : 0;
}

static void add(finder_t *finder, lint_t lint) {
  lints_t *lints = finder->lints;
  ARRAY_RESERVE(lints->items, lints->capacity, lints->count + 1);
  lints->items[lints->count++] = lint;
}

// ---- tasks -------------------------------------------------------------------------------------

// Judges a task: 0, or the figure by which the worst is chosen.
typedef uint64_t judge_t(const finder_t *finder, const task_t *task);

static bool is_live(const task_t *task) {
  return task->state != TASK_STATE_COMPLETED && task->state != TASK_STATE_FAILED;
}

static uint64_t judge_hog(const finder_t *finder, const task_t *task) {
  uint64_t least = finder->least[LINT_LOOP_HOG];
  bool ran = task->running_ns >= least && task->running_ns >= task->blocked_ns;
  if (loop_serves_one(loops_get(models_loops(finder->models), task->loop - 1))) return 0;
  return ran && task->max_poll_ns > least ? task->max_poll_ns : 0;
}

static uint64_t judge_never_polled(const finder_t *finder, const task_t *task) {
  bool speaks = task->kind == DESCRIPTOR_CONNECTION || task->kind == DESCRIPTOR_CLIENT ||
                task->kind == DESCRIPTOR_PIPE;
  uint64_t life = task->ended_ns - task->created_ns;
  if (!speaks || task->polls || task->reads || task->writes) return 0;
  return life >= finder->least[LINT_NEVER_POLLED] ? life : 0;
}

static uint64_t judge_starved(const finder_t *finder, const task_t *task) {
  return task->max_scheduled_ns >= finder->least[LINT_STARVED_TASK] ? task->max_scheduled_ns : 0;
}

static uint64_t judge_stuck(const finder_t *finder, const task_t *task) {
  bool inside = task->state == TASK_STATE_RUNNING || task->state == TASK_STATE_BLOCKED;
  return inside && task->max_poll_ns >= finder->least[LINT_STUCK_TASK] ? task->max_poll_ns : 0;
}

static uint64_t judge_leak(const finder_t *finder, const task_t *task) {
  if (!is_live(task) || !task->peer_closed_ns) return 0;
  uint64_t since = passed(finder, task->peer_closed_ns);
  return since >= finder->least[LINT_DESCRIPTOR_LEAK] ? since : 0;
}

static uint64_t judge_self_wake(const finder_t *finder, const task_t *task) {
  bool often =
      task->self_wakes >= finder->least[LINT_SELF_WAKE] && task->self_wakes * 2 >= task->polls;
  return often ? task->self_wakes : 0;
}

static void find_tasks(finder_t *finder, lint_kind_t kind, judge_t *judge) {
  const tasks_t *tasks = models_tasks(finder->models);
  lint_t worst = {.kind = kind};
  for (uint32_t at = 0; at < tasks_count(tasks); ++at) {
    const task_t *task = tasks_get(tasks, at);
    uint64_t figure = judge(finder, task);
    if (!figure) continue;
    ++worst.count;
    if (figure <= worst.duration_ns) continue;
    worst.duration_ns = figure;
    worst.task = task->id;
    worst.loop = task->loop;
  }
  if (!worst.count) return;
  if (kind == LINT_SELF_WAKE) {
    worst.count = worst.duration_ns;
    worst.duration_ns = 0;
    worst.of = tasks_by_id(tasks, worst.task)->polls;
  }
  add(finder, worst);
}

static void find_hogs(finder_t *finder) {
  lints_t *lints = finder->lints;
  uint32_t before = lints->count;
  find_tasks(finder, LINT_LOOP_HOG, judge_hog);
  if (lints->count > before)
    lints->items[before].starved = scheduling_is_starved(finder->models, lints->items[before].loop,
                                                         lints->items[before].duration_ns);
}
static void find_self_wakes(finder_t *finder) {
  find_tasks(finder, LINT_SELF_WAKE, judge_self_wake);
}
static void find_never_polled(finder_t *finder) {
  find_tasks(finder, LINT_NEVER_POLLED, judge_never_polled);
}
static void find_starved(finder_t *finder) { find_tasks(finder, LINT_STARVED_TASK, judge_starved); }
static void find_leaks(finder_t *finder) { find_tasks(finder, LINT_DESCRIPTOR_LEAK, judge_leak); }

// ---- loops -------------------------------------------------------------------------------------

static bool is_lock_call(uint32_t kind) {
  return kind == TRACE_LOCK_WAIT || kind == TRACE_LOCK_FAIL;
}

// A transfer of some milliseconds may only have lost the processor: the recorder cannot see that.
static bool may_be_preempted(const site_total_t *site) {
  bool transfer = site->kind == TRACE_READ || site->kind == TRACE_WRITE ||
                  site->kind == TRACE_ACCEPT || site->kind == TRACE_CONNECT;
  return transfer && site->max_ns < 20 * LINT_MS;
}

// Of the places where a loop's thread waited: those for locks, or the others.
static void find_blocking(finder_t *finder, const loop_t *loop, lint_kind_t kind, bool locks) {
  lint_t worst = {.kind = kind, .loop = loop->id};
  uint64_t total = 0;
  for (uint32_t at = 0; at < loop->blocking.count; ++at) {
    const site_total_t *site = &loop->blocking.items[at];
    if (is_lock_call(site->kind) != locks || may_be_preempted(site)) continue;
    worst.count += site->count;
    total += site->total_ns;
    if (site->max_ns <= worst.duration_ns) continue;
    worst.duration_ns = site->max_ns;
    worst.stack = site->stack;
    worst.call = site->kind;
  }
  if ((locks ? total : worst.duration_ns) >= finder->least[kind]) add(finder, worst);
}

static void lint_blocking(finder_t *finder, const loop_t *loop) {
  find_blocking(finder, loop, LINT_BLOCKING_IN_LOOP, false);
}

static void lint_locks(finder_t *finder, const loop_t *loop) {
  find_blocking(finder, loop, LINT_LOCK_IN_LOOP, true);
}

static void lint_busy(finder_t *finder, const loop_t *loop) {
  if (loop->spins >= finder->least[LINT_BUSY_POLL] && loop->spins * 10 >= loop->waits * 9)
    add(finder,
        (lint_t){LINT_BUSY_POLL, .loop = loop->id, .count = loop->spins, .of = loop->waits});
}

static void lint_saturated(finder_t *finder, const loop_t *loop) {
  uint64_t some = loop->waits - loop->empty;
  if (loop->saturated >= finder->least[LINT_SATURATED_LOOP] && loop->saturated * 2 >= some)
    add(finder,
        (lint_t){LINT_SATURATED_LOOP, .loop = loop->id, .count = loop->saturated, .of = some});
}

typedef void lint_loop_t(finder_t *finder, const loop_t *loop);

static void find_loops(finder_t *finder, lint_loop_t *lint) {
  const loops_t *loops = models_loops(finder->models);
  for (uint32_t at = 0; at < loops_count(loops); ++at)
    if (!loop_serves_one(loops_get(loops, at))) lint(finder, loops_get(loops, at));
}

static void find_blocking_calls(finder_t *finder) { find_loops(finder, lint_blocking); }
static void find_locks(finder_t *finder) { find_loops(finder, lint_locks); }
static void find_busy(finder_t *finder) { find_loops(finder, lint_busy); }
static void find_saturated(finder_t *finder) { find_loops(finder, lint_saturated); }

// ---- threads -----------------------------------------------------------------------------------

// Never heard of, by anybody: a wait that had returned could be a worker's that had found its job;
// and there were more signals than jobs that were done without waiting for them.
static bool is_lost(const finder_t *finder, const thread_account_t *thread) {
  if (thread->ended || thread->pending.what != TRACE_PENDING_CONDITION) return false;
  const pools_t *pools = loops_pools(models_loops(finder->models));
  pool_signals_t heard = pools_signals(pools, thread->pending.object);
  return heard.last_signal_ns && !heard.waits && heard.signals > heard.jobs &&
         heard.last_signal_ns < thread->pending.since_ns &&
         passed(finder, thread->pending.since_ns) >= finder->least[LINT_LOST_WAKEUP];
}

static void find_lost(finder_t *finder) {
  const threads_t *threads = models_threads(finder->models);
  for (uint32_t at = 1; at < threads_limit(threads); ++at) {
    const thread_account_t *thread = threads_get(threads, at);
    if (is_lost(finder, thread))
      add(finder, (lint_t){LINT_LOST_WAKEUP, .thread = at, .stack = thread->pending.stack,
                           .count = 1, .duration_ns = passed(finder, thread->pending.since_ns)});
  }
}

static void find_stuck(finder_t *finder) {
  const threads_t *threads = models_threads(finder->models);
  find_tasks(finder, LINT_STUCK_TASK, judge_stuck);
  for (uint32_t at = 1; at < threads_limit(threads); ++at) {
    const thread_account_t *thread = threads_get(threads, at);
    uint64_t since = thread->pending.since_ns;
    if (thread->ended || thread->pending.what != TRACE_PENDING_LOCK ||
        passed(finder, since) < finder->least[LINT_STUCK_TASK])
      continue;
    add(finder,
        (lint_t){LINT_STUCK_TASK, .thread = at, .stack = thread->pending.stack,
                 .call = TRACE_LOCK_WAIT, .count = 1, .duration_ns = passed(finder, since)});
  }
}

static void find_thread_leaks(finder_t *finder) {
  const threads_t *threads = models_threads(finder->models);
  lint_t leak = {.kind = LINT_THREAD_LEAK};
  for (uint32_t at = 1; at < threads_limit(threads); ++at) {
    const thread_account_t *thread = threads_get(threads, at);
    if (!thread->seen || !thread->ended || thread->joined_by || thread->detached) continue;
    if (!thread->handle || passed(finder, thread->ended_ns) < rows[LINT_THREAD_LEAK].grace_ns)
      continue;
    if (!leak.count++) leak.thread = at;
  }
  if (leak.count >= finder->least[LINT_THREAD_LEAK]) add(finder, leak);
}

// Threads of loops that do not wait, more of them than can run at once; or that had to wait for a
// processor for a fifth of the time that they could have used one, in a program that wants more
// processors than there are (if it does not, others on the machine are the cause).
static void find_oversubscribed(finder_t *finder) {
  uint64_t processors = finder->least[LINT_OVERSUBSCRIBED];
  scheduling_t loops = scheduling_of_loops(finder->models);
  scheduling_t run = scheduling_of_run(finder->models);
  uint64_t wanted = run.ran_ns + run.runnable_ns;
  if (!processors || !loops.busy || finder->end_ns < rows[LINT_OVERSUBSCRIBED].grace_ns) return;
  bool waits = loops.runnable_ns >= (loops.ran_ns + loops.runnable_ns) / 5 &&
               loops.runnable_ns >= 100 * LINT_MS && wanted / processors > finder->end_ns;
  if (loops.busy <= processors && !waits) return;
  add(finder, (lint_t){LINT_OVERSUBSCRIBED, .count = loops.busy, .of = processors,
                       .duration_ns = loops.runnable_ns});
}

uint64_t lints_threshold(const models_t *models, const lint_settings_t *settings,
                         lint_kind_t kind) {
  if (settings->thresholds[kind]) return settings->thresholds[kind];
  if (kind == LINT_LOOP_HOG) return loops_stall_ns(models_loops(models));
  if (kind == LINT_OVERSUBSCRIBED) return scheduling_processors(models);
  return rows[kind].threshold;
}

lints_t lints_find(const models_t *models, const lint_settings_t *settings) {
  static void (*const finds[LINT_COUNT])(finder_t *) = {
      [LINT_LOOP_HOG] = find_hogs,
      [LINT_BLOCKING_IN_LOOP] = find_blocking_calls,
      [LINT_BUSY_POLL] = find_busy,
      [LINT_SELF_WAKE] = find_self_wakes,
      [LINT_LOST_WAKEUP] = find_lost,
      [LINT_NEVER_POLLED] = find_never_polled,
      [LINT_STARVED_TASK] = find_starved,
      [LINT_STUCK_TASK] = find_stuck,
      [LINT_DESCRIPTOR_LEAK] = find_leaks,
      [LINT_THREAD_LEAK] = find_thread_leaks,
      [LINT_OVERSUBSCRIBED] = find_oversubscribed,
      [LINT_SATURATED_LOOP] = find_saturated,
      [LINT_LOCK_IN_LOOP] = find_locks,
  };
  lints_t lints = {0};
  finder_t finder = {models, &lints, models_end_ns(models), {0}};
  for (unsigned kind = 0; kind < LINT_COUNT; ++kind)
    finder.least[kind] = lints_threshold(models, settings, (lint_kind_t)kind);
  for (unsigned kind = 0; kind < LINT_COUNT; ++kind)
    if (!(settings->allowed >> kind & 1)) finds[kind](&finder);
  return lints;
}

void lints_free(lints_t *lints) {
  free(lints->items);
  *lints = (lints_t){0};
}
