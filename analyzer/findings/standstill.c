// SPDX-License-Identifier: Apache-2.0
// A process in which every thread waits for another: whoever waits for a condition or at a barrier
// does so for ever, for nobody is left to signal it or to come. No cycle of locks is needed for
// that: a wake-up that came too early, a thread too few.
//
// Without a standstill less is said. A thread that runs may signal, or create those that are
// missing: a barrier for which too few threads are left is a hazard, and only after a while.
#include "analyzer/findings/deadlocks_private.h"
#include "analyzer/models/array.h"

#include <stdlib.h>

enum { WAITERS_MAX = 8 };  // named in a finding; the others are bystanders
#define HAZARD_LEAST_NS UINT64_C(1000000000)

typedef struct {
  deadlock_search_t *search;
  const threads_t *threads;
  const locks_t *locks;
  bool running;
  uint32_t limit;
} standstill_t;

static const thread_account_t *living(const standstill_t *still, uint32_t thread) {
  const thread_account_t *account = threads_get(still->threads, thread);
  return account->seen && !account->ended ? account : NULL;
}

static bool is_shared(const standstill_t *still, const thread_pending_t *pending) {
  const lock_t *mutex = locks_at(still->locks, pending->second);
  switch (pending->what) {
  case TRACE_PENDING_CONDITION:
    return mutex && mutex->bits & TRACE_LOCK_PROCESS_SHARED;
  case TRACE_PENDING_LOCK:
  case TRACE_PENDING_BARRIER:
    return pending->second & TRACE_LOCK_PROCESS_SHARED;
  default:
    return false;
  }
}

// Only another thread of the process can end the wait. A semaphore may be posted by a signal
// handler, and who may wake a futex is not known.
static bool waits_inside(const standstill_t *still, const thread_account_t *account) {
  const thread_pending_t *pending = &account->pending;
  if ((still->running && !account->quiet) || pending->timed || is_shared(still, pending))
    return false;
  switch (pending->what) {
  case TRACE_PENDING_CONDITION:
  case TRACE_PENDING_JOIN:
  case TRACE_PENDING_BARRIER:
    return true;
  case TRACE_PENDING_LOCK:
    return !(pending->second & (TRACE_LOCK_TIMED | TRACE_LOCK_TRY)) &&
           (pending->second & TRACE_LOCK_WHAT) != TRACE_LOCK_SEMAPHORE;
  default:
    return false;
  }
}

// How many threads could still do something.
static uint32_t count_active(const standstill_t *still) {
  uint32_t count = 0;
  for (uint32_t thread = 1; thread < still->limit; ++thread) {
    const thread_account_t *account = living(still, thread);
    count += account && !waits_inside(still, account);
  }
  return count;
}

// ---- findings ----------------------------------------------------------------------------------

static bool waits_at(const standstill_t *still, uint32_t thread, uint32_t what, uint64_t object) {
  const thread_account_t *account = living(still, thread);
  return account && account->pending.what == what && account->pending.object == object &&
         waits_inside(still, account);
}

static uint32_t count_waiters(const standstill_t *still, uint32_t what, uint64_t object,
                              uint32_t until) {
  uint32_t count = 0;
  for (uint32_t thread = 1; thread < until; ++thread)
    count += waits_at(still, thread, what, object);
  return count;
}

static void fill_leg(const standstill_t *still, deadlock_leg_t *leg, uint32_t thread) {
  const thread_pending_t *pending = &threads_get(still->threads, thread)->pending;
  *leg = (deadlock_leg_t){.thread = thread,
                          .thread_count = 1,
                          .wants_stack = pending->stack,
                          .count = 1,
                          .first_ns = pending->since_ns,
                          .last_ns = models_end_ns(still->search->models)};
  deadlock_note_held(still->search, leg);
}

// Everybody else is stuck behind it.
static void add_bystanders(const standstill_t *still, deadlock_t *found) {
  for (uint32_t thread = 1; thread < still->limit; ++thread) {
    const thread_account_t *account = living(still, thread);
    if (account && account->pending.object != found->condition)
      deadlock_add_bystander(still->search, found, thread);
  }
}

static deadlock_t *add_finding(standstill_t *still, deadlock_verdict_t verdict, uint32_t first) {
  const thread_pending_t *pending = &threads_get(still->threads, first)->pending;
  bool barrier = pending->what == TRACE_PENDING_BARRIER;
  uint32_t waiters = count_waiters(still, pending->what, pending->object, still->limit);
  uint32_t legs = waiters < WAITERS_MAX ? waiters : WAITERS_MAX, leg = 0;
  deadlock_t *found = deadlock_add(
      still->search, verdict, barrier ? DEADLOCK_KIND_BARRIER : DEADLOCK_KIND_CONDITION,
      barrier ? DEADLOCK_REASON_MISSING_PARTY : DEADLOCK_REASON_NOBODY_SIGNALS, legs);
  found->condition = pending->object;
  found->arrived = waiters;
  found->parties = barrier ? locks_barrier_parties(still->locks, pending->object) : 0;
  for (uint32_t thread = first; thread < still->limit && leg < legs; ++thread)
    if (waits_at(still, thread, pending->what, pending->object))
      fill_leg(still, &found->legs[leg++], thread);
  found->why_not_ruled_out = 1u << DEADLOCK_DOUBT_INDEX_AT_END;
  if (verdict == DEADLOCK_ACTUAL) found->why_not_ruled_out |= 1u << DEADLOCK_DOUBT_INDEX_STANDSTILL;
  if (still->running) found->why_not_ruled_out |= 1u << DEADLOCK_DOUBT_INDEX_QUIET;
  return found;
}

static bool is_first(const standstill_t *still, uint32_t thread, uint32_t what) {
  const thread_account_t *account = living(still, thread);
  return account && account->pending.what == what && waits_inside(still, account) &&
         !count_waiters(still, what, account->pending.object, thread);
}

// Of all that threads wait for the one that most of them wait for: a barrier or condition.
static uint32_t most_waited_for(const standstill_t *still) {
  uint32_t best = 0, most = 0;
  for (uint32_t thread = 1; thread < still->limit; ++thread) {
    const thread_account_t *account = living(still, thread);
    if (!account || (!is_first(still, thread, TRACE_PENDING_BARRIER) &&
                     !is_first(still, thread, TRACE_PENDING_CONDITION)))
      continue;
    uint32_t waiters =
        count_waiters(still, account->pending.what, account->pending.object, still->limit);
    if (waiters <= most) continue;
    most = waiters;
    best = thread;
  }
  return best;
}

static void report_standstill(standstill_t *still) {
  uint32_t first = most_waited_for(still);
  if (first) add_bystanders(still, add_finding(still, DEADLOCK_ACTUAL, first));
}

// Too few threads are left for a barrier, and none has come for a while.
static void report_barriers(standstill_t *still, uint32_t active) {
  uint64_t end = models_end_ns(still->search->models);
  for (uint32_t thread = 1; thread < still->limit; ++thread) {
    if (!is_first(still, thread, TRACE_PENDING_BARRIER)) continue;
    const thread_pending_t *pending = &threads_get(still->threads, thread)->pending;
    uint32_t parties = locks_barrier_parties(still->locks, pending->object);
    uint32_t waiters = count_waiters(still, pending->what, pending->object, still->limit);
    if (waiters + active < parties && end >= pending->since_ns + HAZARD_LEAST_NS)
      add_finding(still, DEADLOCK_HAZARD, thread);
  }
}

// What follows from what threads do at the end needs all of them, and an end that they did not
// choose.
static bool end_tells(const standstill_t *still) {
  const reader_t *reader = models_reader(still->search->models);
  if (!reader) return true;
  const reader_summary_t *summary = reader_summary(reader);
  bool chosen = summary->end_how != TRACE_END_DIED && summary->end_how != -1;
  return reader_part_count(reader) == 1 && !summary->lost && !summary->damaged &&
         (summary->running || !chosen);
}

void standstill_search(deadlock_search_t *search) {
  const reader_t *reader = models_reader(search->models);
  standstill_t still = {.search = search,
                        .threads = models_threads(search->models),
                        .locks = models_locks(search->models),
                        .running = reader && reader_summary(reader)->running};
  still.limit = threads_limit(still.threads);
  if (!end_tells(&still)) return;
  uint32_t active = count_active(&still);
  if (!active && search->result->count) return;  // the others wait behind what was found
  bool pool = pool_waits_search(search, still.running, !active);
  if (active)
    report_barriers(&still, active);
  else if (!pool)
    report_standstill(&still);
}
