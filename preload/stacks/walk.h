// SPDX-License-Identifier: Apache-2.0
// Walking one stack, and what was read on the way.
#ifndef PRELOAD_STACKS_WALK_H
#define PRELOAD_STACKS_WALK_H

#include "preload/stacks/images.h"
#include "preload/stacks/rules.h"

// The words that decided the walk, in the order they were read: a word is only read once those
// before it have said where it is. So a stack with the same origin whose words are the same, from
// the first to the last, is the same stack; and comparing them in this order never reads where
// there may be no memory.
enum { TRAIL_MAX = 512 };
typedef struct {
  uint32_t count;
  bool needs_rbp;  // the origin's rbp decided too
  bool broken;     // the words do not tell all: too many, on another stack, or not readable
  uint32_t offsets[TRAIL_MAX];  // from the origin's CFA
  uint64_t values[TRAIL_MAX];
} trail_t;

// One for each lane. All-zero is a valid state.
typedef struct {
  memory_t memory;
  images_t images;
  cfi_workspace_t workspace;
  rule_other_t other;  // the rule of a frame for which there was no room in the table

  // The result of walk_take.
  uint32_t count;
  bool truncated;
  bool outside;  // the last frame is in no module
  trail_t trail;
  uint64_t frames[STACKS_FRAMES_MAX];  // as define_stack gets them
} walk_t;

// Takes the stack that ends in `origin`. At least one frame is found. Signal-safe.
void walk_take(walk_t *walk, const stacks_origin_t *origin, uint64_t generation);

// The same with all registers, as far as they can be known: for stacks with frames whose rules
// need more than rsp and rbp. Slow; leaves no trail.
void walk_by_registers(walk_t *walk, const stacks_origin_t *origin);

// What can be told of a frame of which `image` says nothing (NULL: it is in no module).
// STEP_TO_CALLER: it is the kernel's signal frame, and `ip` where the handler returns to.
step_t walk_unknown(walk_t *walk, const image_t *image, uint64_t ip);

#endif
