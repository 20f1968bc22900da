// SPDX-License-Identifier: Apache-2.0
// What is known of pools at the end of the record: who is stuck, who waits for work, advice.
#include "analyzer/models/array.h"
#include "analyzer/models/pools_private.h"

#include <stdlib.h>

enum { LARGE_LEAST = 4 };

static const char *const advice_names[] = {
#define ADVICE(NAME, key) key,
    POOL_ADVICE_TABLE(ADVICE)
#undef ADVICE
};

const char *pool_advice_name(pool_advice_t advice) { return advice_names[advice]; }

// A job may be to wait for others' work: to accept, or to look after a loop.
static bool waits_for_work(const worker_t *worker) {
  return worker->pending_what == TRACE_PENDING_ACCEPT ||
         worker->pending_what == TRACE_PENDING_EPOLL || worker->pending_what == TRACE_PENDING_POLL;
}

static void note_stuck(const worker_t *worker, member_t *member, uint32_t thread, uint64_t end_ns) {
  pool_t *pool = member->pool;
  if (waits_for_work(worker)) return;
  uint64_t length = end_ns > member->job_ns ? end_ns - member->job_ns : 0;
  if (!member->in_job || length < POOL_STUCK_NS || length / 10 < pool->job_ns.max) return;
  ARRAY_RESERVE(pool->stuck, pool->stuck_capacity, pool->stuck_count + 1);
  pool->stuck[pool->stuck_count++] = (pool_stuck_t){thread, member->job_ns};
}

// At the end it waits for work: its last job ended when that wait began.
static void settle_pending(worker_t *worker, uint64_t end_ns) {
  if (!worker->pending_ns) return;
  pools_settle(worker, worker->pending_ns, true);
  for (uint32_t at = 0; at < worker->count; ++at) {
    member_t *member = &worker->members[at];
    if (worker->pending_object != member->pool->object) continue;
    pools_end_job(member, worker->pending_ns, true);
    if (end_ns > worker->pending_ns) member->idle_ns += end_ns - worker->pending_ns;
  }
}

static pool_advice_t advise(const pool_t *pool) {
  uint64_t median = histogram_quantile(&pool->job_ns, 0.5);
  if (pool->locked_ns > pool->job_ns.total / 4) return POOL_ADVICE_LOCK_BOUND;
  if (pool->utilization > 0.9 && histogram_quantile(&pool->queue_ns, 0.5) > median)
    return POOL_ADVICE_TOO_SMALL;
  if (pool->thread_count >= LARGE_LEAST && pool->max_busy * 2 <= pool->thread_count)
    return POOL_ADVICE_TOO_LARGE;
  return POOL_ADVICE_NONE;
}

static void finish_pool(pools_t *pools, pool_t *pool) {
  const queue_t *queue = pools_queue(pools, pool->object);
  pool->given = queue->given;
  pool->left = queue->waiting.count;
  pool->is_lock = pool->kind == POOL_SEMAPHORE && queue->own * 2 > queue->given;
  uint64_t span = pool->last_ns > pool->first_ns ? pool->last_ns - pool->first_ns : 0;
  if (pool->life_ns) pool->utilization = (double)pool->job_ns.total / (double)pool->life_ns;
  if (pool->utilization > 1) pool->utilization = 1;
  if (span) pool->backlog = (double)pool->queue_ns.total / (double)span;
  if (span && pool->life_ns > pool->job_ns.total)
    pool->waiting = (double)(pool->life_ns - pool->job_ns.total) / (double)span;
  pool->advice = advise(pool);
}

// What is written to a pipe by another process is no queue of this one; a loop's only thread is no
// worker; and a semaphore that is used as a lock hands out no jobs.
static bool is_pool(const pool_t *pool) {
  if (pool->kind == POOL_DESCRIPTOR && pool->given * 2 < pool->jobs) return false;
  if (pool->kind == POOL_LOOP && pool->thread_count < 2) return false;
  if (pool->is_lock) return false;
  return pool->jobs >= POOL_JOBS_LEAST || pool->stuck_count || (pool->asking && pool->left);
}

static void finish_worker(worker_t *worker, uint32_t thread, uint64_t end_ns) {
  if (worker->ended) return;
  settle_pending(worker, end_ns);
  pools_settle(worker, end_ns, false);
  for (uint32_t at = 0; at < worker->count; ++at) {
    const member_t *member = &worker->members[at];
    member->pool->asking += member->in_job && member->asked;
    note_stuck(worker, &worker->members[at], thread, end_ns);
    pools_end_member(&worker->members[at], end_ns);
  }
}

// A wait in epoll is idle whatever it is for.
static void sum_idle(worker_t *worker) {
  for (uint32_t at = 0; at < worker->count; ++at) {
    const member_t *member = &worker->members[at];
    if (member->pool->kind == POOL_LOOP || !is_pool(member->pool)) continue;
    worker->idle_ns += member->idle_ns;
    worker->idles |=
        !worker->ended && worker->pending_ns && worker->pending_object == member->pool->object;
  }
}

static void keep_pools(pools_t *pools) {
  uint32_t kept = 0;
  for (uint32_t at = 0; at < pools->count; ++at) {
    pool_t *pool = pools->items[at];
    queue_t *queue = pools_queue(pools, pool->object);
    if (queue->pool == pool) queue->signals.jobs = pool->jobs;
    if (!is_pool(pool)) {
      if (queue->pool == pool) queue->pool = NULL;
      pools_drop(pool);
      continue;
    }
    pools->items[kept++] = pool;
    pool->id = kept;
  }
  pools->count = kept;
}

void pools_finish(pools_t *pools, uint64_t end_ns) {
  pools_early_finish(pools);
  for (uint32_t thread = 1; thread < pools->capacity; ++thread)
    finish_worker(&pools->workers[thread], thread, end_ns);
  for (uint32_t at = 0; at < pools->count; ++at) finish_pool(pools, pools->items[at]);
  for (uint32_t thread = 1; thread < pools->capacity; ++thread) sum_idle(&pools->workers[thread]);
  keep_pools(pools);
  for (uint32_t thread = 1; thread < pools->capacity; ++thread) pools->workers[thread].count = 0;
}

pool_signals_t pools_signals(const pools_t *pools, uint64_t condition) {
  const queue_t *queue = condition ? address_map_get(&pools->queues, condition) : NULL;
  return queue ? queue->signals : (pool_signals_t){0};
}

uint32_t pools_count(const pools_t *pools) { return pools->count; }

const pool_t *pools_get(const pools_t *pools, uint32_t index) { return pools->items[index]; }

uint64_t pools_idle_ns(const pools_t *pools, uint32_t thread) {
  return thread < pools->capacity ? pools->workers[thread].idle_ns : 0;
}

bool pools_idles(const pools_t *pools, uint32_t thread) {
  return thread < pools->capacity && pools->workers[thread].idles;
}
