// SPDX-License-Identifier: Apache-2.0
// A lane without a writer: the ring keeps the newest events, in sections that stand by themselves.
//
// The ring is all there is then, and what is dropped takes its definitions with it. So all stacks
// are forgotten each time that room has to be made, and the first definition after that stands
// behind a mark: what follows a mark names no stack that was defined before it. Whole sections are
// dropped.
//
// All of it is for the owner of the lane, inside the lane; signal-safe.
#ifndef PRELOAD_LANE_ALONE_H
#define PRELOAD_LANE_ALONE_H

#include "preload/lane.h"

// Words written before the slow path looks at the writer again: an eighth of the ring.
enum { LANE_STRIDE = TRACE_RING_WORDS / 8 };

static inline uint64_t lane_free_words(const lane_t *lane) {
  // Pairs with the writer's release: its frame is in the file before we write over the words.
  const uint64_t tail = atomic_load_explicit(&lane->ring->tail, memory_order_acquire);
  return tail + TRACE_RING_WORDS - lane->head;
}

// There is no writer: the definitions to come begin a section. Notes the time, as a writer would.
void lane_alone_begin_section(lane_t *lane);
// Before a definition: puts the mark if it is the first of a section.
void lane_alone_mark(lane_t *lane);
// Drops the oldest records, and counts them, until `words` and a stretch more are free and the
// oldest section is whole; less where the ring is empty or cannot be understood.
void lane_alone_drop(lane_t *lane, size_t words);

#endif
