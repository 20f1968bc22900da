// SPDX-License-Identifier: Apache-2.0
// Pools whose workers have not waited yet: what they do is counted as if they were a pool's, and is
// one's when one of them waits where it took the mutex.
#include "analyzer/models/array.h"
#include "analyzer/models/pools_private.h"

#include <stdlib.h>
#include <xxhash.h>

// LOOKS: a worker that takes its queue's mutex does so among the first. JOBS: what is found without
// ever waiting, before it is given up.
enum { LOOKS_MAX = 64, POOLS_MAX = 512, JOBS_MAX = POOL_SIGNALS_MAX };

static uint64_t key_of(uint64_t routine, uint64_t mutex, uint32_t stack) {
  uint64_t parts[3] = {routine, mutex, stack};
  return XXH3_64bits(parts, sizeof parts) | 1;
}

static early_t *early_of(pools_t *pools, uint64_t routine, const reader_event_t *event,
                         uint64_t time) {
  uint64_t key = key_of(routine, event->words[0], event->stack);
  early_t **known = address_map_get(&pools->early, key);
  if (known) return *known;
  if (pools->early.count >= POOLS_MAX) return NULL;
  early_t *early = array_zeroed(1, sizeof *early);
  *(early_t **)address_map_put(&pools->early, key) = early;
  early->key = key;
  early->mutex = event->words[0];
  early->assumed = true;
  early->pool.early = true;
  early->pool.routine = routine;
  early->pool.fetch_stack = event->stack;
  early->pool.first_ns = time;
  return early;
}

static unsigned early_count(const worker_t *worker) {
  unsigned count = 0;
  for (uint32_t at = 0; at < worker->count; ++at) {
    const early_t *early = pools_early(worker->members[at].pool);
    count += early && early->assumed;
  }
  return count;
}

void pools_note_early(pools_t *pools, const reader_event_t *event, uint64_t from) {
  worker_t *worker = pools_worker(pools, event->thread);
  if (worker->early_looks >= LOOKS_MAX || !event->words[0]) return;
  ++worker->early_looks;
  if (early_count(worker) >= EARLY_MEMBERSHIPS) return;
  early_t *early = early_of(pools, worker->routine, event, from);
  if (!early || early->take_count >= JOBS_MAX) return;
  for (uint32_t at = 0; at < worker->count; ++at)
    if (worker->members[at].pool == &early->pool) return;
  member_t *member = pools_add_member(worker, event->thread, &early->pool, from);
  if (!member) return;
  member->mutex = early->mutex;
  ++early->alive;
}

void pools_early_take(early_t *early, uint64_t time) {
  if (early->take_count >= JOBS_MAX) return;
  ARRAY_RESERVE(early->takes, early->take_capacity, early->take_count + 1);
  early->takes[early->take_count++] = time;
}

bool pools_early_is_full(const early_t *early) { return early->take_count >= JOBS_MAX; }

static void free_early(pools_t *pools, early_t *early) {
  address_map_remove(&pools->early, early->key, NULL);
  free(early->takes);
  early->takes = NULL;
  if (early->assumed) pools_drop(&early->pool);
}

// ---- memberships -------------------------------------------------------------------------------

static void leave(pools_t *pools, worker_t *worker, uint32_t at, uint64_t time) {
  early_t *early = pools_early(worker->members[at].pool);
  pools_end_member(&worker->members[at], time);
  worker->members[at] = worker->members[--worker->count];
  if (!--early->alive && early->pool.jobs < POOL_JOBS_LEAST) free_early(pools, early);
}

static bool is_assumed(const worker_t *worker, uint32_t at) {
  const early_t *early = pools_early(worker->members[at].pool);
  return early && early->assumed;
}

void pools_early_leave(pools_t *pools, worker_t *worker, uint64_t time) {
  for (uint32_t at = worker->count; at-- > 0;)
    if (is_assumed(worker, at)) leave(pools, worker, at, time);
}

void pools_early_signal(const worker_t *worker) {
  for (uint32_t at = 0; at < worker->count; ++at) {
    early_t *early = pools_early(worker->members[at].pool);
    if (early && early->assumed && early->mutex == worker->last_mutex &&
        early->pool.fetch_stack == worker->last_stack)
      early->gives = true;
  }
}

// ---- confirmed ---------------------------------------------------------------------------------

static int compare_times(const void *left, const void *right) {
  uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
  return a < b ? -1 : a > b;
}

static void replay_take(pool_t *pool, pool_queue_t *queue, uint64_t time) {
  uint64_t queued;
  if (queue->count > pool->max_backlog) pool->max_backlog = queue->count;
  if (pool_queue_take(queue, 1, time, &queued)) histogram_add(&pool->queue_ns, queued);
}

// What was signalled until now, and taken, in the order in which it was.
static void replay(early_t *early, pool_queue_t *queue) {
  pool_queue_t given = *queue;
  *queue = (pool_queue_t){.limit = given.limit, .backlog = given.backlog, .put_ns = given.put_ns};
  uint32_t put = 0, took = 0;
  uint64_t queued;
  if (early->take_count)
    qsort(early->takes, early->take_count, sizeof *early->takes, compare_times);
  while (put < given.count || took < early->take_count) {
    uint64_t next = put < given.count ? pool_queue_time(&given, put) : UINT64_MAX;
    if (took < early->take_count && early->takes[took] < next) {
      replay_take(&early->pool, queue, early->takes[took++]);
      continue;
    }
    pool_queue_put(queue, 1, next, next, &queued);
    ++put;
  }
  pool_queue_clear(&given);
}

static void confirm(pools_t *pools, early_t *early, uint64_t condition) {
  early->assumed = false;
  early->pool.jobs_early = early->pool.jobs;
  pools_register(pools, &early->pool, condition);
  replay(early, &pools_queue(pools, condition)->waiting);
  free(early->takes);
  early->takes = NULL;
}

// It had been left alone after so many jobs.
static member_t *confirm_full(pools_t *pools, uint32_t thread, uint64_t condition) {
  worker_t *worker = pools_worker(pools, thread);
  uint64_t key = key_of(worker->routine, worker->last_mutex, worker->last_stack);
  early_t **early = address_map_get(&pools->early, key);
  if (!early || !(*early)->assumed || !pools_early_is_full(*early)) return NULL;
  confirm(pools, *early, condition);
  (*early)->pool.early_cut = true;
  return pools_add_member(worker, thread, &(*early)->pool, (*early)->pool.first_ns);
}

member_t *pools_confirm(pools_t *pools, uint32_t thread, uint64_t condition, uint64_t mutex) {
  worker_t *worker = pools_worker(pools, thread);
  const queue_t *queue = pools_queue(pools, condition);
  if (!worker->routine || worker->last_mutex != mutex) return NULL;
  for (uint32_t at = 0; at < worker->count; ++at) {
    early_t *early = pools_early(worker->members[at].pool);
    if (!early || !early->assumed || early->mutex != mutex ||
        early->pool.fetch_stack != worker->last_stack)
      continue;
    if (queue->pool && queue->pool->routine == worker->routine) return NULL;
    confirm(pools, early, condition);
    return &worker->members[at];
  }
  return queue->pool ? NULL : confirm_full(pools, thread, condition);
}

// ---- end ---------------------------------------------------------------------------------------

static void confirm_waiting(pools_t *pools) {
  for (uint32_t thread = 1; thread < pools->capacity; ++thread) {
    const worker_t *worker = &pools->workers[thread];
    if (worker->ended || worker->pending_what != TRACE_PENDING_CONDITION) continue;
    pools_confirm(pools, thread, worker->pending_object, worker->pending_second);
  }
}

// The condition that was signalled with that mutex, and that nobody waited for.
static uint64_t find_signalled(const pools_t *pools, const early_t *early) {
  size_t position = 0;
  uint64_t key;
  for (const queue_t *queue; (queue = address_map_next(&pools->queues, &position, &key));)
    if (queue->mutex == early->mutex && !queue->pool && !queue->signals.waits &&
        queue->given >= POOL_JOBS_LEAST && queue->given * 2 >= early->pool.jobs)
      return key;
  return 0;
}

static bool may_be_pool(const early_t *early) {
  return early->assumed && !early->gives && early->pool.jobs >= POOL_JOBS_LEAST;
}

// Of the places where one start routine takes the mutex the one where it fetches is taken once more
// than those where it finishes.
static bool is_best(const pools_t *pools, const early_t *early) {
  size_t position = 0;
  uint64_t key;
  for (early_t **other; (other = address_map_next(&pools->early, &position, &key));)
    if (may_be_pool(*other) && (*other)->mutex == early->mutex &&
        ((*other)->pool.jobs > early->pool.jobs ||
         ((*other)->pool.jobs == early->pool.jobs &&
          (*other)->pool.first_ns < early->pool.first_ns)))
      return false;
  return true;
}

void pools_early_finish(pools_t *pools) {
  size_t position = 0;
  uint64_t key, condition;
  confirm_waiting(pools);
  for (early_t **early; (early = address_map_next(&pools->early, &position, &key));)
    if (may_be_pool(*early) && (condition = find_signalled(pools, *early)) &&
        is_best(pools, *early))
      confirm(pools, *early, condition);
  for (uint32_t thread = 1; thread < pools->capacity; ++thread)
    pools_early_leave(pools, &pools->workers[thread], 0);
  pools_early_close(pools);
}

void pools_early_close(pools_t *pools) {
  size_t position = 0;
  uint64_t key;
  for (early_t **early; (early = address_map_next(&pools->early, &position, &key));) {
    free((*early)->takes);
    (*early)->takes = NULL;
    if ((*early)->assumed) pools_drop(&(*early)->pool);
  }
  address_map_clear(&pools->early);
}
