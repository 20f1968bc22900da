// SPDX-License-Identifier: Apache-2.0
// What the files of the loops model share.
#ifndef ANALYZER_MODELS_LOOPS_PRIVATE_H
#define ANALYZER_MODELS_LOOPS_PRIVATE_H

#include "analyzer/models/address_map.h"
#include "analyzer/models/loops.h"
#include "analyzer/models/turns.h"

// A thread in loops: its turn, or since when it waits at the end of the trace.
typedef struct {
  turn_t turn;
  uint32_t waits_in;  // loop id, 0: no wait was pending
  uint64_t waits_since;
  bool slow, nonblocking;  // of the next read or write: it took long; the descriptor does not block
  uint32_t slow_stack;
  bool exits;       // its turn is the last one: nobody waits for it any more
  bool cut;         // the record ends inside its turn
  bool drawn;       // the wait that comes next was
  bool poll_apart;  // the last poll began no turn: what it found is nobody's batch
} loop_thread_t;

typedef struct {
  const loops_watch_t *calls;  // NULL: nobody watches
  void *context;
} loops_watcher_t;

struct loops {
  loops_watcher_t *watcher;  // apart, so that a reader of the finished model may set it
  uint64_t stall_ns;
  double rate;  // of sampling turns
  tasks_t *tasks;
  pools_t *pools;
  loop_t **items;  // by id - 1
  uint32_t count, capacity;
  address_map_t open;    // descriptor + 1 -> loop id
  address_map_t tokens;  // token key -> task id
  address_map_t polls;   // thread and stack -> poll_site_t
  loop_thread_t *threads;
  uint32_t thread_capacity;
};

// A new loop, open from the event on.
loop_t *loops_begin(loops_t *loops, int32_t descriptor, const reader_event_t *event);
loop_thread_t *loops_thread(loops_t *loops, uint32_t thread);
// The thread's turn is over.
void loops_end_turn(loops_t *loops, uint32_t thread, uint64_t until);
// A wait that returned `ready` of at most `asked` (0: no limit) begins the thread's next turn.
void loops_begin_turn(loops_t *loops, loop_t *loop, const reader_event_t *event, uint32_t asked);
// One of the batch. `task` may be NULL: not known.
void loops_add_ready(loops_t *loops, turn_t *turn, task_t *task, const reader_event_t *event);
// A call inside a turn: keeps track of silences and of calls that block. When it began.
uint64_t loops_note_call(loops_t *loops, const reader_event_t *event);

// What is recorded of turns where they are sampled: TURNS_PASSED and the kinds after it, true.
bool loops_sampled_step(loops_t *loops, const reader_event_t *event);
// The wait that an EPOLL_WAIT tells of begins a turn that stands for so many.
uint64_t loops_take_weight(const loops_t *loops, loop_t *loop, loop_thread_t *thread);
// The open instance with that descriptor; begun now where its creation was not seen.
loop_t *loops_of(loops_t *loops, int32_t descriptor, const reader_event_t *event);
void loops_note_thread(loop_t *loop, uint32_t thread);

// The open instance with that descriptor, NULL without; and its end.
loop_t *loops_find(const loops_t *loops, int32_t descriptor);
void loops_end(loops_t *loops, int32_t descriptor, uint64_t time);

// What is in the sets: an EPOLL_HELD, an EPOLL_CTL, a CLOSE; and who is registered with a token.
void loops_hold(loops_t *loops, const reader_event_t *event);
void loops_control(loops_t *loops, const reader_event_t *event);
void loops_close_descriptor(loops_t *loops, const reader_event_t *event);
task_t *loops_task_of_token(loops_t *loops, uint32_t loop, uint64_t token);

// What calls tell: a TRANSFER_SLOW; a PENDING; a READ, WRITE or ACCEPT that began at `from`.
void loops_slow(loops_t *loops, const reader_event_t *event);
void loops_pending(loops_t *loops, const reader_event_t *event);
void loops_call(loops_t *loops, const reader_event_t *event, uint64_t from);
// The first call on a descriptor in a turn whose batch it is in begins its handling.
void loops_note_handling(loops_t *loops, const reader_event_t *event, int32_t descriptor,
                         uint64_t from);
// The wait that the event tells of returned the task.
void loops_note_ready(loops_t *loops, task_t *task, const reader_event_t *event);

// A POLL and a READY_DESCRIPTOR event.
void loops_poll(loops_t *loops, const reader_event_t *event);
void loops_poll_ready(loops_t *loops, const reader_event_t *event);

#endif
