// SPDX-License-Identifier: Apache-2.0
// Reads a trace, complete, interrupted or still growing, as one stream of events in time order.
//
// The reader hides where an event comes from (frames of the file, or what was still in the rings
// beside it), which lane it stood in, and what a stack number meant there. Memory: one decoded
// block a lane, plus the facts (modules, threads, distinct stacks).
#ifndef ANALYZER_READING_READER_H
#define ANALYZER_READING_READER_H

#include "formats/container.h"
#include "formats/session.h"

#include <stdio.h>

typedef struct reader reader_t;

// Which part of its call an event stands for.
typedef enum {
  READER_WHOLE,
  READER_BEGINS,  // a call that gives something away begins; the event itself follows as
                  // READER_ENDS
  READER_ENDS,
} reader_phase_t;

// One event. Times are ns since the start of the trace. `stack` is an index for reader_stack, 0 for
// none. `thread` is an index for reader_thread; each life of a thread has its own.
typedef struct {
  uint8_t kind;   // trace_kind_t
  uint8_t phase;  // reader_phase_t
  bool timed;     // its own stamp; else time is that of the event before in its lane
  uint32_t lane;
  uint32_t thread;
  uint32_t stack;
  uint64_t time;
  uint64_t arg;  // as in the record: RESULT fields are still zigzag
  // TICKS fields are already durations in ns, and the since_ticks of a PENDING is a time like
  // `time`.
  uint64_t words[TRACE_WORDS_MAX];
  const uint64_t *payload;
} reader_event_t;

// A thread's life. Index 0 stands for "no thread" (the writer's own facts).
typedef struct {
  uint32_t lane;
  uint32_t tid;
  uint64_t handle;          // pthread_t
  uint64_t routine;         // start routine, 0: unknown or the main thread
  uint64_t started, ended;  // ns; ended = UINT64_MAX while alive
  char name[32];            // last known name, or ""
  uint32_t creator;         // thread that created it, 0 unknown
  uint32_t create_stack;
  bool main;     // tid == pid
  bool assumed;  // its start is not in the trace
  bool quiet;    // live trace: did nothing between two looks (see reader_options_t)
  uint64_t events, lost;
} reader_thread_t;

typedef struct {
  uint64_t bias, start, end;
  uint64_t loaded, unloaded;  // ns; unloaded = UINT64_MAX while mapped
  uint8_t build_id[64];
  size_t build_id_length;
  const char *path;
} reader_module_t;

typedef struct {
  uint32_t count;
  bool truncated;
  const uint64_t *frames;  // return addresses, innermost first; addresses in the process
  uint64_t defined;        // ns: first met; the modules mapped then are what its addresses mean
} reader_stack_t;

// What the trace says of its run, and how much of it there is.
typedef struct {
  const char *program;  // path, or "?"
  const char **arguments;
  size_t argument_count;
  uint32_t pid, parent;
  const char *mode;
  double sampling;
  double lock_rate;         // part of the holds that nobody waited for; 1: all were kept
  double task_rate;         // part of connections and loop turns that were drawn; 1: all were kept
  uint64_t sampling_bytes;  // mean distance between samples of allocations; 0: all were kept
  uint32_t version;
  uint64_t start_realtime_ns;
  uint64_t duration_ns;        // to the last event known (known after the last reader_next)
  bool complete;               // END was read and nothing is missing
  bool running;                // the process lives; the trace is as of now
  bool damaged;                // parts could not be read: see reader_warning
  int end_how;                 // TRACE_END_*, -1 unknown
  int exit_status;             // -1 unknown
  int end_signal;              // that ended one that died, 0 unknown
  uint64_t events;             // read so far, facts not counted
  uint64_t events_from_rings;  // of these, found in the rings
  uint64_t lost;               // all kinds and reasons
  uint64_t lost_by_kind[TRACE_KIND_LIMIT];
  uint64_t connections_out;   // out of the sample, of which no record says so: not lost
  uint64_t unwind_truncated;  // stacks marked truncated
  uint64_t writer_cpu_ns, waits, waited_ns;
  uint64_t file_bytes, blocks;
  uint32_t files;            // 2: TRACE.new goes on where TRACE ends
  uint32_t rings;            // rings of the process that were found beside the trace
  bool seek_table;           // the file ends with one
  double stall_ms, wait_ms;  // thresholds it was recorded with
  uint32_t processors;       // it was allowed to use; 0 not known
} reader_summary_t;

typedef struct {
  // Time between the two looks at a live process, ms. Threads whose ring and pending call did not
  // change between them are `quiet`: only those can be part of a deadlock. Default 50.
  unsigned settle_ms;
  bool no_rings;  // the file alone (tests)
  bool facts;     // facts are given out as events, too (dump)
  // A write during which other threads did something is given twice: where it begins, too, for who
  // reads what was written may be done before the writer is.
  bool beginnings;
} reader_options_t;

// A reader of several traces as one (see reader_join): the number of the process stands above these
// bits of an address, a descriptor and a lane.
enum {
  READER_PART_SHIFT = 48,
  READER_PART_DESCRIPTORS = 24,
  READER_PART_LANES = 16,
  READER_PARTS_MAX = 127,
};

// Opens `path`. NULL on failure, with "FILE: offset N: what is wrong" in `error` (`size` bytes).
// `options` may be NULL.
reader_t *reader_open(const char *path, const reader_options_t *options, char *error, size_t size);
void reader_close(reader_t *reader);

// Reads `count` traces (1 <= count <= READER_PARTS_MAX) of one host, just opened, as one: in order
// of time, with threads, stacks and addresses told apart. Takes the readers over. Properties and
// warnings are those of the parts.
reader_t *reader_join(reader_t *const *readers, uint32_t count);
// How many traces it reads, each of them, and the one that a thread or a stack is of.
uint32_t reader_part_count(const reader_t *reader);
const reader_t *reader_part(const reader_t *reader, uint32_t part);
uint32_t reader_part_of_thread(const reader_t *reader, uint32_t thread);
uint32_t reader_part_of_stack(const reader_t *reader, uint32_t stack);

// The next event in time order. Facts that the reader itself keeps (stacks, modules, clocks,
// properties, lane, overhead, end) are not given out; the others are, LOST and PENDING among them.
// 1: an event, whose payload lives until the next call. 0: the end. Damage is never fatal: it is
// noted as a warning and reading goes on behind it.
int reader_next(reader_t *reader, reader_event_t *event);
// The next events, in the same order, up to `limit` (at least 1) of them. 0: the end. Of several
// none has a payload, and none begins, ends or names a thread; what the reader knows beside may be
// what stands up to the event after them. Of one the payload lives until the next call.
size_t reader_read(reader_t *reader, reader_event_t *events, size_t limit);

// Facts. Pointers live until the next reader_next (all of them until close after the end).
const reader_summary_t *reader_summary(const reader_t *reader);
const reader_stack_t *reader_stack(const reader_t *reader, uint32_t stack);
size_t reader_stack_count(const reader_t *reader);  // valid: 1 <= stack < count
const reader_thread_t *reader_thread(const reader_t *reader, uint32_t thread);
size_t reader_thread_count(const reader_t *reader);
size_t reader_module_count(const reader_t *reader);
const reader_module_t *reader_module(const reader_t *reader, size_t index);
// The thread that is meant by `handle` at `time`: the last that started until then with that
// handle (it may have ended: a join returns after the end), else the first that starts after it
// (pthread_create may return later than the thread starts, or before). 0 if there is none.
uint32_t reader_thread_by_handle(const reader_t *reader, uint64_t handle, uint64_t time);

// PROPERTY facts in order of the trace: "key=value". NULL behind the last.
const char *reader_property(const reader_t *reader, size_t index);
// What was wrong or missing, one line each, "offset N: ..." where there is a place.
const char *reader_warning(const reader_t *reader, size_t index);

#endif
