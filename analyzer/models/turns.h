// SPDX-License-Identifier: Apache-2.0
// One turn of an event loop while it runs, and how its time divides among the descriptors that were
// ready in it.
#ifndef ANALYZER_MODELS_TURNS_H
#define ANALYZER_MODELS_TURNS_H

#include "analyzer/models/tasks.h"

#define TURN_START_UNKNOWN UINT64_MAX
// Blocked spans kept of a turn; what is beyond counts as running of its task.
enum { TURN_SPANS_MAX = 65536, TURN_NAME_MAX = 96 };
// Of some out of the sample it is not known which they are.
#define TURN_OUT_UNKNOWN UINT32_MAX

// One event of the batch: its task (0: token not known) and when its handling began.
typedef struct {
  uint32_t task;
  bool known;    // `start` is a call that was seen, not interpolated
  bool unasked;  // no event of the batch: the loop served it nevertheless
  uint32_t out;  // number of a descriptor out of the sample, and one; 0: none; TURN_OUT_UNKNOWN
  uint64_t start, until;
} turn_share_t;

// Of a thread; used again for its next turn.
typedef struct {
  bool active;
  uint32_t loop;  // id; 0 for a thread that never was in a loop
  uint64_t from;
  uint64_t weight;       // how many turns it stands for where they were sampled, else 1
  uint32_t wait_stack;   // of the wait that began it
  turn_share_t *shares;  // in order of the batch
  uint32_t share_count, share_capacity;
  turn_span_t *blocked;  // calls that blocked
  uint32_t blocked_count, blocked_capacity;
  uint64_t blocked_ns, longest_blocked_ns;
  uint32_t blocked_kind, blocked_stack;
  char blocked_on[TURN_NAME_MAX];  // what descriptor the longest was on, "" none
  uint64_t last_ns;                // end of the last call seen
  uint32_t last_stack;
  uint64_t silence_ns;     // longest time without a call
  uint32_t silence_stack;  // of the call after it, else of the last before it
  bool pending;            // the trace ends inside a call that blocks
} turn_t;

void turn_begin(turn_t *turn, uint32_t loop, uint64_t from, uint32_t wait_stack);
// It came to a descriptor out of the sample; -1: to some, of which it is not known which.
void turn_step(turn_t *turn, int32_t descriptor, uint64_t from);
// Of these one is known now: it came there at `from`, and left it at `until` (0: not known).
void turn_step_late(turn_t *turn, int32_t descriptor, uint64_t from, uint64_t until);
// A call that lasted [from, until], at `stack` (0: not known).
void turn_call(turn_t *turn, uint64_t from, uint64_t until, uint32_t stack);
// That call blocked.
void turn_blocked(turn_t *turn, uint32_t kind, uint64_t from, uint64_t until, uint32_t stack);
// Ends it: fills in the starts that are not known and every share's end.
void turn_end(turn_t *turn, uint64_t until);
// Of a share's time, what was spent in blocking calls. After turn_end.
uint64_t turn_share_blocked(const turn_t *turn, const turn_share_t *share);
void turn_free(turn_t *turn);

#endif
