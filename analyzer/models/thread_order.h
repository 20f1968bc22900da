// SPDX-License-Identifier: Apache-2.0
// What orders the moments of different threads, locks apart. Two strengths:
//
//   ORDER_ALWAYS    no schedule can change it: creating, joining, barriers
//   ORDER_THIS_RUN  it was so this time: also conditions, semaphores, descriptors
//
// A moment of thread T is (epoch, clocks): an epoch ends where T lets others know of itself, so a
// knows-of-b question is one look into a vector clock. Beside it a log of what each thread
// acquired, released and received, bounded by ORDER_STEPS_MAX, from which a reordering can be
// checked.
#ifndef ANALYZER_MODELS_THREAD_ORDER_H
#define ANALYZER_MODELS_THREAD_ORDER_H

#include "analyzer/models/vector_clock.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum { ORDER_ALWAYS, ORDER_THIS_RUN, ORDER_STRENGTHS } order_strength_t;

enum {
  ORDER_STEPS_MAX = 1 << 21,   // of all threads together, 16 bytes each
  ORDER_ROUNDS_MAX = 1 << 16,  // passages of barriers; later ones order nothing
  ORDER_UNKNOWN = UINT32_MAX,  // a position behind the end of the log
};

// What `thread` had done and knew when it let others know. Holds references. Most messages are for
// nobody: the clock of one is made when somebody receives it, from what the sender had been told
// (`clocks` until then), knew when it was created, and its own epoch.
typedef struct {
  const vector_clock_t *clocks[ORDER_STRENGTHS];
  const vector_clock_t *start[ORDER_STRENGTHS];
  uint32_t thread;    // 0: nothing was sent
  uint32_t position;  // its steps until then
  uint32_t epoch;
  bool made;
} order_message_t;

// A moment of a thread. Holds references.
typedef struct {
  const vector_clock_t *clocks[ORDER_STRENGTHS];
  uint32_t thread, epoch;
  uint32_t position;  // its steps until then, ORDER_UNKNOWN: the log had ended
  uint32_t round;     // of the last barrier it had passed, + 1
} order_moment_t;

// One step of a thread. What must have been done when it is:
//   acquire   lock != 0; position: the thread's steps that include the release, 0: never released;
//             thread: 1 for a reader
//   receive   lock == 0, thread != 0: `position` steps of that thread
//   barrier   lock == 0, thread == 0, position != 0: what the members of that round had done
//   release   all 0
typedef struct {
  uint32_t lock, thread, position;
  uint32_t when;  // place among the steps of all threads
} order_step_t;

typedef struct {
  uint32_t thread, position;
} order_member_t;

typedef struct thread_order thread_order_t;

thread_order_t *thread_order_open(void);
// Acquisitions are missing from what will be logged: nothing can be said of reorderings.
void thread_order_leave_gaps(thread_order_t *order);
void thread_order_close(thread_order_t *order);

// Others may come to know what `thread` has done until now: a message, for order_message_drop.
order_message_t thread_order_send(thread_order_t *order, uint32_t thread);
void order_message_drop(order_message_t *message);
void thread_order_receive(thread_order_t *order, uint32_t thread, order_message_t *message,
                          order_strength_t strength);
// `thread` begins with the message of its creation, which is consumed. May come late: it holds for
// everything that the thread has done. `has_begun`: it was called.
void thread_order_begin(thread_order_t *order, uint32_t thread, order_message_t *message);
bool thread_order_has_begun(const thread_order_t *order, uint32_t thread);
// A new round of a barrier, and a thread that has passed it; the last one closes it.
uint32_t thread_order_round(thread_order_t *order);
void thread_order_pass(thread_order_t *order, uint32_t thread, uint32_t round, bool last);

order_moment_t thread_order_now(thread_order_t *order, uint32_t thread);
void order_moment_drop(order_moment_t *moment);
// The epoch of `thread` now.
uint32_t thread_order_epoch(thread_order_t *order, uint32_t thread);
// True where `a` is over before `b` can begin; ORDER_ALWAYS: whatever the schedule.
bool thread_order_precedes(const thread_order_t *order, const order_moment_t *a,
                           const order_moment_t *b, order_strength_t strength);

// The log. `acquire` gives the step + 1 for `release`, 0: not logged.
uint32_t thread_order_acquire(thread_order_t *order, uint32_t thread, uint32_t lock, bool shared);
void thread_order_release(thread_order_t *order, uint32_t thread, uint32_t acquired);

uint32_t thread_order_limit(const thread_order_t *order);  // threads
uint32_t thread_order_steps(const thread_order_t *order, uint32_t thread);
const order_step_t *thread_order_step(const thread_order_t *order, uint32_t thread, uint32_t index);
// What must come before the first step of the thread: thread 0: nothing is known.
order_member_t thread_order_start(const thread_order_t *order, uint32_t thread);
const order_member_t *thread_order_members(const thread_order_t *order, uint32_t round,
                                           uint32_t *count);

#endif
