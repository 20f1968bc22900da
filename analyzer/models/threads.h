// SPDX-License-Identifier: Apache-2.0
// What each thread did with its time: every nanosecond of its life is in exactly one state.
//
//   sum over states of time_ns = ended_ns - started_ns
//
// The time of a call that can block counts for its state from request to return; what is left is
// running (which includes being preempted: no event tells; how much it was in all, runnable_ns
// does).
#ifndef ANALYZER_MODELS_THREADS_H
#define ANALYZER_MODELS_THREADS_H

#include "analyzer/reading/reader.h"

#define THREAD_STATE_TABLE(STATE)                                                                  \
  STATE(RUNNING, "running")                                                                        \
  STATE(LOCK, "waiting for a lock")                                                                \
  STATE(CONDITION, "waiting for a condition")                                                      \
  STATE(EPOLL, "waiting in epoll")                                                                 \
  STATE(JOIN, "joining")                                                                           \
  STATE(READ, "reading")                                                                           \
  STATE(WRITE, "writing")                                                                          \
  STATE(ACCEPT, "accepting")                                                                       \
  STATE(BARRIER, "waiting at a barrier")                                                           \
  STATE(SLEEP, "sleeping")                                                                         \
  STATE(POLL, "waiting in poll")                                                                   \
  STATE(FUTEX, "waiting on a futex")                                                               \
  STATE(CONNECT, "connecting")                                                                     \
  STATE(SYNC, "syncing a file")                                                                    \
  STATE(RESOLVE, "looking up a name")
typedef enum {
#define STATE(name, text) THREAD_STATE_##name,
  THREAD_STATE_TABLE(STATE)
#undef STATE
      THREAD_STATE_COUNT
} thread_state_t;
const char *thread_state_text(thread_state_t state);

typedef struct thread_timeline thread_timeline_t;  // see thread_timeline.h

// The call a thread was in the middle of when the record ended. what == TRACE_PENDING_NONE: none.
typedef struct {
  uint32_t what;  // TRACE_PENDING_*
  uint32_t stack;
  uint64_t object;  // as in the PENDING record
  uint64_t second;
  uint64_t since_ns;
  bool timed;  // a wait for a condition or a join that has a limit
} thread_pending_t;

enum { THREAD_SPANS = 4 };

// One thread life. Its index is that of reader_thread; 0 is never one. Name, tid, routine,
// creator and where it was created are the reader's.
typedef struct {
  bool seen;   // false: no event, the rest is empty
  bool ended;  // THREAD_END was read
  bool detached;
  bool quiet;          // as reader_thread_t.quiet (a live process only)
  uint32_t joined_by;  // thread index, 0: not joined
  uint64_t joined_ns;
  uint64_t handle;
  uint64_t started_ns, ended_ns;         // alive at the end: ended_ns is the trace's last moment
  thread_state_t state;                  // at the end of the trace (or of its life)
  uint64_t time_ns[THREAD_STATE_COUNT];  // RUNNING is set by threads_finish
  uint64_t waits[THREAD_STATE_COUNT];    // how many calls
  uint64_t longest_ns[THREAD_STATE_COUNT];
  uint64_t events;
  uint64_t lost;  // events missing from its lane during its life
  uint64_t last_event_ns;
  // As the kernel counted it until `scheduled_ns` (0: not known): on a processor, and runnable but
  // on none. The recorder asks once a second, so the end of a life is missing; but a thread that
  // ends says itself how long it ran in all.
  uint64_t ran_ns, runnable_ns, scheduled_ns;
  bool ran_known;
  thread_pending_t pending;
  thread_timeline_t *timeline;                 // NULL: there are too many threads
  uint64_t ran_before_ns, runnable_before_ns;  // private: counted before its record begins
  // Private: the waits counted last, one behind the other, as moments from and until; before
  // counted_ns all are counted.
  uint64_t counted_ns, spans[THREAD_SPANS][2];
  uint32_t span_count;
} thread_account_t;

// What the call of an event waited for, and how long; RUNNING: it is none that waits.
thread_state_t threads_wait(const reader_event_t *event, uint64_t *duration);

typedef struct threads threads_t;

// `reader` may be NULL (hand-fed events): then lives are as THREAD_START and THREAD_END say.
threads_t *threads_open(const reader_t *reader);
void threads_close(threads_t *threads);
void threads_step(threads_t *threads, const reader_event_t *event);
// A step with each of the `count` events, all of one thread and whole, of those that one
// reader_read gave.
void threads_run(threads_t *threads, const reader_event_t *events, size_t count);
// Closes the lives and computes running time. `end_ns`: the last moment of the trace.
void threads_finish(threads_t *threads, uint64_t end_ns);

// Valid indices: 1 <= thread < threads_limit. Beyond: an empty account, never NULL.
uint32_t threads_limit(const threads_t *threads);
const thread_account_t *threads_get(const threads_t *threads, uint32_t thread);
// The thread with that handle at this moment of the stream; where `ended` the newest one with the
// handle that has ended (a join refers to it although the handle may be in use again). 0: none.
uint32_t threads_by_handle(const threads_t *threads, uint64_t handle, bool ended);

#endif
