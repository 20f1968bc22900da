// SPDX-License-Identifier: Apache-2.0
// All lanes of this process: the memory behind them, and who has which.
#ifndef PRELOAD_LANES_H
#define PRELOAD_LANES_H

#include "preload/lane.h"

// Reserves address space for `rings` lanes and their stacks, as memory that a forked child sees as
// zeros. False where the kernel refuses. Called once, in the constructor.
bool lanes_reserve(uint32_t rings);

// Gives the calling thread a lane: one that a thread of this process has left, or a fresh one.
// Records THREAD_START with `routine` (0: the start was not seen). NULL where there is none
// (counted). Sets lane_current. Signal-safe; may write to the ring.
lane_t *lanes_claim(uint64_t routine);

// Gives a lane that was claimed before stacks were ready its memory for them.
void lanes_give_stacks(lane_t *lane);

// What lane_stack_take hands to the stack module for this lane.
stacks_sink_t lane_sink(lane_t *lane);

#endif
