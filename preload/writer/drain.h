// SPDX-License-Identifier: Apache-2.0
// From a ring into a trace.
#ifndef PRELOAD_WRITER_DRAIN_H
#define PRELOAD_WRITER_DRAIN_H

#include "preload/writer/stream.h"

// What the writer remembers of a ring.
typedef struct {
  uint64_t reported[TRACE_KIND_LIMIT];  // of ring->lost and discarded, already in a trace
  uint64_t reported_total;
  uint64_t head_seen;   // in the round before
  uint32_t last_stack;  // number defined last
  uint64_t reported_waits, reported_ticks;
  uint64_t ran_ns;  // of the owner, as told last (see scheduled.h)
} drain_state_t;

// Takes everything below the ring's head into the stream and releases it. Facts go into a block of
// their own (which covers no positions) before the events. A stopped stream's events are counted
// and released. `lane` is the ring's number + 1. Returns the words taken.
uint64_t drain_ring(stream_t *stream, trace_ring_t *ring, uint32_t lane, drain_state_t *state,
                    const stream_memory_t *memory);
// Adds what the ring's owner has dropped so far, and what was thrown away of it, by kind, where
// that has grown. drain_ring does it too, but for a stopped stream, which is told once, at its end.
// How many connections are out of the sample grows all the time: alone it is told only where this
// may be the `last` time.
void drain_losses(stream_t *stream, const trace_ring_t *ring, uint32_t lane, drain_state_t *state,
                  bool last, const stream_memory_t *memory);
// Adds the call that the ring's owner was in when it ended, if any, as a PENDING fact.
void drain_pending(stream_t *stream, const trace_ring_t *ring, uint32_t lane,
                   const stream_memory_t *memory);

#endif
