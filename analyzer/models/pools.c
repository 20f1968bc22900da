// SPDX-License-Identifier: Apache-2.0
// Pools from waits, signals and the locks of their queues.
#include "analyzer/models/pools.h"

#include "analyzer/models/address_map.h"
#include "analyzer/models/array.h"
#include "analyzer/models/pool_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

enum { MEMBERSHIPS = 4, SIGNALS_WITHOUT_POOL = 64, JOBS_LEAST = 3, LARGE_LEAST = 4 };
// A read that took this long had to wait: there was nothing.
#define EMPTY_READ_NS UINT64_C(1000000)

// What is signalled and not begun, and who waits for it.
typedef struct {
  pool_queue_t waiting;
  pool_signals_t signals;
  pool_t *pool;  // whose it is, NULL: no pool's
} queue_t;

// A thread in one pool.
typedef struct {
  pool_t *pool;
  uint64_t mutex;  // of the condition; 0: a semaphore
  uint64_t begun_ns;
  uint64_t job_ns;  // since when; valid in a job and while `ending`
  uint64_t jobs;
  bool fetching, in_job;
  bool ending;     // the job has ended before the next stamp
  bool timed_out;  // the last wait gave up
} member_t;

typedef struct {
  uint64_t routine;
  uint64_t last_mutex;  // acquired last, and where
  uint32_t last_stack;
  uint64_t pending_object, pending_ns;  // the call it is in at the end
  uint32_t pending_what;
  uint32_t count;
  member_t members[MEMBERSHIPS];
} worker_t;

struct pools {
  worker_t *workers;  // by thread index
  uint32_t capacity;
  address_map_t queues;  // condition or semaphore -> queue_t
  address_map_t by_key;  // routine and object -> pool_t *
  pool_t **items;        // kept ones, after pools_finish
  uint32_t count, item_capacity;
};

static const char *const advice_names[] = {
#define ADVICE(NAME, key) key,
    POOL_ADVICE_TABLE(ADVICE)
#undef ADVICE
};

const char *pool_advice_name(pool_advice_t advice) { return advice_names[advice]; }

pools_t *pools_open(void) {
  pools_t *pools = array_zeroed(1, sizeof *pools);
  pools->queues = (address_map_t)ADDRESS_MAP(queue_t);
  return pools;
}

void pools_close(pools_t *pools) {
  if (!pools) return;
  size_t position = 0;
  uint64_t key;
  for (queue_t *queue; (queue = address_map_next(&pools->queues, &position, &key));)
    pool_queue_clear(&queue->waiting);
  for (uint32_t at = 0; at < pools->count; ++at) {
    histogram_clear(&pools->items[at]->job_ns);
    histogram_clear(&pools->items[at]->queue_ns);
    free(pools->items[at]->stuck);
    free(pools->items[at]);
  }
  address_map_clear(&pools->queues);
  address_map_clear(&pools->by_key);
  free(pools->items);
  free(pools->workers);
  free(pools);
}

// ---- queues ------------------------------------------------------------------------------------

// A damaged trace may name no object at all: the map knows no key 0.
static queue_t *queue_of(pools_t *pools, uint64_t object) {
  queue_t *queue = address_map_put(&pools->queues, object ? object : UINT64_MAX);
  if (!queue->waiting.limit) queue->waiting.limit = SIGNALS_WITHOUT_POOL;
  return queue;
}

// No address is that high.
static uint64_t descriptor_key(uint64_t descriptor) {
  return UINT64_C(1) << 63 | (uint32_t)descriptor;
}
static uint64_t loop_key(uint32_t loop) { return UINT64_C(3) << 62 | loop; }

// `from`: when the call began that ended at `until`.
static void put(pools_t *pools, uint64_t object, uint64_t amount, uint64_t from, uint64_t until) {
  queue_t *queue = queue_of(pools, object);
  uint64_t queued;
  bool taken = pool_queue_put(&queue->waiting, amount, from, until, &queued);
  pool_t *pool = queue->pool;
  if (pool) ++pool->given;
  if (taken && pool) histogram_add(&pool->queue_ns, queued);
}

// ---- members -----------------------------------------------------------------------------------

static worker_t *worker_of(pools_t *pools, uint32_t thread) {
  ARRAY_RESERVE(pools->workers, pools->capacity, thread + 1);
  return &pools->workers[thread];
}

static pool_t *pool_of(pools_t *pools, uint64_t routine, uint64_t object, uint64_t time) {
  uint64_t parts[2] = {routine, object};
  pool_t **place = address_map_put(&pools->by_key, XXH3_64bits(parts, sizeof parts) | 1);
  if (*place) return *place;
  pool_t *pool = *place = array_zeroed(1, sizeof *pool);
  ARRAY_RESERVE(pools->items, pools->item_capacity, pools->count + 1);
  pools->items[pools->count++] = pool;
  pool->routine = routine;
  pool->object = object;
  pool->first_ns = time;
  queue_t *queue = queue_of(pools, object);
  queue->waiting.limit = POOL_SIGNALS_MAX;
  queue->waiting.backlog = &pool->backlog_over_time;
  queue->pool = pool;
  return pool;
}

static member_t *member_find(worker_t *worker, uint64_t object) {
  for (uint32_t at = 0; at < worker->count; ++at)
    if (worker->members[at].pool->object == object) return &worker->members[at];
  return NULL;
}

// The thread's membership, made now where it is a worker with room for one more.
static member_t *member_of(pools_t *pools, uint32_t thread, uint64_t object, uint64_t since) {
  worker_t *worker = worker_of(pools, thread);
  member_t *member = member_find(worker, object);
  if (member || !worker->routine || worker->count == MEMBERSHIPS) return member;
  pool_t *pool = pool_of(pools, worker->routine, object, since);
  member = &worker->members[worker->count++];
  *member = (member_t){.pool = pool, .begun_ns = since};
  if (pool->thread_count < POOL_THREADS_MAX) pool->threads[pool->thread_count] = thread;
  ++pool->thread_count;
  return member;
}

static void job_begin(pools_t *pools, member_t *member, uint64_t amount, uint64_t time) {
  pool_t *pool = member->pool;
  pool_queue_t *queue = &queue_of(pools, pool->object)->waiting;
  uint64_t queued;
  if (member->timed_out && !queue->count) return;  // it looked, and found nothing
  member->in_job = true;
  member->job_ns = time;
  if (++pool->busy > pool->max_busy) pool->max_busy = pool->busy;
  if (queue->count > pool->max_backlog) pool->max_backlog = queue->count;
  if (pool_queue_take(queue, amount, time, &queued)) histogram_add(&pool->queue_ns, queued);
}

static void job_count(member_t *member, uint64_t until) {
  member->ending = false;
  ++member->jobs;
  ++member->pool->jobs;
  histogram_add(&member->pool->job_ns, until > member->job_ns ? until - member->job_ns : 0);
}

// A job ends with a request at `from`. Where that has no stamp of its own, the next one tells.
static void job_end(member_t *member, uint64_t from, bool timed) {
  if (!member->in_job) return;
  member->in_job = false;
  --member->pool->busy;
  member->ending = true;
  if (timed) job_count(member, from);
}

static void settle(worker_t *worker, uint64_t time, bool exact) {
  for (uint32_t at = 0; at < worker->count; ++at) {
    member_t *member = &worker->members[at];
    if (!member->ending) continue;
    member->pool->jobs_estimated += !exact;
    job_count(member, time);
  }
}

// ---- events ------------------------------------------------------------------------------------

static void step_wait(pools_t *pools, const reader_event_t *event) {
  uint64_t wait = event->words[2] < event->time ? event->words[2] : event->time;
  worker_t *worker = worker_of(pools, event->thread);
  settle(worker, event->time - wait, true);
  member_t *member = member_of(pools, event->thread, event->words[0], event->time - wait);
  queue_t *queue = queue_of(pools, event->words[0]);
  pool_queue_found_empty(&queue->waiting, event->time - wait);
  ++queue->signals.waits;
  if (!member) return;
  member->mutex = event->words[1];
  member->fetching = true;
  member->timed_out =
      trace_unzigzag(event->arg) == -ETIMEDOUT || trace_unzigzag(event->arg) == ETIMEDOUT;
  if (!member->pool->fetch_stack && worker->last_mutex == member->mutex)
    member->pool->fetch_stack = worker->last_stack;
}

static void step_semaphore(pools_t *pools, const reader_event_t *event, uint64_t wait) {
  uint64_t from = event->time - wait;
  settle(worker_of(pools, event->thread), from, true);
  member_t *member = member_of(pools, event->thread, event->words[0], from);
  if (!member) return;
  member->pool->kind = POOL_SEMAPHORE;
  job_end(member, from, event->timed);
  if (member->ending) job_count(member, from);
  if (wait) pool_queue_found_empty(&queue_of(pools, event->words[0])->waiting, from);
  job_begin(pools, member, 1, event->time);
}

// ---- queues that are descriptors ---------------------------------------------------------------

// An eventfd counts; what it is added is taken back one by one, or all at once.
static uint64_t amount_of(const pool_transfer_t *transfer) {
  return transfer->kind == DESCRIPTOR_WAKE_UP ? 1 : transfer->bytes;
}

void pools_give(pools_t *pools, const pool_transfer_t *given) {
  put(pools, descriptor_key((uint32_t)given->descriptor), amount_of(given), given->from,
      given->until);
}

// A wait that was not for anything that is known to be there: it was spent. Not so where the worker
// only lost the processor in its read.
static void note_empty(pools_t *pools, const pool_transfer_t *fetch) {
  pool_queue_t *queue = &queue_of(pools, descriptor_key((uint32_t)fetch->descriptor))->waiting;
  bool waited = fetch->kind == DESCRIPTOR_WAKE_UP && queue->put_ns >= fetch->from &&
                fetch->until - fetch->from >= EMPTY_READ_NS;
  if (!fetch->bytes || waited) pool_queue_found_empty(queue, fetch->from);
}

void pools_fetch(pools_t *pools, const pool_transfer_t *fetch) {
  uint64_t object = descriptor_key((uint32_t)fetch->descriptor);
  settle(worker_of(pools, fetch->thread), fetch->from, true);
  member_t *member = member_of(pools, fetch->thread, object, fetch->from);
  if (!member) return;
  member->pool->kind = POOL_DESCRIPTOR;
  member->pool->number = (uint32_t)fetch->descriptor;
  member->pool->descriptor = fetch->kind;
  job_end(member, fetch->from, true);
  note_empty(pools, fetch);
  if (fetch->bytes) job_begin(pools, member, amount_of(fetch), fetch->until);
}

void pools_turn(pools_t *pools, uint32_t thread, uint32_t loop, uint64_t from, uint64_t until,
                bool got) {
  settle(worker_of(pools, thread), from, true);
  member_t *member = member_of(pools, thread, loop_key(loop), from);
  if (!member) return;
  member->pool->kind = POOL_LOOP;
  member->pool->number = loop;
  job_end(member, from, true);
  if (got) job_begin(pools, member, 1, until);
}

void pools_turn_ends(pools_t *pools, uint32_t thread, uint32_t loop, uint64_t until) {
  worker_t *worker = worker_of(pools, thread);
  member_t *member = member_find(worker, loop_key(loop));
  if (member) job_end(member, until, true);
}

void pools_pass(pools_t *pools, uint32_t thread, uint32_t loop, uint64_t jobs, uint64_t busy_ns,
                uint64_t until) {
  member_t *member = member_of(pools, thread, loop_key(loop), until);
  if (!member || !jobs) return;
  member->pool->kind = POOL_LOOP;
  member->pool->number = loop;
  member->jobs += jobs;
  member->pool->jobs += jobs;
  member->pool->jobs_estimated += jobs;
  histogram_add_many(&member->pool->job_ns, busy_ns / jobs, jobs);
}

void pools_queued(pools_t *pools, uint32_t loop, uint64_t queued_ns) {
  const queue_t *queue = address_map_get(&pools->queues, loop_key(loop));
  if (queue && queue->pool) histogram_add(&queue->pool->queue_ns, queued_ns);
}

void pools_wait_at_end(pools_t *pools, uint32_t thread, uint32_t loop, uint64_t since) {
  worker_of(pools, thread)->pending_object = loop_key(loop);
  worker_of(pools, thread)->pending_ns = since;
}

// What is opened with its number next is another queue.
void pools_close_descriptor(pools_t *pools, int32_t descriptor) {
  queue_t *queue = address_map_get(&pools->queues, descriptor_key((uint32_t)descriptor));
  if (queue) pool_queue_found_empty(&queue->waiting, UINT64_MAX);
}

// ---- queues under a condition ------------------------------------------------------------------

static bool fetches(const member_t *member, const reader_event_t *event) {
  uint32_t known = member->pool->fetch_stack;
  return member->mutex == event->words[0] && (!known || !event->stack || known == event->stack);
}

static void step_acquire(pools_t *pools, const reader_event_t *event) {
  uint64_t wait = event->kind == TRACE_LOCK_WAIT ? event->words[1] : 0;
  if (wait > event->time) wait = event->time;
  if (event->arg & TRACE_LOCK_BY_CONDITION) return;
  if ((event->arg & TRACE_LOCK_WHAT) == TRACE_LOCK_SEMAPHORE) {
    step_semaphore(pools, event, wait);
    return;
  }
  worker_t *worker = worker_of(pools, event->thread);
  if (event->timed) settle(worker, event->time - wait, true);
  worker->last_mutex = event->words[0];
  worker->last_stack = event->stack;
  for (uint32_t at = 0; at < worker->count; ++at) {
    member_t *member = &worker->members[at];
    if (member->in_job && !fetches(member, event)) member->pool->locked_ns += wait;
    if (member->fetching || !fetches(member, event)) continue;
    job_end(member, event->time - wait, event->timed);
    member->fetching = true;
    member->timed_out = false;
  }
}

static void step_release(pools_t *pools, const reader_event_t *event) {
  if ((event->arg & TRACE_LOCK_WHAT) == TRACE_LOCK_SEMAPHORE) {
    put(pools, event->words[0], 1, event->time, event->time);
    return;
  }
  if (event->arg & TRACE_LOCK_BY_CONDITION) return;
  worker_t *worker = worker_of(pools, event->thread);
  for (uint32_t at = 0; at < worker->count; ++at) {
    member_t *member = &worker->members[at];
    if (!member->fetching || member->mutex != event->words[0]) continue;
    // Its end was not stamped and its successor begins: they meet here.
    if (member->ending) settle(worker, event->time, false);
    member->fetching = false;
    job_begin(pools, member, 1, event->time);
  }
}

static void member_end(member_t *member, uint64_t time) {
  pool_t *pool = member->pool;
  pool->busy -= member->in_job;
  pool->life_ns += time > member->begun_ns ? time - member->begun_ns : 0;
  if (time > pool->last_ns) pool->last_ns = time;
}

static void worker_end(pools_t *pools, const reader_event_t *event) {
  worker_t *worker = worker_of(pools, event->thread);
  settle(worker, event->time, event->timed);
  for (uint32_t at = 0; at < worker->count; ++at) member_end(&worker->members[at], event->time);
  worker->count = 0;
  worker->routine = 0;
}

static void note_pending(worker_t *worker, const reader_event_t *event) {
  bool reads = event->arg == TRACE_PENDING_READ;
  worker->pending_object = reads ? descriptor_key(event->words[0]) : event->words[0];
  worker->pending_ns = event->words[2];
  worker->pending_what = (uint32_t)event->arg;
}

void pools_step(pools_t *pools, const reader_event_t *event) {
  if (!event->thread) return;
  switch (event->kind) {
  case TRACE_THREAD_START:
    worker_of(pools, event->thread)->routine = event->words[1];
    break;
  case TRACE_THREAD_END:
    worker_end(pools, event);
    break;
  case TRACE_PENDING:
    note_pending(worker_of(pools, event->thread), event);
    break;
  case TRACE_COND_WAIT:
    step_wait(pools, event);
    break;
  case TRACE_COND_SIGNAL:
    queue_of(pools, event->words[0])->signals.last_signal_ns = event->time;
    // To all: an end, or a change, not a job.
    if (!event->arg) put(pools, event->words[0], 1, event->time, event->time);
    break;
  case TRACE_LOCK_ACQUIRE:
  case TRACE_LOCK_WAIT:
    step_acquire(pools, event);
    break;
  case TRACE_LOCK_RELEASE:
    step_release(pools, event);
    break;
  default:
    break;
  }
}

// ---- end ---------------------------------------------------------------------------------------

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
static void settle_pending(worker_t *worker) {
  if (!worker->pending_ns) return;
  settle(worker, worker->pending_ns, true);
  for (uint32_t at = 0; at < worker->count; ++at)
    if (worker->pending_object == worker->members[at].pool->object)
      job_end(&worker->members[at], worker->pending_ns, true);
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

static void finish_pool(pool_t *pool) {
  uint64_t span = pool->last_ns > pool->first_ns ? pool->last_ns - pool->first_ns : 0;
  if (pool->life_ns) pool->utilization = (double)pool->job_ns.total / (double)pool->life_ns;
  if (pool->utilization > 1) pool->utilization = 1;
  if (span) pool->backlog = (double)pool->queue_ns.total / (double)span;
  if (span && pool->life_ns > pool->job_ns.total)
    pool->waiting = (double)(pool->life_ns - pool->job_ns.total) / (double)span;
  pool->advice = advise(pool);
}

// What is written to a pipe by another process is no queue of this one; and a loop's only thread is
// no worker.
static bool is_pool(const pool_t *pool) {
  if (pool->kind == POOL_DESCRIPTOR && pool->given * 2 < pool->jobs) return false;
  if (pool->kind == POOL_LOOP && pool->thread_count < 2) return false;
  return pool->jobs >= JOBS_LEAST || pool->stuck_count;
}

static void drop_pool(pool_t *pool) {
  histogram_clear(&pool->job_ns);
  histogram_clear(&pool->queue_ns);
  free(pool->stuck);
  free(pool);
}

void pools_finish(pools_t *pools, uint64_t end_ns) {
  for (uint32_t thread = 1; thread < pools->capacity; ++thread) {
    worker_t *worker = &pools->workers[thread];
    settle_pending(worker);
    settle(worker, end_ns, false);
    for (uint32_t at = 0; at < worker->count; ++at) {
      note_stuck(worker, &worker->members[at], thread, end_ns);
      member_end(&worker->members[at], end_ns);
    }
  }
  uint32_t kept = 0;
  for (uint32_t at = 0; at < pools->count; ++at) {
    pool_t *pool = pools->items[at];
    finish_pool(pool);
    if (!is_pool(pool)) {
      drop_pool(pool);
      continue;
    }
    pools->items[kept++] = pool;
    pool->id = kept;
  }
  pools->count = kept;
}

pool_signals_t pools_signals(const pools_t *pools, uint64_t condition) {
  const queue_t *queue = condition ? address_map_get(&pools->queues, condition) : NULL;
  return queue ? queue->signals : (pool_signals_t){0};
}

uint32_t pools_count(const pools_t *pools) { return pools->count; }

const pool_t *pools_get(const pools_t *pools, uint32_t index) { return pools->items[index]; }
