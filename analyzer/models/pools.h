// SPDX-License-Identifier: Apache-2.0
// Worker pools: threads of one start routine that fetch their work under one condition variable or
// from one semaphore.
//
// A job lasts from the worker's release of the queue's mutex (semaphore: its return from the wait)
// to its next acquire at the place where it fetches. The iteration that ends the thread is none.
// Queue time is from the signal (post) to the start of the job; what was signalled before a worker
// found the queue empty is spent.
#ifndef ANALYZER_MODELS_POOLS_H
#define ANALYZER_MODELS_POOLS_H

#include "analyzer/models/histogram.h"
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

// A worker in a job at the end for over POOL_STUCK_NS and ten times the longest that ended.
#define POOL_STUCK_NS UINT64_C(1000000000)
typedef struct {
  uint32_t thread;
  uint64_t since_ns;
} pool_stuck_t;

enum { POOL_THREADS_MAX = 1024, POOL_SIGNALS_MAX = 65536 };

typedef struct {
  uint32_t id;       // 1, 2, ... in order of appearance
  uint64_t routine;  // start routine of its threads
  uint64_t object;   // address of the condition or semaphore
  bool semaphore;
  uint32_t threads[POOL_THREADS_MAX];  // members, the first ones
  uint32_t thread_count;               // all that ever were
  uint32_t fetch_stack;                // of the acquire that fetches, 0 not known
  uint64_t jobs;                       // that ended
  uint64_t jobs_estimated;             // of these, without an exact end
  histogram_t job_ns, queue_ns;
  uint64_t life_ns;             // of all members, from their first wait
  uint64_t locked_ns;           // of job time: waiting for locks
  uint32_t busy, max_busy;      // workers in a job: now, most at once
  uint32_t max_backlog;         // signalled, not begun
  uint64_t first_ns, last_ns;   // first wait, end of the last life
  double utilization, backlog;  // job time / life; mean of signalled and not begun
  pool_advice_t advice;
  pool_stuck_t *stuck;
  uint32_t stuck_count, stuck_capacity;
} pool_t;

typedef struct pools pools_t;

pools_t *pools_open(void);
void pools_close(pools_t *pools);
void pools_step(pools_t *pools, const reader_event_t *event);
void pools_finish(pools_t *pools, uint64_t end_ns);

// What is known of the signals of a condition.
typedef struct {
  uint64_t last_signal_ns;  // 0: none
  uint64_t waits;           // that returned
} pool_signals_t;
pool_signals_t pools_signals(const pools_t *pools, uint64_t condition);

// Those that did a few jobs, or have a stuck worker. After pools_finish.
uint32_t pools_count(const pools_t *pools);
const pool_t *pools_get(const pools_t *pools, uint32_t index);

#endif
