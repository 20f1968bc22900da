// SPDX-License-Identifier: Apache-2.0
// Sampling of event loops: which connections and which turns are recorded where INSPECT_SAMPLING is
// below 1.
//
// A connection is in the sample from its accept to its close, or in no part of it. The
// first that a listener gives is in it, and of the others each with the probability of the rate;
// likewise one that the program opens itself (hooks/client.h). Of one outside (descriptor_skipped)
// no call is recorded, not even those that open and close it, and none is timed but those that may
// block: if one does, that wait is in the record. How many there are is counted where it survives
// the thread (CONNECTION_OUT). Everything else that a loop waits for (timers, pipes, eventfds,
// signals) is recorded whole: there are few of them.
//
// A listener that has given its first connection is told in sums (LISTENER_PASSED), but for the
// turns that are drawn and for what it gives to the sample: so its figures are exact, but for its
// longest poll.
//
// A turn is the time from the return of an epoll_wait to the next. It is recorded as it begins
// where
//
//   - it is drawn, with the probability of the rate (TURN_DRAWN): such turns stand for all others
//   - it is told of a descriptor that is recorded
//   - the wait before it took INSPECT_WAIT_MS or longer
//
// and late (TURN_LATE) where the thread is about to block in it, or where it has become a stall.
// All others are counted: how many there were, of how many events, how long they and their waits
// took (TURNS_PASSED). So the totals of a loop are exact, and only its distributions are estimates.
//
// What descriptor a turn is at: a call on one out of the sample notes its number and where it was
// called. Only where the turn has several events to divide its time among, a change from one to
// another takes the time. In a turn that is drawn it is recorded (TURN_STEP); in another that is
// recorded only that the turn went on to what is not (TURN_OUT): who that was is told if the turn
// blocks there, or if it becomes a stall whose longest part that was (TURN_STEP_LATE).
#ifndef PRELOAD_LOOP_SAMPLE_H
#define PRELOAD_LOOP_SAMPLE_H

#include "preload/lane.h"
#include "preload/sampler.h"

#include <sys/epoll.h>

enum {
  LOOP_PASSED_MOST = 64,  // turns that are counted before they are told
  LOOP_TOLD_MS = 10,      // and for so long at most, while there are turns
};

typedef enum { LOOP_TURN_NONE, LOOP_TURN_PASSED, LOOP_TURN_RECORDED } loop_turn_state_t;

// Private to the lane's thread. Zeros are a valid state.
typedef struct loop_sample {
  sampler_t connections, turns;  // `left`: how many go by before the next that is drawn
  // The turn that runs.
  uint8_t turn;       // loop_turn_state_t
  bool drawn;         // all of its steps are recorded
  bool told;          // the beginning of what is handled now is in the record, with its name
  bool out_told;      // or that it is one of those that are not
  bool longest_told;  // the same of what took longest
  int32_t epoll;
  int32_t ready;                     // what its wait returned
  int32_t present, longest;          // descriptors: handled now, and longest before; -1: none
  uintptr_t present_ip, longest_ip;  // where the first call on it was made
  uint64_t from, wait;               // ticks: when it began, and how long its wait was
  uint64_t present_from, longest_from, longest_ticks;
  // A listener of this turn whose part is counted; -1: none.
  int32_t listener;
  bool listener_told;                     // it is handled now, and a record says so
  bool listener_whole;                    // but for the accepts: its part is recorded
  uint32_t accepts;                       // that are not recorded
  uint64_t listener_wait, listener_from;  // ticks: before its first call; when that was
  uint64_t listener_ran;                  // before `listener_from`
  // The same of turns that have ended and are not told yet, all of one listener.
  int32_t passed_listener;
  uint32_t passed_accepts, passed_polls;
  uint64_t passed_ran, passed_wait;
  // Turns that have ended and are not told yet, all of one instance.
  int32_t passed_epoll;
  uint32_t waits, events, empty, spins, saturated;
  uint64_t busy, idle;  // ticks
  uint64_t told_at;     // when some were told last
} loop_sample_t;

extern uint64_t recorder_stall_ticks;  // INSPECT_STALL_MS
extern uint64_t recorder_told_ticks;   // LOOP_TOLD_MS

// A wait on an epoll instance is about to begin, and one has returned. With the lane entered.
void loop_sample_wait_begins(lane_t *lane, uint64_t now);
typedef struct {
  int32_t epoll, limit, result;
  int64_t timeout;  // ms
  uint64_t now, ticks;
  const struct epoll_event *events;
} loop_wait_t;
void loop_sample_wait_ended(lane_t *lane, const stacks_origin_t *origin, const loop_wait_t *wait);
// A poll or select has returned, which is recorded.
void loop_sample_polled(lane_t *lane);
// The thread is about to block, or has been blocked: its turn is recorded, if it was not yet.
void loop_sample_unfold(lane_t *lane);
// What is counted is told: the thread ends.
void loop_sample_flush(lane_t *lane);

// Whether a connection that begins is in the sample, TRACE_SAMPLED_*; `certain`: it is in any case.
unsigned loop_sample_draw(lane_t *lane, bool certain);
// Records how that was decided.
void loop_sample_tell(lane_t *lane, int descriptor, unsigned how);
// A connection is out of the sample, and no record says so.
void loop_sample_count_out(lane_t *lane);
// Records who that is, of one out of the sample, if it is not in the record.
void loop_sample_name(lane_t *lane, int descriptor);

// Whether an accept is told in sums, if what it gives is out of the sample: in a turn of epoll that
// was not drawn, from a listener that is a task and has given a connection before.
bool loop_sample_sums(const lane_t *lane, int listener);
// In such a turn a listener was asked, from `since` on, for connections; `accepts` of which there
// is no record were given. `whole`: that it was ready is recorded, as of what gives its first.
void loop_sample_asked(lane_t *lane, const stacks_origin_t *origin, int listener, unsigned accepts,
                       uint64_t since, bool whole);
// Whether the calling thread is in a turn of an epoll loop, and most of it is not recorded.
static inline bool loop_sample_in_turn(void) {
  const lane_t *lane = lane_current;
  return lane && lane->loops && lane->loops->turn != LOOP_TURN_NONE && lane->loops->epoll >= 0 &&
         !lane->loops->drawn;
}

// A descriptor that is recorded is registered with that token, and no longer.
void loop_sample_register(int epoll, int descriptor, uint64_t token);
void loop_sample_unregister(int descriptor);

void loop_sample_step(const stacks_origin_t *origin, loop_sample_t *loops, int descriptor);

// A call on a descriptor out of the sample.
static inline void loop_sample_touch(const stacks_origin_t *origin, int descriptor) {
  const lane_t *lane = lane_current;
  if (unlikely(!lane || !lane->loops)) return;
  loop_sample_t *loops = lane->loops;
  if (loops->turn == LOOP_TURN_NONE || loops->present == descriptor) return;
  if (likely(loops->turn == LOOP_TURN_PASSED && loops->ready <= 1 && loops->present < 0)) {
    loops->present = descriptor;
    loops->present_ip = origin->ip;
    return;
  }
  loop_sample_step(origin, loops, descriptor);
}

// A call on one that is recorded, begun at `now`.
void loop_sample_met(loop_sample_t *loops, int descriptor, uintptr_t ip, uint64_t now);

#endif
