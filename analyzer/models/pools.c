// SPDX-License-Identifier: Apache-2.0
// Pools from waits, signals and the locks of their queues.
#include "analyzer/models/array.h"
#include "analyzer/models/pools_private.h"

#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

// Signals kept of a queue that no pool is known for: many only of so many queues.
enum { SIGNALS_WITHOUT_POOL = 64, LONG_QUEUES_MAX = 32 };
// A read that took this long had to wait: there was nothing.
#define EMPTY_READ_NS UINT64_C(1000000)

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
  pools_early_close(pools);
  for (uint32_t at = 0; at < pools->count; ++at) pools_drop(pools->items[at]);
  for (uint32_t thread = 0; thread < pools->capacity; ++thread)
    free(pools->workers[thread].members);
  address_map_clear(&pools->queues);
  address_map_clear(&pools->by_key);
  free(pools->items);
  free(pools->workers);
  free(pools);
}

void pools_drop(pool_t *pool) {
  histogram_clear(&pool->job_ns);
  histogram_clear(&pool->queue_ns);
  free(pool->stuck);
  free(pool);
}

// ---- queues ------------------------------------------------------------------------------------

// A damaged trace may name no object at all: the map knows no key 0.
queue_t *pools_queue(pools_t *pools, uint64_t object) {
  queue_t *queue = address_map_put(&pools->queues, object ? object : UINT64_MAX);
  if (!queue->waiting.limit) queue->waiting.limit = SIGNALS_WITHOUT_POOL;
  return queue;
}

// No address is that high.
static uint64_t descriptor_key(uint64_t descriptor) {
  return UINT64_C(1) << 63 | (uint32_t)descriptor;
}
static uint64_t loop_key(uint32_t loop) { return UINT64_C(3) << 62 | loop; }

// What is signalled before the first worker is seen is kept, too; of few queues: most conditions
// and semaphores are no pool's.
static void make_room(pools_t *pools, pool_queue_t *queue) {
  if (queue->limit > SIGNALS_WITHOUT_POOL || queue->count < queue->limit) return;
  if (pools->long_queues == LONG_QUEUES_MAX) return;
  ++pools->long_queues;
  queue->limit = POOL_SIGNALS_MAX;
}

// `from`: when the call began that ended at `until`.
static void put(pools_t *pools, uint64_t object, uint64_t amount, uint64_t from, uint64_t until) {
  queue_t *queue = pools_queue(pools, object);
  uint64_t queued;
  make_room(pools, &queue->waiting);
  bool taken = pool_queue_put(&queue->waiting, amount, from, until, &queued);
  pool_t *pool = queue->pool;
  ++queue->given;
  if (taken && pool) histogram_add(&pool->queue_ns, queued);
}

// ---- members -----------------------------------------------------------------------------------

worker_t *pools_worker(pools_t *pools, uint32_t thread) {
  ARRAY_RESERVE(pools->workers, pools->capacity, thread + 1);
  return &pools->workers[thread];
}

static pool_t **place_of(pools_t *pools, uint64_t routine, uint64_t object) {
  uint64_t parts[2] = {routine, object};
  return address_map_put(&pools->by_key, XXH3_64bits(parts, sizeof parts) | 1);
}

void pools_register(pools_t *pools, pool_t *pool, uint64_t object) {
  ARRAY_RESERVE(pools->items, pools->item_capacity, pools->count + 1);
  pools->items[pools->count++] = pool;
  pool->object = object;
  *place_of(pools, pool->routine, object) = pool;
  queue_t *queue = pools_queue(pools, object);
  queue->waiting.limit = POOL_SIGNALS_MAX;
  queue->waiting.backlog = &pool->backlog_over_time;
  queue->pool = pool;
}

static pool_t *pool_of(pools_t *pools, uint64_t routine, uint64_t object, uint64_t time) {
  pool_t **place = place_of(pools, routine, object);
  if (*place) return *place;
  pool_t *pool = array_zeroed(1, sizeof *pool);
  pool->routine = routine;
  pool->first_ns = time;
  pools_register(pools, pool, object);
  return pool;
}

static member_t *member_find(worker_t *worker, uint64_t object) {
  for (uint32_t at = 0; at < worker->count; ++at)
    if (worker->members[at].pool->object == object) return &worker->members[at];
  return NULL;
}

member_t *pools_add_member(worker_t *worker, uint32_t thread, pool_t *pool, uint64_t since) {
  if (worker->count == MEMBERSHIPS) return NULL;
  if (!worker->members) worker->members = array_zeroed(MEMBERSHIPS, sizeof *worker->members);
  member_t *member = &worker->members[worker->count++];
  *member = (member_t){.pool = pool, .begun_ns = since};
  if (pool->thread_count < POOL_THREADS_MAX) pool->threads[pool->thread_count] = thread;
  ++pool->thread_count;
  return member;
}

// The thread's membership, made now where it is a worker with room for one more.
static member_t *member_of(pools_t *pools, uint32_t thread, uint64_t object, uint64_t since) {
  worker_t *worker = pools_worker(pools, thread);
  member_t *member = member_find(worker, object);
  if (member || !worker->routine || worker->count == MEMBERSHIPS) return member;
  return pools_add_member(worker, thread, pool_of(pools, worker->routine, object, since), since);
}

void pools_begin_job(pools_t *pools, member_t *member, uint64_t amount, uint64_t time) {
  pool_t *pool = member->pool;
  early_t *early = pools_early(pool);
  bool assumed = early && early->assumed;
  pool_queue_t *queue = assumed ? NULL : &pools_queue(pools, pool->object)->waiting;
  uint64_t queued;
  if (member->timed_out && queue && !queue->count) return;  // it looked, and found nothing
  member->in_job = true;
  member->asked = false;
  member->job_ns = time;
  if (++pool->busy > pool->max_busy) pool->max_busy = pool->busy;
  if (!queue) {
    pools_early_take(early, time);
    return;
  }
  if (queue->count > pool->max_backlog) pool->max_backlog = queue->count;
  if (pool_queue_take(queue, amount, time, &queued)) histogram_add(&pool->queue_ns, queued);
}

static void job_count(member_t *member, uint64_t until) {
  member->ending = false;
  ++member->pool->jobs;
  histogram_add(&member->pool->job_ns, until > member->job_ns ? until - member->job_ns : 0);
}

void pools_end_job(member_t *member, uint64_t from, bool timed) {
  if (!member->in_job) return;
  member->in_job = false;
  --member->pool->busy;
  member->ending = true;
  if (timed) job_count(member, from);
}

void pools_settle(worker_t *worker, uint64_t time, bool exact) {
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
  worker_t *worker = pools_worker(pools, event->thread);
  pools_settle(worker, event->time - wait, true);
  member_t *member = pools_confirm(pools, event->thread, event->words[0], event->words[1]);
  if (!member) member = member_of(pools, event->thread, event->words[0], event->time - wait);
  queue_t *queue = pools_queue(pools, event->words[0]);
  pool_queue_found_empty(&queue->waiting, event->time - wait);
  ++queue->signals.waits;
  if (!member) return;
  member->mutex = event->words[1];
  member->idle_ns += wait;
  member->fetching = true;
  member->timed_out =
      trace_unzigzag(event->arg) == -ETIMEDOUT || trace_unzigzag(event->arg) == ETIMEDOUT;
  if (!member->pool->fetch_stack && worker->last_mutex == member->mutex)
    member->pool->fetch_stack = worker->last_stack;
}

// Who posts what he has taken himself uses it as a lock.
static bool is_lock(const queue_t *queue) { return queue->own * 2 > queue->given; }

static void step_semaphore(pools_t *pools, const reader_event_t *event, uint64_t wait) {
  uint64_t from = event->time - wait;
  queue_t *queue = pools_queue(pools, event->words[0]);
  queue->taker = event->thread;
  if (is_lock(queue)) return;
  pools_settle(pools_worker(pools, event->thread), from, true);
  member_t *member = member_of(pools, event->thread, event->words[0], from);
  if (!member) return;
  member->pool->kind = POOL_SEMAPHORE;
  member->idle_ns += wait;
  pools_end_job(member, from, event->timed);
  if (member->ending) job_count(member, from);
  if (wait) pool_queue_found_empty(&pools_queue(pools, event->words[0])->waiting, from);
  pools_begin_job(pools, member, 1, event->time);
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
  pool_queue_t *queue = &pools_queue(pools, descriptor_key((uint32_t)fetch->descriptor))->waiting;
  bool waited = fetch->kind == DESCRIPTOR_WAKE_UP && queue->put_ns >= fetch->from &&
                fetch->until - fetch->from >= EMPTY_READ_NS;
  if (!fetch->bytes || waited) pool_queue_found_empty(queue, fetch->from);
}

void pools_fetch(pools_t *pools, const pool_transfer_t *fetch) {
  uint64_t object = descriptor_key((uint32_t)fetch->descriptor);
  pools_settle(pools_worker(pools, fetch->thread), fetch->from, true);
  member_t *member = member_of(pools, fetch->thread, object, fetch->from);
  if (!member) return;
  member->pool->kind = POOL_DESCRIPTOR;
  member->pool->number = (uint32_t)fetch->descriptor;
  member->pool->descriptor = fetch->kind;
  pools_end_job(member, fetch->from, true);
  member->idle_ns += fetch->until - fetch->from;
  note_empty(pools, fetch);
  if (fetch->bytes) pools_begin_job(pools, member, amount_of(fetch), fetch->until);
}

void pools_turn(pools_t *pools, uint32_t thread, uint32_t loop, uint64_t from, uint64_t until,
                bool got) {
  pools_settle(pools_worker(pools, thread), from, true);
  member_t *member = member_of(pools, thread, loop_key(loop), from);
  if (!member) return;
  member->pool->kind = POOL_LOOP;
  member->pool->number = loop;
  pools_end_job(member, from, true);
  if (got) pools_begin_job(pools, member, 1, until);
}

void pools_turn_ends(pools_t *pools, uint32_t thread, uint32_t loop, uint64_t until) {
  worker_t *worker = pools_worker(pools, thread);
  member_t *member = member_find(worker, loop_key(loop));
  if (member) pools_end_job(member, until, true);
}

void pools_pass(pools_t *pools, uint32_t thread, uint32_t loop, uint64_t jobs, uint64_t busy_ns,
                uint64_t until) {
  member_t *member = member_of(pools, thread, loop_key(loop), until);
  if (!member || !jobs) return;
  member->pool->kind = POOL_LOOP;
  member->pool->number = loop;
  member->pool->jobs += jobs;
  member->pool->jobs_estimated += jobs;
  histogram_add_many(&member->pool->job_ns, busy_ns / jobs, jobs);
}

void pools_queued(pools_t *pools, uint32_t loop, uint64_t queued_ns) {
  const queue_t *queue = address_map_get(&pools->queues, loop_key(loop));
  if (queue && queue->pool) histogram_add(&queue->pool->queue_ns, queued_ns);
}

void pools_wait_at_end(pools_t *pools, uint32_t thread, uint32_t loop, uint64_t since) {
  pools_worker(pools, thread)->pending_object = loop_key(loop);
  pools_worker(pools, thread)->pending_ns = since;
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

static member_t *find_fetching(const worker_t *worker, const reader_event_t *event) {
  for (uint32_t at = 0; at < worker->count; ++at)
    if (fetches(&worker->members[at], event)) return &worker->members[at];
  return NULL;
}

// Assumes a pool where none is known that fetches here; not for ever.
static void look_early(pools_t *pools, worker_t *worker, const reader_event_t *event,
                       uint64_t from) {
  const member_t *member = find_fetching(worker, event);
  const early_t *early = member ? pools_early(member->pool) : NULL;
  if (!member)
    pools_note_early(pools, event, from);
  else if (early && early->assumed && pools_early_is_full(early))
    pools_early_leave(pools, worker, from);
}

static void step_acquire(pools_t *pools, const reader_event_t *event) {
  uint64_t wait = event->kind == TRACE_LOCK_WAIT ? event->words[1] : 0;
  if (wait > event->time) wait = event->time;
  if (event->arg & TRACE_LOCK_BY_CONDITION) return;
  if ((event->arg & TRACE_LOCK_WHAT) == TRACE_LOCK_SEMAPHORE) {
    step_semaphore(pools, event, wait);
    return;
  }
  worker_t *worker = pools_worker(pools, event->thread);
  if (event->timed) pools_settle(worker, event->time - wait, true);
  worker->last_mutex = event->words[0];
  worker->last_stack = event->stack;
  if (worker->routine) look_early(pools, worker, event, event->time - wait);
  for (uint32_t at = 0; at < worker->count; ++at) {
    member_t *member = &worker->members[at];
    if (member->in_job && !fetches(member, event)) member->pool->locked_ns += wait;
    if (member->fetching || !fetches(member, event)) continue;
    pools_end_job(member, event->time - wait, event->timed);
    member->fetching = true;
    member->timed_out = false;
  }
}

// A job that puts another one into the queue that it comes from.
static void note_asked(pools_t *pools, const reader_event_t *event) {
  member_t *member = member_find(pools_worker(pools, event->thread), event->words[0]);
  if (member && member->in_job) member->asked = true;
}

static void step_post(pools_t *pools, const reader_event_t *event) {
  put(pools, event->words[0], 1, event->time, event->time);  // may move the queues
  queue_t *queue = pools_queue(pools, event->words[0]);
  worker_t *worker = pools_worker(pools, event->thread);
  queue->own += queue->taker == event->thread;
  queue->taker = 0;
  if (!queue->own || !is_lock(queue)) return;
  for (uint32_t at = 0; at < worker->count; ++at) {
    if (worker->members[at].pool != queue->pool) continue;
    pools_end_member(&worker->members[at], event->time);
    worker->members[at] = worker->members[--worker->count];
    return;
  }
}

static void step_release(pools_t *pools, const reader_event_t *event) {
  if ((event->arg & TRACE_LOCK_WHAT) == TRACE_LOCK_SEMAPHORE) {
    note_asked(pools, event);
    step_post(pools, event);
    return;
  }
  if (event->arg & TRACE_LOCK_BY_CONDITION) return;
  worker_t *worker = pools_worker(pools, event->thread);
  for (uint32_t at = 0; at < worker->count; ++at) {
    member_t *member = &worker->members[at];
    if (!member->fetching || member->mutex != event->words[0]) continue;
    // Its end was not stamped and its successor begins: they meet here.
    if (member->ending) pools_settle(worker, event->time, false);
    member->fetching = false;
    pools_begin_job(pools, member, 1, event->time);
  }
}

void pools_end_member(member_t *member, uint64_t time) {
  pool_t *pool = member->pool;
  pool->busy -= member->in_job;
  pool->life_ns += time > member->begun_ns ? time - member->begun_ns : 0;
  if (time > pool->last_ns) pool->last_ns = time;
}

static void worker_end(pools_t *pools, const reader_event_t *event) {
  worker_t *worker = pools_worker(pools, event->thread);
  pools_settle(worker, event->time, event->timed);
  pools_early_leave(pools, worker, event->time);
  for (uint32_t at = 0; at < worker->count; ++at)
    pools_end_member(&worker->members[at], event->time);
  worker->ended = true;
  worker->routine = 0;
}

static void note_pending(worker_t *worker, const reader_event_t *event) {
  bool reads = event->arg == TRACE_PENDING_READ;
  worker->pending_object = reads ? descriptor_key(event->words[0]) : event->words[0];
  worker->pending_second = event->words[1] & ~TRACE_PENDING_TIMED;
  worker->pending_ns = event->words[2];
  worker->pending_what = (uint32_t)event->arg;
}

static void note_signal(pools_t *pools, const reader_event_t *event) {
  const worker_t *worker = pools_worker(pools, event->thread);
  queue_t *queue = pools_queue(pools, event->words[0]);
  ++queue->signals.signals;
  queue->signals.last_signal_ns = event->time;
  queue->mutex = worker->last_mutex;
  pools_early_signal(worker);
}

void pools_step(pools_t *pools, const reader_event_t *event) {
  if (!event->thread) return;
  switch (event->kind) {
  case TRACE_THREAD_START:
    pools_worker(pools, event->thread)->routine = event->words[1];
    break;
  case TRACE_THREAD_END:
    worker_end(pools, event);
    break;
  case TRACE_PENDING:
    note_pending(pools_worker(pools, event->thread), event);
    break;
  case TRACE_COND_WAIT:
    step_wait(pools, event);
    break;
  case TRACE_COND_SIGNAL:
    note_signal(pools, event);
    // To all: an end, or a change, not a job.
    if (event->arg) break;
    put(pools, event->words[0], 1, event->time, event->time);
    note_asked(pools, event);
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

// What is left of them in a thread that is in no pool and was not made to be in one.
static void note_last_mutex(worker_t *worker, const reader_event_t *events, size_t count) {
  while (count-- > 0) {
    const reader_event_t *event = &events[count];
    if (event->kind != TRACE_LOCK_ACQUIRE || event->arg & TRACE_LOCK_BY_CONDITION) continue;
    worker->last_mutex = event->words[0];
    worker->last_stack = event->stack;
    return;
  }
}

void pools_run_locks(pools_t *pools, const reader_event_t *events, size_t count) {
  worker_t *worker = pools_worker(pools, events->thread);
  if (!worker->routine && !worker->count) {
    note_last_mutex(worker, events, count);
    return;
  }
  for (size_t i = 0; i < count; ++i) pools_step(pools, &events[i]);
}
