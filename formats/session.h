// SPDX-License-Identifier: Apache-2.0
// The shared mapping between recorded processes, their writer and a reader of a live or crashed
// run.
//
// One file per exec'd image and the children it forks: TRACE.rings, beside the trace. It is made
// before main and removed by the writer when all its processes have ended and all is in the traces.
//
//   [session header: TRACE_SESSION_SIZE bytes]
//   [ring 0][ring 1]...  each TRACE_RING_STRIDE bytes: header page, then data
//
// A lane is one ring over time: the threads that own it one after the other. Lane number = ring
// number + 1; lane 0 is the writer's own stream of facts, which has no ring.
#ifndef FORMATS_SESSION_H
#define FORMATS_SESSION_H

#include "events.h"

#include <stdatomic.h>
#include <stdint.h>

#define TRACE_SESSION_MAGIC UINT64_C(0x3173676e69724e49)  // "INrings1"
enum {
  TRACE_SESSION_VERSION = 1,
  TRACE_SESSION_SIZE = 256 << 10,
  TRACE_RING_STRIDE = 256 << 10,
  TRACE_RING_HEADER = 4096,
  TRACE_RING_WORDS = (TRACE_RING_STRIDE - TRACE_RING_HEADER) / 8,
  TRACE_RINGS_MAX = 4096,
  TRACE_PROCESSES_MAX = 256,
  TRACE_PATH_MAX = 512,
};

// ring.state. FREE: empty, of no process. OWNED: one thread writes. RELEASED: the thread has gone,
// another of the same process may take it as it is; the writer makes it FREE once it is drained.
// CLAIMING: a thread has won it and is filling in the header.
enum {
  TRACE_RING_FREE = 0,
  TRACE_RING_CLAIMING = 1,
  TRACE_RING_OWNED = 2,
  TRACE_RING_RELEASED = 3
};

// The ring's header. Positions count words since the ring was made and only grow;
// position p stands at data[p % TRACE_RING_WORDS].
//   tail <= head <= tail + TRACE_RING_WORDS
// The owner writes [head, ...) and then publishes head with release; reader and writer load it with
// acquire before they read below it. The writer stores tail with release after the frame with
// everything below it is in the file; the owner loads it with acquire before it writes over.
typedef struct {
  // Written by the owner.
  _Alignas(64) _Atomic uint64_t head;
  _Atomic uint64_t lost_total;  // sum of lost[]
  _Atomic uint64_t waits;       // times the owner waited for room
  _Atomic uint64_t waited_ticks;
  _Atomic uint64_t last_fact;  // position behind the newest fact; <= head
  // The call the owner is in the middle of: stored before a call that may block, `what` last
  // (release), and set to TRACE_PENDING_NONE after it.
  _Alignas(64) _Atomic uint32_t pending_what;
  _Atomic uint32_t pending_stack;
  _Atomic uint64_t pending_object;
  _Atomic uint64_t pending_second;
  _Atomic uint64_t pending_since;
  // Written by the writer.
  _Alignas(64) _Atomic uint64_t tail;
  _Atomic uint64_t frames;  // frames written of this lane
  _Atomic uint64_t taking;  // position; words from tail up to here may be in the file already
  // Written at claim and release.
  _Alignas(64) _Atomic uint32_t state;
  _Atomic uint32_t process;  // index in session.processes
  _Atomic uint32_t tid;
  _Atomic uint32_t generation;  // grows with each claim
  _Atomic uint64_t handle;      // pthread_self() of the owner
  // Written by the owner, rarely: what was dropped, by kind, since its process took the
  // ring.
  _Alignas(64) _Atomic uint32_t lost[TRACE_KIND_LIMIT];
  // Counted by the owner: what it wrote names a place in memory (LOCK_SHARED_AT) that the writer
  // has to look up while the process lives. The writer says how far it has come.
  _Alignas(64) _Atomic uint32_t places_wanted;
  _Atomic uint32_t places_found;
  // Written by the owner: those of dropped[] that stood below `taking`, when the writer was killed
  // between file and tail. They are lost only if the file does not cover `taking`, and dropped only
  // where dropped_to has come there.
  _Alignas(64) _Atomic uint32_t lost_taken[TRACE_KIND_LIMIT];
  // Written by the writer, once the trace of the process has stopped: what it took from the ring
  // and threw away, by kind. Here, so that the count survives the writer.
  _Alignas(64) _Atomic uint64_t discarded[TRACE_KIND_LIMIT];
  _Atomic uint64_t discarded_total;  // sum of discarded[]
  _Atomic uint64_t routine;          // start routine of the owner; written at claim
  // Written by the owner now and then, once there is no writer that would: the clock and
  // CLOCK_MONOTONIC at one moment. alone_ns is 0 where there is none, and while it changes.
  _Atomic uint64_t alone_ticks, alone_ns;
  // Written by the owner, where it drops the oldest events for want of a writer: dropped_to / 2 is
  // the position up to which it has, `tail` follows; dropped[dropped_to % 2] counts them by kind,
  // the other one is for the next time.
  _Atomic uint64_t dropped_to;
  _Atomic uint32_t dropped[2][TRACE_KIND_LIMIT];
} trace_ring_t;
_Static_assert(sizeof(trace_ring_t) <= TRACE_RING_HEADER, "a ring header is one page");

// process.state. NEW: registered by the process itself, the writer has not seen it. ACTIVE: its
// trace is open. ENDED: its trace is complete; the slot will be FREE when its rings are.
// REFUSED: the writer could not open its trace.
enum {
  TRACE_PROCESS_FREE = 0,
  TRACE_PROCESS_CLAIMING = 1,
  TRACE_PROCESS_NEW = 2,
  TRACE_PROCESS_ACTIVE = 3,
  TRACE_PROCESS_ENDED = 4,
  TRACE_PROCESS_REFUSED = 5,
};

// process.unseen: the writer says so in the trace (TRACE_KEY_NOT_SEEN).
enum { TRACE_UNSEEN_MALLOC = 1, TRACE_UNSEEN_IO_URING = 2, TRACE_UNSEEN_CONFINED = 4 };

// One recorded process of the session: the first image, or a child it forked.
typedef struct {
  _Alignas(64) _Atomic uint32_t state;
  _Atomic uint32_t pid;
  _Atomic uint32_t parent;         // pid that forked it, 0 for the first
  _Atomic uint32_t exec_pending;   // an exec is under way: count of attempts
  _Atomic uint64_t start_time;     // field 22 of /proc/PID/stat, to tell reused pids apart
  _Atomic uint64_t start_ticks;    // clock when it began to record
  _Atomic uint32_t finish_wanted;  // the process asks for its trace to be completed (futex)
  _Atomic uint32_t finish_done;    // the writer's answer: equals finish_wanted when done (futex)
  _Atomic uint32_t exit_known;     // 1: exit_status and exit_how are set
  _Atomic int32_t exit_status;
  _Atomic uint32_t exit_how;        // TRACE_EXIT_*
  _Atomic uint32_t stopped;         // a limit was reached: events are counted and dropped
  _Atomic uint32_t unseen;          // TRACE_UNSEEN_*: what the process does past the recorder
  char trace_path[TRACE_PATH_MAX];  // absolute; terminated; set by the writer (slot 0: at start)
  // By the writer: grows where a file of the trace is going to be dropped, and orders of locks with
  // it, which are recorded when they are met first.
  _Atomic uint32_t forget_orders;
} trace_process_t;
_Static_assert(sizeof(trace_process_t) == 576, "where the next one begins");

// A process as one number: pids have 22 bits (PID_MAX_LIMIT), the start time has the rest. It
// stands as `from` and `to` in the headers of lane 0, so that whose a trace is can be told without
// decoding.
static inline uint64_t trace_process_identity(uint32_t pid, uint64_t start_time) {
  return start_time << 22 | (pid & ((1u << 22) - 1));
}

typedef struct {
  uint64_t magic;
  uint32_t version;
  uint32_t header_size;  // TRACE_SESSION_SIZE of the maker
  uint32_t ring_stride;
  uint32_t ring_header;
  uint32_t rings_max;  // rings that the mapping has room for
  uint32_t processes_max;
  uint32_t clock_is_tsc;  // 0: ticks are CLOCK_MONOTONIC nanoseconds
  // Places of processes that were ever taken are below this: those behind it are untouched memory.
  _Atomic uint32_t processes_used;
  _Atomic uint32_t rings_ready;  // rings [0, rings_ready) have disk space behind them
  _Atomic uint32_t writer_pid;   // 0 where it could not be started
  // The writer's tid while it lives, a robust futex: when it dies the kernel sets
  // FUTEX_OWNER_DIED (robust_futexes.rst), also on SIGKILL. 0 before it runs.
  _Atomic uint32_t writer_life;
  uint64_t writer_life_link;          // the kernel's list of robust futexes goes through here
  _Atomic uint32_t doorbell;          // futex: a ring is half full, or something wants attention
  _Atomic uint32_t writer_asleep;     // 1: a bell must be a FUTEX_WAKE
  _Atomic uint32_t beat;              // grows with each round of the writer: at most 80 ms
  _Atomic uint32_t rings_wanted;      // a thread found no ring
  _Atomic uint32_t calls_unrecorded;  // of threads that found no ring
  _Atomic uint32_t processes_unrecorded;
  // Clocks when the session was made: lets a reader of bare rings fit times.
  uint64_t ticks, monotonic_ns, realtime_ns;
  trace_process_t processes[TRACE_PROCESSES_MAX];
} trace_session_t;
_Static_assert(sizeof(trace_session_t) <= TRACE_SESSION_SIZE, "the session header has its size");

#endif
