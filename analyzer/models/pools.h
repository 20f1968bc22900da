// SPDX-License-Identifier: Apache-2.0
// Worker pools: threads of one start routine that fetch their work under one condition variable,
// from one semaphore, from one pipe, socket pair or eventfd, or that wait on one epoll instance.
//
// A job lasts from the worker's release of the queue's mutex (all others: its return from the wait
// or read that got something) to its next acquire at the place where it fetches (its next wait or
// read). The iteration that ends the thread is none. Queue time is from the signal (post, write) to
// the start of the job; what was signalled before a worker found the queue empty is spent. Of what
// makes an epoll instance ready only what this process wrote to a pipe, pair or eventfd is known.
//
// A worker that finds work whenever it looks never waits. Threads that take one mutex at one place
// again and again are therefore assumed to be a pool, and are one when any of them waits there, or
// if in the end they took what others signalled: all they did until then were jobs.
#ifndef ANALYZER_MODELS_POOLS_H
#define ANALYZER_MODELS_POOLS_H

#include "analyzer/models/descriptors.h"
#include "analyzer/models/histogram.h"
#include "analyzer/models/timeline.h"
#include "analyzer/reading/reader.h"

#define POOL_ADVICE_TABLE(ADVICE)                                                                  \
  ADVICE(NONE, "")                                                                                 \
  ADVICE(TOO_SMALL, "too small")                                                                   \
  ADVICE(TOO_LARGE, "too large")                                                                   \
  ADVICE(LOCK_BOUND, "bound by locks")
typedef enum {
#define ADVICE(NAME, key) POOL_ADVICE_##NAME,
  POOL_ADVICE_TABLE(ADVICE)
#undef ADVICE
} pool_advice_t;
const char *pool_advice_name(pool_advice_t advice);

// A worker in a job at the end for over POOL_STUCK_NS and ten times the longest that ended, which
// does not wait for connections or descriptors (that is work for others).
#define POOL_STUCK_NS UINT64_C(1000000000)
typedef struct {
  uint32_t thread;
  uint64_t since_ns;
} pool_stuck_t;

enum { POOL_THREADS_MAX = 1024, POOL_SIGNALS_MAX = 65536 };

typedef enum { POOL_CONDITION, POOL_SEMAPHORE, POOL_DESCRIPTOR, POOL_LOOP } pool_kind_t;

typedef struct {
  uint32_t id;       // 1, 2, ... in order of appearance
  uint64_t routine;  // start routine of its threads
  pool_kind_t kind;  // of its queue
  uint64_t object;   // address of the condition or semaphore; else only a number of its own
  uint32_t number;   // descriptor, or id of the loop
  descriptor_kind_t descriptor;
  uint32_t threads[POOL_THREADS_MAX];  // members, the first ones
  uint32_t thread_count;               // all that ever were
  uint32_t fetch_stack;                // of the acquire that fetches, 0 not known
  uint64_t jobs;                       // that ended
  uint64_t jobs_estimated;             // of these, without an exact end
  uint64_t jobs_early;                 // of these, before one of the workers waited
  bool early_cut;                      // there were more of those, which are not counted
  histogram_t job_ns, queue_ns;
  uint64_t life_ns;             // of all members, from their first look for a job
  uint64_t locked_ns;           // of job time: waiting for locks
  uint32_t busy, max_busy;      // workers in a job: now, most at once
  uint32_t max_backlog;         // signalled, not begun
  uint32_t left;                // of these, at the end
  uint32_t asking;              // workers in a job at the end that signalled the queue in it
  uint64_t given;               // signals, posts, writes: jobs that were seen to be put there
  uint64_t first_ns, last_ns;   // first wait, end of the last life
  double utilization, backlog;  // job time / life; mean of signalled and not begun
  double waiting;               // workers without a job, mean
  timeline_t backlog_over_time;
  pool_advice_t advice;
  pool_stuck_t *stuck;
  uint32_t stuck_count, stuck_capacity;
  bool early;    // private: is part of an early_t
  bool is_lock;  // private: its semaphore is one
} pool_t;

// Jobs that nobody was seen to hand over: they are in no queue time. An epoll instance is mostly
// made ready from outside, and has none.
static inline uint64_t pool_unseen(const pool_t *pool) {
  bool any = pool->kind != POOL_LOOP && pool->jobs > pool->queue_ns.count;
  return any ? pool->jobs - pool->queue_ns.count : 0;
}

typedef struct pools pools_t;

pools_t *pools_open(void);
void pools_close(pools_t *pools);
void pools_step(pools_t *pools, const reader_event_t *event);
// A step with each of `count` (>= 1) LOCK_ACQUIREs and LOCK_RELEASEs of one thread, none of a
// semaphore.
void pools_run_locks(pools_t *pools, const reader_event_t *events, size_t count);
void pools_finish(pools_t *pools, uint64_t end_ns);

// ---- for the loops model, which knows what a descriptor is, and the turns
typedef struct {
  uint32_t thread;
  int32_t descriptor;  // that is read from
  descriptor_kind_t kind;
  uint64_t bytes;  // 0: there was nothing
  uint64_t from, until;
} pool_transfer_t;
// Something was written to the other end of a pipe or pair, or to an eventfd.
void pools_give(pools_t *pools, const pool_transfer_t *given);
// A read outside of any loop's turn.
void pools_fetch(pools_t *pools, const pool_transfer_t *fetch);
void pools_close_descriptor(pools_t *pools, int32_t descriptor);
// A wait on an epoll instance; what was made ready by this process, how long ago; a wait that never
// returned.
void pools_turn(pools_t *pools, uint32_t thread, uint32_t loop, uint64_t from, uint64_t until,
                bool got);
// The turn has ended, whose end no wait tells.
void pools_turn_ends(pools_t *pools, uint32_t thread, uint32_t loop, uint64_t until);
// So many turns that got something were only counted: jobs of that length in all, and of their
// mean each.
void pools_pass(pools_t *pools, uint32_t thread, uint32_t loop, uint64_t jobs, uint64_t busy_ns,
                uint64_t until);
void pools_queued(pools_t *pools, uint32_t loop, uint64_t queued_ns);
void pools_wait_at_end(pools_t *pools, uint32_t thread, uint32_t loop, uint64_t since);

// What is known of the signals of a condition.
typedef struct {
  uint64_t last_signal_ns;  // 0: none
  uint64_t waits;           // that returned
  uint64_t signals;         // to one or all
  uint64_t jobs;            // of its pool. After pools_finish
} pool_signals_t;
pool_signals_t pools_signals(const pools_t *pools, uint64_t condition);

// For how long the thread waited for jobs of pools that it is a worker of, and whether it does at
// the end. After pools_finish.
uint64_t pools_idle_ns(const pools_t *pools, uint32_t thread);
bool pools_idles(const pools_t *pools, uint32_t thread);

// Those that did a few jobs, or have a stuck worker. After pools_finish.
uint32_t pools_count(const pools_t *pools);
const pool_t *pools_get(const pools_t *pools, uint32_t index);

#endif
