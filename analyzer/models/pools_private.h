// SPDX-License-Identifier: Apache-2.0
// What the files of the pools model share.
#ifndef ANALYZER_MODELS_POOLS_PRIVATE_H
#define ANALYZER_MODELS_POOLS_PRIVATE_H

#include "analyzer/models/address_map.h"
#include "analyzer/models/pool_queue.h"
#include "analyzer/models/pools.h"

// EARLY: of pools that are only assumed yet (pools_early.c).
enum { MEMBERSHIPS = 6, EARLY_MEMBERSHIPS = 3, POOL_JOBS_LEAST = 3 };

// What is signalled and not begun, and who waits for it.
typedef struct {
  pool_queue_t waiting;
  pool_signals_t signals;
  uint64_t given;  // put there: signals to one, posts, writes
  uint64_t own;    // of these, posts by who had taken the semaphore last: it is used as a lock
  uint32_t taker;  // who had
  uint64_t mutex;  // taken last by who signalled last
  pool_t *pool;    // whose it is, NULL: no pool's
} queue_t;

// A thread in one pool.
typedef struct {
  pool_t *pool;
  uint64_t mutex;  // of the condition; 0: a semaphore
  uint64_t begun_ns;
  uint64_t job_ns;   // since when; valid in a job and while `ending`
  uint64_t idle_ns;  // waits for jobs that returned
  bool fetching, in_job;
  bool asked;      // it has signalled its own queue in this job
  bool ending;     // the job has ended before the next stamp
  bool timed_out;  // the last wait gave up
} member_t;

typedef struct {
  uint64_t routine;
  uint64_t last_mutex;  // acquired last, and where
  uint32_t last_stack;
  uint64_t pending_object, pending_second, pending_ns;  // the call it is in at the end
  uint32_t pending_what;
  uint32_t count;
  uint32_t early_looks;  // acquires that were looked at for an assumed pool
  bool ended;
  bool idles;         // at the end: waits for a job. After pools_finish
  uint64_t idle_ns;   // the same
  member_t *members;  // MEMBERSHIPS, NULL while there is none
} worker_t;

// A pool that is assumed: threads of one start routine that take one mutex at one place.
typedef struct {
  pool_t pool;  // first, so that a pool is found in it
  uint64_t key, mutex;
  uint64_t *takes;  // when jobs began, in no strict order
  uint32_t take_count, take_capacity;
  uint32_t alive;  // members that have not ended
  bool gives;      // one of them has signalled what would be its queue
  bool assumed;    // nobody has waited yet
} early_t;

struct pools {
  worker_t *workers;  // by thread index
  uint32_t capacity;
  address_map_t queues;  // condition or semaphore -> queue_t
  address_map_t by_key;  // routine and object -> pool_t *
  pool_t **items;        // kept ones, after pools_finish
  uint32_t count, item_capacity;
  uint32_t long_queues;  // queues of no pool with room for many
  address_map_t early;   // routine, mutex and stack -> early_t *
};

queue_t *pools_queue(pools_t *pools, uint64_t object);
worker_t *pools_worker(pools_t *pools, uint32_t thread);
// Begins a job of the member at `time`, of that amount.
void pools_begin_job(pools_t *pools, member_t *member, uint64_t amount, uint64_t time);
// A job ends with a request at `from`. Where that has no stamp of its own, the next one tells.
void pools_end_job(member_t *member, uint64_t from, bool timed);
// Jobs that ended without a stamp ended at `time`.
void pools_settle(worker_t *worker, uint64_t time, bool exact);
// A place for the member of `pool` in `worker`; NULL: there is no room.
member_t *pools_add_member(worker_t *worker, uint32_t thread, pool_t *pool, uint64_t since);
void pools_end_member(member_t *member, uint64_t time);
// Makes the pool the one of `object`.
void pools_register(pools_t *pools, pool_t *pool, uint64_t object);
void pools_drop(pool_t *pool);

// ---- assumed pools -----------------------------------------------------------------------------

// An acquire of a mutex by a worker that fetches with none of its memberships.
void pools_note_early(pools_t *pools, const reader_event_t *event, uint64_t from);
static inline early_t *pools_early(pool_t *pool) { return pool->early ? (early_t *)pool : NULL; }
// The member took a job at `time`.
void pools_early_take(early_t *early, uint64_t time);
// Threads that only take a lock, and never wait, are left alone after that many times.
bool pools_early_is_full(const early_t *early);
// The thread waits for `condition` with that mutex: what was assumed of it is so. Its membership,
// NULL where nothing was.
member_t *pools_confirm(pools_t *pools, uint32_t thread, uint64_t condition, uint64_t mutex);
// Signals of a thread that would be its own queue's.
void pools_early_signal(const worker_t *worker);
// Takes out the memberships in assumed pools. The thread ends.
void pools_early_leave(pools_t *pools, worker_t *worker, uint64_t time);
// At the end: confirms those that one waits in, or that took what somebody signalled though none of
// them ever waited; drops the others.
void pools_early_finish(pools_t *pools);
void pools_early_close(pools_t *pools);

#endif
