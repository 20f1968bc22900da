// SPDX-License-Identifier: Apache-2.0
// Compares a stack as the recorder takes it with what libgcc's unwinder says of the same place.
#ifndef TESTS_UNIT_STACKS_ORACLE_H
#define TESTS_UNIT_STACKS_ORACLE_H

#include "preload/stacks/stacks.h"

enum { MODULES = 256 };

// One lane and what it was told.
typedef struct {
  stacks_t *stacks;
  stacks_sink_t sink;
  uint64_t **frames;          // by number: count, truncated, then the frames
  uint64_t *room, *room_end;  // for them
  uint32_t definitions, modules;
  uint64_t module_starts[MODULES], module_ends[MODULES];  // the last ones
} oracle_lane_t;

// A lane with memory of its own, announced. `oracle_close` gives it back.
void oracle_open(oracle_lane_t *lane);
void oracle_close(oracle_lane_t *lane);

// The result of one comparison.
typedef struct {
  uint32_t number;
  uint32_t count;  // frames of ours
  bool truncated;
  bool equal;          // ours and libgcc's are the same, or ours is truncated and a part of it
  uint32_t expected;   // frames of libgcc
  uint32_t different;  // index of the first frame that is not the same
  uint64_t ours, theirs;
} oracle_result_t;

// Takes the stack of the caller both ways, without failing anything: for signal handlers.
oracle_result_t oracle_compare(oracle_lane_t *lane);
// The same, and fails the test where they differ or the stack is truncated.
uint32_t oracle_check(oracle_lane_t *lane);
void oracle_judge(const oracle_result_t *result);

// What a number means.
const uint64_t *oracle_frames(const oracle_lane_t *lane, uint32_t number, size_t *count,
                              bool *truncated);

#endif
