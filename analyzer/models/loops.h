// SPDX-License-Identifier: Apache-2.0
// Event loops: an epoll instance with the threads that wait on it.
//
// A turn runs from the return of a wait to the entry of the same thread's next wait, on whatever
// instance. busy = sum of turns, idle = sum of waits. The lag of a ready event is how long it
// waited behind others of its batch: from the return of the wait to the first call on its
// descriptor in that turn. Where no call on it was seen, its lag is interpolated: the first of a
// batch starts at once, others evenly between their neighbours of which it is known; such lags
// are counted in lags_estimated.
#ifndef ANALYZER_MODELS_LOOPS_H
#define ANALYZER_MODELS_LOOPS_H

#include "analyzer/models/histogram.h"
#include "analyzer/models/pools.h"
#include "analyzer/models/site_table.h"
#include "analyzer/models/tasks.h"
#include "analyzer/models/turns.h"
#include "analyzer/reading/reader.h"

enum { LOOP_STALLS_MAX = 64 };  // kept of a loop: the longest
// A read, write, accept or connect inside a turn this long blocks it; a lock, condition, join,
// barrier, sleep or sync that waits always does.
#define LOOP_BLOCKING_NS UINT64_C(1000000)
// A name look-up that is shorter has asked nobody: the name was an address, or in a table.
#define LOOP_RESOLVING_NS UINT64_C(100000)

typedef struct {
  uint64_t at_ns;  // begin of the turn
  uint64_t duration_ns;
  uint32_t thread;
  uint32_t task;                   // task id that took most of it, 0 unknown
  char *who;                       // without a task: a descriptor out of the sample, NULL unknown
  uint32_t stack;                  // seen nearest to the longest silence inside, 0 none
  uint32_t blocked_kind;           // trace_kind_t of the longest blocking call inside, 0 none
  uint64_t blocked_ns;             // all blocking calls inside
  char blocked_on[TURN_NAME_MAX];  // the descriptor of that call: kind, number, name; "" none
  bool open;                       // the turn had not ended when the record did
} loop_stall_t;

typedef struct {
  uint32_t id;                     // 1, 2, ... in order of appearance
  bool poll;                       // a thread in poll or select at `site`, again and again
  uint64_t max_asked;              // poll: descriptors it waited for at once
  bool listens;                    // a listener was ready in it, or something accepted
  int32_t descriptor;              // of the epoll instance; -1: poll
  uint32_t site;                   // stack of epoll_create (poll: of the wait), 0 not seen
  uint64_t created_ns, closed_ns;  // closed_ns = UINT64_MAX while open
  uint32_t *threads;               // that waited on it
  uint32_t thread_count, thread_capacity;
  uint64_t waits;      // returned waits, failed ones (EINTR) included
  uint64_t turns;      // turns that ended; at the end of the trace the last one is cut
  uint64_t events;     // ready records returned
  uint64_t empty;      // waits that returned nothing
  uint64_t spins;      // of these, asked not to wait at all
  uint64_t saturated;  // waits that returned as many as asked for (more than one asked)
  // Where turns were sampled, distributions are made of those that were drawn, each counted for as
  // many as it stands for (and of stalls, which are complete); all sums are exact.
  uint64_t drawn;     // turns
  histogram_t batch;  // events of waits that returned some
  histogram_t turn_ns;
  histogram_t lag_ns;
  uint64_t lags_estimated;
  histogram_t wake_up_ns;   // written at the other end of a pipe, pair or eventfd, until seen here
  histogram_t response_ns;  // of connections: first bytes in to first bytes out
  uint64_t busy_ns, idle_ns;
  uint64_t stall_count;  // turns longer than the threshold
  uint64_t stall_total_ns;
  loop_stall_t *stalls;  // the longest, in order of time after loops_finish
  uint32_t kept_stalls;
  site_table_t blocking;                // calls that waited inside turns, by kind and stack
  uint32_t registered, max_registered;  // descriptors in it
} loop_t;

// A thread that polls one descriptor at a time serves one peer, and so does one that polls the two
// ends of what it passes on, or one and what wakes it: what it does for long, or waits for, keeps
// nobody else waiting. It has no stalls.
static inline bool loop_serves_one(const loop_t *loop) {
  return loop->poll && loop->max_asked < (loop->listens ? 2 : 3);
}

typedef struct loops loops_t;

// `stall_ns`: from when a turn is a stall.
loops_t *loops_open(uint64_t stall_ns);
void loops_close(loops_t *loops);
// Connections and turns were drawn at that rate, below 1. Before the first event.
void loops_sample(loops_t *loops, double rate);
double loops_rate(const loops_t *loops);  // 1: all were recorded
void loops_step(loops_t *loops, const reader_event_t *event);
// An event that tells no more than that its thread goes on: the same as loops_step, which does for
// all of them.
void loops_go_on(loops_t *loops, const reader_event_t *event);
// The same for `count` (>= 1) LOCK_ACQUIREs and LOCK_RELEASEs of one thread, none of a semaphore.
void loops_run_locks(loops_t *loops, const reader_event_t *events, size_t count);
// Whether such events of the thread tell anything; they do not change that from false to true.
bool loops_thread_goes_on(const loops_t *loops, uint32_t thread);
// A write with phase READER_BEGINS: what it gives can be taken from here on.
void loops_begin_write(loops_t *loops, const reader_event_t *event);
// What is missing of a sampled record, and what was left out of it without a record that says so.
// Before loops_finish.
void loops_note_lost(loops_t *loops, uint64_t connections, uint64_t out);
// Cuts the turns that run at `end_ns`: a thread that has no PENDING in an epoll wait is in one.
void loops_finish(loops_t *loops, uint64_t end_ns);

// For who draws: told of every turn that ends, of what each task had of it (running or blocked; no
// moment of a task twice, though several threads may have it at once), and of wake-ups across a
// pipe, pair or eventfd, while the trace is read. Changes nothing in the model.
typedef struct {
  uint32_t thread, loop;
  uint64_t from, until;
} loop_turn_t;
typedef struct {
  uint32_t thread, task;
  uint64_t from, until;
} loop_share_t;
typedef struct {
  uint32_t from_thread, to_thread;
  uint64_t from_ns, to_ns;
} loop_wake_up_t;
typedef struct {
  void (*turn)(void *context, const loop_turn_t *turn);
  void (*share)(void *context, const loop_share_t *share);
  void (*wake_up)(void *context, const loop_wake_up_t *wake_up);
} loops_watch_t;
void loops_watch(const loops_t *loops, const loops_watch_t *watch, void *context);

uint32_t loops_count(const loops_t *loops);
const loop_t *loops_get(const loops_t *loops, uint32_t index);  // 0 .. count - 1; id = index + 1
const tasks_t *loops_tasks(const loops_t *loops);
const pools_t *loops_pools(const loops_t *loops);  // fed with what the loops are fed with
uint64_t loops_stall_ns(const loops_t *loops);

#endif
