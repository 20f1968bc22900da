// SPDX-License-Identifier: Apache-2.0
// Descriptor tasks: a descriptor registered in an epoll instance, from ADD to DEL or close (DEL and
// ADD in one turn only change what is asked for, as libevent does it: the task lives on), or one
// that a poll or select loop found ready, from then to its close, or an accepted connection that a
// loop serves without either. (A thread is a task too: its figures are in threads.h.)
//
//   running + scheduled + blocked + idle = ended_ns - created_ns
//
// scheduled: returned ready by a wait, its handling not begun. running: from the first call on it
// in the turn (or its place in the batch) to the next one's, less what the thread was blocked.
//
// Where connections are sampled (preload/loop_sample.h) only those of the sample are tasks; their
// own figures are exact, and tasks_totals estimates what all of them have.
#ifndef ANALYZER_MODELS_TASKS_H
#define ANALYZER_MODELS_TASKS_H

#include "analyzer/models/descriptors.h"
#include "analyzer/models/estimate.h"
#include "analyzer/reading/reader.h"

#define TASK_STATE_TABLE(STATE)                                                                    \
  STATE(PENDING, "pending")                                                                        \
  STATE(SCHEDULED, "scheduled")                                                                    \
  STATE(RUNNING, "running")                                                                        \
  STATE(IDLE, "idle")                                                                              \
  STATE(BLOCKED, "blocked")                                                                        \
  STATE(COMPLETED, "completed")                                                                    \
  STATE(FAILED, "failed")
typedef enum {
#define STATE(name, text) TASK_STATE_##name,
  TASK_STATE_TABLE(STATE)
#undef STATE
} task_state_t;
const char *task_state_name(task_state_t state);

enum { TASKS_ENDED_MAX = 100000 };  // ended tasks kept one by one, the newest
enum { TASK_COVERED = 8 };          // times remembered of a task that several threads have at once

typedef struct {
  uint64_t from, until;
} turn_span_t;

typedef struct {
  uint32_t id;    // 1, 2, ... in order of appearance; never reused
  uint32_t loop;  // id of the loop it was registered with first
  int32_t descriptor;
  task_state_t state;  // PENDING: registered, never ready yet
  uint32_t site;       // stack of the ADD
  uint32_t parent;     // id of the listener's task that accepted it, 0: none known
  descriptor_kind_t kind;
  char *name;                     // addresses or path, NULL: not recorded
  uint64_t token;                 // epoll data
  uint64_t created_ns, ended_ns;  // live: ended_ns is the trace's last moment after tasks_finish
  uint64_t polls;                 // times it was returned ready
  uint64_t reads, writes, accepts;
  uint64_t bytes_in, bytes_out;
  uint64_t running_ns, scheduled_ns, blocked_ns, idle_ns;
  uint64_t max_poll_ns;       // longest running + blocked of one turn
  uint64_t max_scheduled_ns;  // longest wait of one turn
  // From the return of the first read with bytes to that of the first write with bytes after it.
  uint64_t responses, response_total_ns, response_max_ns;
  uint64_t peer_closed_ns;  // a read returned 0: the peer sends no more; 0 not seen
  uint64_t self_wakes;      // written to by the thread that waits for it
  // Private: epoll instances that hold it; whether an error was seen; where it stands in the batch
  // of which thread's turn.
  uint32_t registrations;
  uint32_t kept_at;             // place among the ended ones
  uint32_t file;                // of its descriptor, where that has copies (see descriptors.h)
  bool drawn;                   // of a sample: stands for 1 / rate of its kind
  bool adopted;                 // the one registration is none: tasks_adopt
  bool held;                    // registered before this process, or image, waited for it
  bool failed, asked;           // asked: bytes came, no answer yet
  bool shared;                  // several threads were told that it is ready
  bool nonblocking;             // a call on it would have blocked, and did not
  uint64_t asked_ns, woken_ns;  // since when; written to at the other end, not seen yet (0: none)
  uint32_t woken_by;            // thread that did
  uint32_t batch_thread, batch_place, batch_loop;
  turn_span_t *covered;  // times that are accounted for, the latest ones; NULL: `last` is all
  turn_span_t last;
  uint64_t forgotten_ns;  // until then `covered` is no longer known: it counts as accounted for
  uint64_t ready_ns;      // returned ready last, 0: then a writer was seen that had made it so
} task_t;

typedef struct tasks tasks_t;

uint32_t tasks_count(const tasks_t *tasks);                     // kept ones
const task_t *tasks_get(const tasks_t *tasks, uint32_t index);  // 0 .. count - 1, by rising id
const task_t *tasks_by_id(const tasks_t *tasks, uint32_t id);   // NULL: dropped
uint64_t tasks_dropped(const tasks_t *tasks);                   // ended, beyond the limit

// All tasks that ever were, also those that are no longer kept. After tasks_finish.
typedef struct {
  double rate;                    // of sampling connections; 1: none was left out
  uint64_t recorded, drawn, out;  // tasks; of these drawn; connections out of the sample
  uint64_t lost;  // connections, drawn or not, of which the record is missing; in no other figure
  estimate_sum_t polls, calls, bytes_in, bytes_out, responses;
} tasks_totals_t;
tasks_totals_t tasks_totals(const tasks_t *tasks);
estimate_total_t tasks_total(const tasks_totals_t *totals, const estimate_sum_t *sum);

// ---- for the loops model, which sees the turns -------------------------------------------------
tasks_t *tasks_open(void);
void tasks_close(tasks_t *tasks);
// Connections were drawn at that rate. Before the first event.
void tasks_sample(tasks_t *tasks, double rate);
// Of so many connections it is not even known whether they were drawn; so many more were not.
void tasks_note_lost(tasks_t *tasks, uint64_t connections, uint64_t out);
// A LISTENER_PASSED event.
void tasks_listened(tasks_t *tasks, const reader_event_t *event);
// How many of its kind the task stands for.
uint64_t tasks_weight(const tasks_t *tasks, const task_t *task);
// The live task of a descriptor, NULL: none.
task_t *tasks_live(tasks_t *tasks, int32_t descriptor);
// What is known of a descriptor, NULL: nothing. Valid until the next event.
const descriptor_t *tasks_descriptor(const tasks_t *tasks, int32_t descriptor);
task_t *tasks_find(tasks_t *tasks, uint32_t id);  // live or kept; NULL: dropped
// One registration more; makes the task with the first. One that left this loop at `since` or
// later, and whose descriptor stayed open, goes on (UINT64_MAX: never).
task_t *tasks_register(tasks_t *tasks, int32_t descriptor, uint32_t loop, uint64_t token,
                       uint32_t stack, uint64_t since, uint64_t time);
// A connection of a known listener that a loop serves before it registers it, or without: a task
// from the first call on it in a turn. NULL: it is no such connection.
task_t *tasks_adopt(tasks_t *tasks, int32_t descriptor, uint32_t loop, uint64_t time);
// One registration less, or `closed`: all of them. Ends the task when none is left.
void tasks_unregister(tasks_t *tasks, task_t *task, bool closed, uint64_t time);
// A READ, WRITE or ACCEPT event. The time from request to answer where it ends one, else 0.
uint64_t tasks_call(tasks_t *tasks, const reader_event_t *event);
// Events that say what a descriptor is.
void tasks_describe(tasks_t *tasks, const reader_event_t *event);
// Whether a close of that descriptor leaves its task registered: a copy of it is open (epoll(7),
// "Will closing a file descriptor cause it to be removed").
bool tasks_stays(const tasks_t *tasks, int32_t descriptor);
// A connection's descriptor is closed: what is accepted with its number next is another one.
void tasks_close_descriptor(tasks_t *tasks, int32_t descriptor, uint64_t time);
// Takes [from, until), as far as it is in the task's life, as accounted for. Gives the parts of it
// that were not yet, in order of time: how many, at most TASK_COVERED + 1.
unsigned tasks_cover(task_t *task, uint64_t from, uint64_t until, turn_span_t *parts);
// Computes idle times, and states of those that the loops have not set.
void tasks_finish(tasks_t *tasks, uint64_t end_ns);

#endif
