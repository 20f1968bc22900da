// SPDX-License-Identifier: Apache-2.0
// Findings as sentences.
#include "analyzer/reports/verdict.h"

#include "analyzer/findings/scheduling.h"
#include "analyzer/reports/names.h"
#include "analyzer/reports/quantity.h"
#include "analyzer/reports/ranking.h"
#include "analyzer/reports/sites.h"

#include <string.h>

enum { MEMBERS_MAX = 4 };  // of a cycle, in one sentence

// ---- one deadlock ------------------------------------------------------------------------------
const char *verdict_cycle_member(const analysis_t *analysis, const deadlock_t *deadlock, size_t i) {
  const deadlock_leg_t *leg = &deadlock->legs[i];
  if (leg->holds && !deadlock->arrived) return names_lock_unique(analysis->names, leg->holds);
  if (leg->wants && (deadlock->leg_count == 1 || deadlock->kind == DEADLOCK_KIND_DESTROYED))
    return names_lock_unique(analysis->names, leg->wants);
  return names_thread_label(analysis->names, leg->thread);
}

static void cycle_write(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock,
                        size_t shown) {
  size_t count = deadlock->kind == DEADLOCK_KIND_DESTROYED ? 1 : deadlock->leg_count;
  if (shown > count) shown = count;
  const char *arrow = deadlock->arrived ? ", " : " -> ";
  for (size_t i = 0; i < shown; i++)
    fprintf(stream, "%s%s", i ? arrow : "", verdict_cycle_member(analysis, deadlock, i));
  if (shown < count) fprintf(stream, "%s(%zu more)", arrow, count - shown);
  const unsigned open = 1u << DEADLOCK_KIND_ORPHAN | 1u << DEADLOCK_KIND_CONDITION |
                        1u << DEADLOCK_KIND_BARRIER | 1u << DEADLOCK_KIND_DESTROYED |
                        1u << DEADLOCK_KIND_POOL;
  bool closed = !(open >> deadlock->kind & 1);
  if (count && closed) fprintf(stream, " -> %s", verdict_cycle_member(analysis, deadlock, 0));
}

static void threads_write(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock,
                          size_t shown) {
  size_t count = deadlock->leg_count;
  for (size_t i = 0; i < shown; i++)
    fprintf(stream, "%s%s",
            !i               ? ""
            : i + 1 == count ? " and "
                             : ", ",
            names_thread_label(analysis->names, deadlock->legs[i].thread));
  if (shown < count) fprintf(stream, " and %zu more", count - shown);
}

static size_t members_shown(const deadlock_t *deadlock) {
  return deadlock->leg_count > MEMBERS_MAX ? MEMBERS_MAX - 1 : deadlock->leg_count;
}

void verdict_cycle(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock) {
  cycle_write(stream, analysis, deadlock, deadlock->leg_count);
}

void verdict_cycle_short(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock) {
  cycle_write(stream, analysis, deadlock, members_shown(deadlock));
}

void verdict_threads(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock) {
  threads_write(stream, analysis, deadlock, deadlock->leg_count);
}

// ---- the whole ---------------------------------------------------------------------------------
static const deadlock_t *deadlock_first(const analysis_t *analysis, unsigned verdicts) {
  for (size_t i = 0; i < analysis->deadlocks->count; i++)
    if (verdicts >> analysis->deadlocks->items[i].verdict & 1)
      return &analysis->deadlocks->items[i];
  return NULL;
}

static size_t deadlock_count(const analysis_t *analysis, unsigned verdicts) {
  size_t count = 0;
  for (size_t i = 0; i < analysis->deadlocks->count; i++)
    count += verdicts >> analysis->deadlocks->items[i].verdict & 1;
  return count;
}

void verdict_former_holder(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock) {
  bool inherited = deadlock->reason == DEADLOCK_REASON_INHERITED;
  if (deadlock->ended_thread)
    fputs(names_thread_label(analysis->names, deadlock->ended_thread), stream);
  else if (deadlock->ended_tid)
    fprintf(stream, "thread %u of the parent process", deadlock->ended_tid);
  else
    fputs("a thread", stream);
  fputs(inherited ? " held at the fork" : " held when it ended", stream);
}

static const char *plural_verb(uint32_t count) { return count == 1 ? "waits" : "wait"; }

// "4 of 4 workers wait inside jobs (worker (12), worker (13)), 4 jobs wait for a worker"
static void pool_write(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock) {
  fprintf(stream, "%u of %u worker%s of a pool (", deadlock->arrived, deadlock->arrived,
          quantity_plural(deadlock->arrived));
  threads_write(stream, analysis, deadlock, members_shown(deadlock));
  fprintf(stream, ") %s for jobs of the same pool, of which %s %s for a worker",
          plural_verb(deadlock->arrived), quantity_count(deadlock->queued, QUANTITY),
          plural_verb(deadlock->queued));
}

// What stands behind the threads that wait for a condition or at a barrier for ever.
static void standstill_write(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock) {
  bool barrier = deadlock->kind == DEADLOCK_KIND_BARRIER;
  if (deadlock->arrived > deadlock->leg_count)
    fprintf(stream, " and %u more", deadlock->arrived - deadlock->leg_count);
  fprintf(
      stream, " %s %s %s", plural_verb(deadlock->arrived), barrier ? "at" : "for",
      names_address(analysis->names, barrier ? "a barrier" : "a condition", deadlock->condition));
  if (!barrier)
    fputs(", and nobody is left to signal it", stream);
  else if (deadlock->parties)
    fprintf(stream, ", %u of %u: too few can still come", deadlock->arrived, deadlock->parties);
  else
    fputs(", and nobody is left to come", stream);
}

void verdict_signals(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock) {
  const condition_t *condition =
      locks_condition_at(models_locks(analysis->models), deadlock->condition);
  uint64_t signals = condition ? condition->signals + condition->broadcasts : 0;
  if (!signals) {
    fputs("it was never signalled", stream);
    return;
  }
  fprintf(stream, "it was signalled %s time%s, last at %s", quantity_count(signals, QUANTITY),
          quantity_plural(signals), quantity_time(condition->last_signal_ns, QUANTITY));
  const char *site = names_site(analysis->names, condition->last_signal_stack);
  if (*site) fprintf(stream, " in %s", site);
  if (condition->last_signal_ns < deadlock->legs[0].first_ns)
    fprintf(stream, ", before the wait began at %s: a wake-up that nobody waited for is lost",
            quantity_time(deadlock->legs[0].first_ns, QUANTITY));
}

// Who waits for what, without since when.
static void knot_write(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock) {
  const deadlock_leg_t *leg = &deadlock->legs[0];
  names_t *names = analysis->names;
  if (deadlock->kind == DEADLOCK_KIND_POOL) {
    pool_write(stream, analysis, deadlock);
    return;
  }
  threads_write(stream, analysis, deadlock, members_shown(deadlock));
  if (deadlock->arrived) {
    standstill_write(stream, analysis, deadlock);
  } else if (deadlock->kind == DEADLOCK_KIND_ORPHAN) {
    fprintf(stream, " waits for %s, which ", names_lock_unique(names, leg->wants));
    verdict_former_holder(stream, analysis, deadlock);
  } else if (deadlock->leg_count == 1) {
    bool reader = leg->holds_mode == LOCK_MODE_SHARED;
    fprintf(stream, " waits for %s%s, which it holds itself%s",
            names_lock_unique(names, leg->wants), reader ? " for writing" : "",
            reader ? " for reading" : "");
  } else {
    fprintf(stream, " wait for each other: ");
    verdict_cycle_short(stream, analysis, deadlock);
  }
}

static void actual_write(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock) {
  uint64_t from = deadlock->legs[0].first_ns;
  uint64_t end = deadlock->over_ns ? deadlock->over_ns : models_end_ns(analysis->models);
  fputs("DEADLOCK: ", stream);
  knot_write(stream, analysis, deadlock);
  fprintf(stream, ", for %s%s", quantity_time(end > from ? end - from : 0, QUANTITY),
          deadlock->over_ns                           ? " until a time limit ended it"
          : reader_summary(analysis->reader)->running ? " now"
                                                      : " at the end");
}

static void order_write(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock) {
  fprintf(stream,
          "%s deadlock: ", deadlock->verdict == DEADLOCK_FEASIBLE ? "feasible" : "potential");
  threads_write(stream, analysis, deadlock, members_shown(deadlock));
  if (deadlock->leg_count == 1) {
    fprintf(stream, " may wait for %s while holding it",
            names_lock_unique(analysis->names, deadlock->legs[0].wants));
    return;
  }
  fprintf(stream, " take the same locks in different order: ");
  verdict_cycle_short(stream, analysis, deadlock);
}

void verdict_misuse(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock) {
  names_t *names = analysis->names;
  const char *lock = names_lock_unique(names, deadlock->legs[0].wants);
  bool freed = deadlock->reason == DEADLOCK_REASON_FREED_HELD ||
               deadlock->reason == DEADLOCK_REASON_FREED_WAITED;
  bool refused = deadlock->reason == DEADLOCK_REASON_DESTRUCTION_REFUSED;
  fprintf(stream, "%s %s %s", names_thread_label(names, deadlock->legs[0].thread),
          freed     ? "gave back the memory of"
          : refused ? "tried to destroy"
                    : "destroyed",
          lock);
  if (deadlock->leg_count < 2) {
    fputs(" while it was in use", stream);
    return;
  }
  const deadlock_leg_t *user = &deadlock->legs[1];
  bool itself = user->thread == deadlock->legs[0].thread;
  fprintf(stream, " while %s %s it", itself ? "it" : names_thread_label(names, user->thread),
          user->wants ? "waited for" : "held");
  if (itself) fputs(" itself", stream);
}

static void destroyed_write(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock) {
  fputs("hazard: ", stream);
  verdict_misuse(stream, analysis, deadlock);
}

static void livelock_write(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock) {
  const deadlock_leg_t *leg = &deadlock->legs[0];
  fputs("hazard: ", stream);
  threads_write(stream, analysis, deadlock, members_shown(deadlock));
  fprintf(stream, " try each other's locks in vain, %s times in %s",
          quantity_count(leg->count, QUANTITY),
          quantity_time(leg->last_ns - leg->first_ns, QUANTITY));
  fputs(deadlock->over_ns ? ": " : " so far: ", stream);
  verdict_cycle_short(stream, analysis, deadlock);
}

static void hazard_write(FILE *stream, const analysis_t *analysis, const deadlock_t *deadlock) {
  const deadlock_leg_t *leg = &deadlock->legs[0];
  if (deadlock->kind == DEADLOCK_KIND_POOL) {
    fputs("hazard: ", stream);
    pool_write(stream, analysis, deadlock);
    return;
  }
  if (deadlock->arrived) {
    fputs("hazard: ", stream);
    threads_write(stream, analysis, deadlock, members_shown(deadlock));
    standstill_write(stream, analysis, deadlock);
    return;
  }
  if (deadlock->kind == DEADLOCK_KIND_DESTROYED) {
    destroyed_write(stream, analysis, deadlock);
    return;
  }
  if (deadlock->kind == DEADLOCK_KIND_LIVELOCK) {
    livelock_write(stream, analysis, deadlock);
    return;
  }
  const bool ended = !deadlock->bystander_count && deadlock->signalled >= leg->count;
  fprintf(stream, "%shazard: %s waits on %s while it holds %s", ended ? "no deadlock, but a " : "",
          names_thread_label(analysis->names, leg->thread),
          names_address(analysis->names, "a condition", deadlock->condition),
          names_lock_unique(analysis->names, leg->holds));
  if (ended && leg->count == 1)
    fputs(", though that wait ended", stream);
  else if (ended)
    fprintf(stream, ", though all %s such waits ended", quantity_count(leg->count, QUANTITY));
  if (!deadlock->bystander_count) return;
  const deadlock_bystander_t *stuck = &deadlock->bystanders[0];
  uint64_t end = models_end_ns(analysis->models);
  fprintf(stream, ", for which %s", names_thread_label(analysis->names, stuck->thread));
  if (deadlock->bystander_count > 1) fprintf(stream, " and %u more", deadlock->bystander_count - 1);
  fprintf(stream, " %s waited %s by now", deadlock->bystander_count > 1 ? "have" : "has",
          quantity_time(end > stuck->since_ns ? end - stuck->since_ns : 0, QUANTITY));
}

// One that has not ended is what holds the program up now.
static bool stall_is_graver(const loop_stall_t *stall, const loop_stall_t *than) {
  if (stall->open != than->open) return stall->open;
  return stall->duration_ns > than->duration_ns;
}

static void stall_write(FILE *stream, const analysis_t *analysis) {
  const loops_t *loops = models_loops(analysis->models);
  const loop_stall_t *worst = NULL;
  uint64_t count = 0;
  uint32_t of = 0;
  for (uint32_t i = 0; i < loops_count(loops); i++) {
    const loop_t *loop = loops_get(loops, i);
    count += loop->stall_count;
    for (uint32_t j = 0; j < loop->kept_stalls; j++)
      if (!worst || stall_is_graver(&loop->stalls[j], worst)) {
        worst = &loop->stalls[j];
        of = loop->id;
      }
  }
  fprintf(stream, "event loop stalled %s time%s", quantity_count(count, QUANTITY),
          quantity_plural(count));
  if (!worst) return;
  const char *site = names_site(analysis->names, worst->stack);
  const char *when = !worst->open                                ? "longest"
                     : reader_summary(analysis->reader)->running ? "now for"
                                                                 : "at the end for";
  fprintf(stream, ", %s %s in %s", when, quantity_time(worst->duration_ns, QUANTITY),
          names_thread_label(analysis->names, worst->thread));
  const task_t *task =
      worst->task ? tasks_by_id(models_tasks(analysis->models), worst->task) : NULL;
  if (task) fprintf(stream, ", handling %s", names_descriptor(analysis->names, task));
  if (worst->who) fprintf(stream, ", handling %s", worst->who);
  if (worst->blocked_ns > worst->duration_ns / 2 && worst->blocked_kind < TRACE_KIND_LIMIT)
    fprintf(stream, ", blocked in %s%s%s", trace_event_kinds[worst->blocked_kind].name,
            *worst->blocked_on ? " on " : "", worst->blocked_on);
  if (*site) fprintf(stream, " at %s", site);
  if (worst->blocked_ns <= worst->duration_ns / 2 &&
      scheduling_is_starved(analysis->models, of, worst->duration_ns))
    fputs(" (but that thread often waited for a processor)", stream);
}

static void contention_of(FILE *stream, const analysis_t *analysis, const lock_t *lock) {
  fprintf(stream, "contention: threads waited %s because %s was held, at most %s at once, ",
          quantity_time(lock->blamed_ns, QUANTITY), names_lock_unique(analysis->names, lock->id),
          quantity_time(lock->wait_ns.max, QUANTITY));
  blamed_site_t most = sites_blamed(analysis, lock);
  if (most.name)
    fprintf(stream, "%s of it by %s", quantity_share(most.ns, most.total_ns, QUANTITY), most.name);
  else
    sites_unnamed_write(stream, &most);
}

static void contention_write(FILE *stream, const analysis_t *analysis) {
  ranking_t ranking = ranking_locks(analysis, OPTIONS_SORT_DEFAULT);
  const lock_t *lock =
      ranking.count ? locks_get(models_locks(analysis->models), ranking.ids[0]) : NULL;
  if (lock) contention_of(stream, analysis, lock);
  ranking_free(&ranking);
}

static void left_write(FILE *stream, const analysis_t *analysis) {
  analysis_left_t left = analysis_left(analysis);
  fprintf(stream, "%s in %s block%s left at exit", quantity_bytes(left.bytes, QUANTITY),
          quantity_count(left.blocks, QUANTITY), quantity_plural(left.blocks));
  const char *from = left.worst ? names_site(analysis->names, left.worst->stack) : "";
  if (*from) fprintf(stream, ", most from %s", from);
}

static void leak_write(FILE *stream, const analysis_t *analysis) {
  fputs("leak: ", stream);
  left_write(stream, analysis);
}

// Whether an earlier warning is of the same lint.
static bool lint_is_told(const warnings_t *warnings, size_t index) {
  for (size_t i = 0; i < index; i++)
    if (warnings->items[i].lint.confidence &&
        warnings->items[i].where == warnings->items[index].where)
      return true;
  return false;
}

// Lints are no verdict, but whoever reads no further should know of them. Not those that are sure
// of little.
static void lints_write(FILE *stream, const analysis_t *analysis) {
  const warnings_t *warnings = analysis->warnings;
  const char *gap = "; but see WARNINGS: ";
  for (size_t i = 0; warnings && i < warnings->count; i++) {
    const char *confidence = warnings->items[i].lint.confidence;
    if (!confidence || !strcmp(confidence, "low") || lint_is_told(warnings, i)) continue;
    fprintf(stream, "%s%s", gap, warnings->items[i].where);
    gap = ", ";
  }
}

// Workers of pools that do not come back.
static void stuck_write(FILE *stream, const analysis_t *analysis) {
  const pools_t *pools = loops_pools(models_loops(analysis->models));
  uint64_t end = models_end_ns(analysis->models);
  for (uint32_t i = 0; i < pools_count(pools); i++) {
    const pool_t *pool = pools_get(pools, i);
    if (!pool->stuck_count) continue;
    const pool_stuck_t *stuck = &pool->stuck[0];
    const thread_account_t *thread = threads_get(models_threads(analysis->models), stuck->thread);
    fprintf(stream, "; worker %s has been in one job for %s, %s",
            names_thread_label(analysis->names, stuck->thread),
            quantity_time(end - stuck->since_ns, QUANTITY), thread_state_text(thread->state));
    const char *site = names_site(analysis->names, thread->pending.stack);
    if (*site) fprintf(stream, " in %s", site);
    return;
  }
}

// Where it was ended from outside, or runs: every thread waits for another one, on something of
// which nobody knows who owns it.
static bool all_wait(const analysis_t *analysis) {
  const threads_t *threads = models_threads(analysis->models);
  const reader_summary_t *summary = reader_summary(analysis->reader);
  const unsigned waits = 1u << TRACE_PENDING_LOCK | 1u << TRACE_PENDING_CONDITION |
                         1u << TRACE_PENDING_JOIN | 1u << TRACE_PENDING_BARRIER |
                         1u << TRACE_PENDING_FUTEX;
  uint32_t count = 0;
  if (!summary->running && summary->end_how != TRACE_END_DIED) return false;
  for (uint32_t id = 1; id < threads_limit(threads); id++) {
    const thread_account_t *thread = threads_get(threads, id);
    if (!thread->seen || thread->ended) continue;
    bool stopped = !summary->running || thread->quiet;
    if (!stopped || thread->pending.timed || !(waits >> thread->pending.what & 1)) return false;
    count++;
  }
  return count > 0;
}

// Nothing is claimed of what was not recorded.
static void nothing_write(FILE *stream, const analysis_t *analysis) {
  const models_t *models = analysis->models;
  fputs("nothing wrong was found:", stream);
  const char *gap = " ";
  if (models_family_count(models, TRACE_FAMILY_LOCK)) {
    fputs(" no deadlock, no doubtful order of locks, no contention", stream);
    gap = ", ";
  }
  if (loops_count(models_loops(models))) {
    fprintf(stream, "%sno stall of an event loop", gap);
    gap = ", ";
  }
  if (models_family_count(models, TRACE_FAMILY_HEAP) && fail_on_leaks_known(models)) {
    fputs(gap, stream);
    if (analysis->found >> FAIL_ON_LEAK & 1)
      left_write(stream, analysis);
    else
      fputs("no leak", stream);
    gap = ", ";
  }
  if (gap[0] == ' ') fputs(" no locks, event loops or heap were recorded to the end", stream);
  if (all_wait(analysis))
    fprintf(stream, "; but all of its threads %s, and who would wake them is not known",
            reader_summary(analysis->reader)->running ? "wait" : "waited");
}

static void lost_write(FILE *stream, const analysis_t *analysis) {
  nothing_write(stream, analysis);
  fputs("; but ", stream);
  const reader_summary_t *summary = reader_summary(analysis->reader);
  if (summary->lost)
    fprintf(stream, "%s event%s missing", quantity_count(summary->lost, QUANTITY),
            summary->lost == 1 ? " is" : "s are");
  else
    fputs("the trace is damaged", stream);
}

static void kind_write(FILE *stream, const analysis_t *analysis, fail_on_kind_t kind) {
  const unsigned possible = 1u << DEADLOCK_FEASIBLE | 1u << DEADLOCK_POTENTIAL;
  const deadlock_t *deadlock;
  switch (kind) {
  case FAIL_ON_DEADLOCK:
    if ((deadlock = deadlock_first(analysis, 1u << DEADLOCK_ACTUAL)))
      actual_write(stream, analysis, deadlock);
    return;
  case FAIL_ON_POTENTIAL_DEADLOCK:
    if ((deadlock = deadlock_first(analysis, possible))) order_write(stream, analysis, deadlock);
    return;
  case FAIL_ON_HAZARD:
    if ((deadlock = deadlock_first(analysis, 1u << DEADLOCK_HAZARD)))
      hazard_write(stream, analysis, deadlock);
    return;
  case FAIL_ON_STALL:
    stall_write(stream, analysis);
    return;
  case FAIL_ON_CONTENTION:
    contention_write(stream, analysis);
    return;
  case FAIL_ON_LEAK:
    leak_write(stream, analysis);
    return;
  case FAIL_ON_LOST:
    lost_write(stream, analysis);
    return;
  case FAIL_ON_COUNT:
    return;
  }
}

// What there is beside the first finding, briefly.
static void also_write(FILE *stream, const analysis_t *analysis, fail_on_kind_t first) {
  static const char *const brief[FAIL_ON_COUNT] = {[FAIL_ON_STALL] = "stalls of an event loop",
                                                   [FAIL_ON_CONTENTION] = "contention",
                                                   [FAIL_ON_LEAK] = "leaks",
                                                   [FAIL_ON_LOST] = "lost events or damage"};
  size_t actual = deadlock_count(analysis, 1u << DEADLOCK_ACTUAL);
  size_t possible = deadlock_count(analysis, 1u << DEADLOCK_FEASIBLE | 1u << DEADLOCK_POTENTIAL);
  size_t hazards = deadlock_count(analysis, 1u << DEADLOCK_HAZARD);
  const char *gap = "; also ";
  actual -= actual && first == FAIL_ON_DEADLOCK;
  possible -= possible && first == FAIL_ON_POTENTIAL_DEADLOCK;
  hazards -= hazards && first == FAIL_ON_HAZARD;
  if (actual) fprintf(stream, "%s%zu more deadlock%s", gap, actual, quantity_plural(actual));
  if (actual) gap = ", ";
  if (possible)
    fprintf(stream, "%s%zu potential deadlock%s", gap, possible, quantity_plural(possible));
  if (possible) gap = ", ";
  if (hazards) fprintf(stream, "%s%zu hazard%s", gap, hazards, quantity_plural(hazards));
  if (hazards) gap = ", ";
  uint32_t rest = analysis->grave & ~(1u << first);
  if (first == FAIL_ON_DEADLOCK) rest &= ~(1u << FAIL_ON_CONTENTION);  // the same waits
  for (int kind = 0; kind < FAIL_ON_COUNT; kind++)
    if (brief[kind] && rest >> kind & 1) {
      fprintf(stream, "%s%s", gap, brief[kind]);
      gap = ", ";
    }
}

// A hazard in or behind which somebody is stuck is why it goes no further: before contention.
static bool hazard_holds_up(const analysis_t *analysis) {
  const deadlock_t *hazard = deadlock_first(analysis, 1u << DEADLOCK_HAZARD);
  return hazard && deadlock_holds_up(hazard);
}

// Its workers were named already.
static bool tells_of_pool(const analysis_t *analysis, fail_on_kind_t first) {
  const deadlock_t *deadlock = analysis->deadlocks->count ? analysis->deadlocks->items : NULL;
  return (first == FAIL_ON_DEADLOCK || first == FAIL_ON_HAZARD) && deadlock &&
         deadlock->kind == DEADLOCK_KIND_POOL;
}

void verdict_write(FILE *stream, const analysis_t *analysis) {
  static const fail_on_kind_t gravest[] = {FAIL_ON_DEADLOCK, FAIL_ON_POTENTIAL_DEADLOCK,
                                           FAIL_ON_STALL,    FAIL_ON_CONTENTION,
                                           FAIL_ON_HAZARD,   FAIL_ON_LEAK,
                                           FAIL_ON_LOST};
  for (size_t i = 0; i < sizeof gravest / sizeof *gravest; i++)
    if (analysis->grave >> gravest[i] & 1) {
      bool held_up = gravest[i] == FAIL_ON_STALL || gravest[i] == FAIL_ON_CONTENTION;
      fail_on_kind_t first = held_up && hazard_holds_up(analysis) ? FAIL_ON_HAZARD : gravest[i];
      kind_write(stream, analysis, first);
      also_write(stream, analysis, first);
      if (!tells_of_pool(analysis, first)) stuck_write(stream, analysis);
      return;
    }
  nothing_write(stream, analysis);
  stuck_write(stream, analysis);
  lints_write(stream, analysis);
}

void verdict_write_joined(FILE *stream, const analysis_t *analysis) {
  if (analysis->found)
    verdict_write(stream, analysis);
  else
    fputs("no deadlock, no doubtful order and no contention of the locks that they share was found",
          stream);
}
