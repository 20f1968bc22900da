// SPDX-License-Identifier: Apache-2.0
// Pools that wait for themselves: every worker waits inside a job, one of them at least has put a
// job into its own queue before, and jobs in the queue wait for a worker. Where nobody else is left
// to end one of these waits it is a deadlock, else a hazard, and only after a while.
#include "analyzer/findings/deadlocks_private.h"

#include "analyzer/models/array.h"

enum { WORKERS_SHOWN = 8 };
#define HAZARD_LEAST_NS UINT64_C(1000000000)

typedef struct {
  deadlock_search_t *search;
  const threads_t *threads;
  bool running, standstill;
} pool_search_t;

static bool is_alive(const pool_search_t *pools, uint32_t thread) {
  const thread_account_t *account = threads_get(pools->threads, thread);
  return account->seen && !account->ended;
}

// For something that is not known to be held, and that another thread may give: the end of a job.
static bool waits_for_others(const thread_pending_t *pending) {
  switch (pending->what) {
  case TRACE_PENDING_CONDITION:
  case TRACE_PENDING_FUTEX:
    return !pending->timed;
  case TRACE_PENDING_LOCK:
    return (pending->second & TRACE_LOCK_WHAT) == TRACE_LOCK_SEMAPHORE &&
           !(pending->second & (TRACE_LOCK_TIMED | TRACE_LOCK_TRY));
  default:
    return false;
  }
}

static bool waits_in_job(const pool_search_t *pools, const pool_t *pool, uint32_t thread) {
  const thread_account_t *account = threads_get(pools->threads, thread);
  const thread_pending_t *pending = &account->pending;
  if ((pools->running && !account->quiet) || !waits_for_others(pending)) return false;
  uint64_t least = pools->standstill ? 0 : HAZARD_LEAST_NS;
  return pending->object != pool->object &&
         models_end_ns(pools->search->models) >= pending->since_ns + least;
}

// How many workers there are; 0: one of them does not wait inside a job.
static uint32_t count_waiting(const pool_search_t *pools, const pool_t *pool) {
  uint32_t count = 0;
  if (pool->thread_count > POOL_THREADS_MAX) return 0;
  for (uint32_t at = 0; at < pool->thread_count; ++at) {
    if (!is_alive(pools, pool->threads[at])) continue;
    if (!waits_in_job(pools, pool, pool->threads[at])) return 0;
    ++count;
  }
  return count;
}

static void fill_leg(const pool_search_t *pools, deadlock_leg_t *leg, uint32_t thread) {
  const thread_pending_t *pending = &threads_get(pools->threads, thread)->pending;
  *leg =
      (deadlock_leg_t){.thread = thread,
                       .thread_count = 1,
                       .wants_stack = pending->stack,
                       .condition = pending->what == TRACE_PENDING_CONDITION ? pending->object : 0,
                       .count = 1,
                       .first_ns = pending->since_ns,
                       .last_ns = models_end_ns(pools->search->models)};
  deadlock_note_held(pools->search, leg);
}

static bool has_leg(const deadlock_t *found, uint32_t thread) {
  for (uint32_t leg = 0; leg < found->leg_count; ++leg)
    if (found->legs[leg].thread == thread) return true;
  return false;
}

static bool is_worker(const pool_t *pool, uint32_t thread) {
  for (uint32_t at = 0; at < pool->thread_count; ++at)
    if (pool->threads[at] == thread) return true;
  return false;
}

// Whoever else waits without end in a standstill waits for what the workers would do.
static void add_bystanders(const pool_search_t *pools, const pool_t *pool, deadlock_t *found) {
  for (uint32_t thread = 1; thread < threads_limit(pools->threads); ++thread) {
    if (!is_alive(pools, thread) || has_leg(found, thread) || is_worker(pool, thread)) continue;
    deadlock_add_bystander(pools->search, found, thread);
  }
}

static void report(pool_search_t *pools, const pool_t *pool, uint32_t workers) {
  deadlock_verdict_t verdict = pools->standstill ? DEADLOCK_ACTUAL : DEADLOCK_HAZARD;
  uint32_t legs = workers < WORKERS_SHOWN ? workers : WORKERS_SHOWN, leg = 0;
  deadlock_t *found =
      deadlock_add(pools->search, verdict, DEADLOCK_KIND_POOL, DEADLOCK_REASON_POOL_WAITS, legs);
  found->condition = pool->kind == POOL_CONDITION ? pool->object : 0;
  found->arrived = workers;
  found->queued = pool->left;
  for (uint32_t at = 0; at < pool->thread_count && leg < legs; ++at)
    if (is_alive(pools, pool->threads[at])) fill_leg(pools, &found->legs[leg++], pool->threads[at]);
  found->why_not_ruled_out = 1u << DEADLOCK_DOUBT_INDEX_AT_END;
  if (pools->standstill) {
    found->why_not_ruled_out |= 1u << DEADLOCK_DOUBT_INDEX_STANDSTILL;
    add_bystanders(pools, pool, found);
  }
  if (pools->running) found->why_not_ruled_out |= 1u << DEADLOCK_DOUBT_INDEX_QUIET;
}

bool pool_waits_search(deadlock_search_t *search, bool running, bool standstill) {
  pool_search_t pools = {search, models_threads(search->models), running, standstill};
  const pools_t *all = loops_pools(models_loops(search->models));
  bool found = false;
  for (uint32_t at = 0; at < pools_count(all); ++at) {
    const pool_t *pool = pools_get(all, at);
    uint32_t workers = pool->left && pool->asking ? count_waiting(&pools, pool) : 0;
    if (!workers || (found && standstill)) continue;
    report(&pools, pool, workers);
    found = true;
  }
  return found;
}
