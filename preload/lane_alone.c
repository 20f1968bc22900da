// SPDX-License-Identifier: Apache-2.0
// A lane without a writer. See the header.
#include "preload/lane_alone.h"

// A mark is padding of no length, twice: before the end of a ring there is one, at most.
static bool lane_is_mark(const lane_t *lane, const uint64_t *at) {
  const uint64_t padding = trace_header(0, false, 0, 0);
  return at + 1 < lane->data_end && at[0] == padding && at[1] == padding;
}

void lane_alone_mark(lane_t *lane) {
  if (likely(!lane->mark_wanted)) return;
  uint64_t *to = lane->next + 2 > lane->soft_end ? lane_make_room(lane, 2) : lane->next;
  if (!to) return;
  to[0] = to[1] = trace_header(0, false, 0, 0);
  lane_advance(lane, to, 2);
  lane->mark_wanted = false;
}

// The writer would have noted the time.
static void lane_note_clock(trace_ring_t *ring) {
  atomic_store_explicit(&ring->alone_ns, 0, memory_order_release);
  atomic_store_explicit(&ring->alone_ticks, clock_ticks(), memory_order_release);
  atomic_store_explicit(&ring->alone_ns, clock_monotonic(), memory_order_release);
}

void lane_alone_begin_section(lane_t *lane) {
  stacks_forget(lane->stacks);
  lane->mark_wanted = true;
  lane_note_clock(lane->ring);
}

// The words of the record at `position`; 0 where the ring ends there or is not to be understood.
static size_t lane_record_at(const lane_t *lane, uint64_t position, trace_record_t *record) {
  const uint64_t *from = lane->data + position % TRACE_RING_WORDS;
  return position < lane->head ? trace_record_parse(from, (size_t)(lane->data_end - from), record)
                               : 0;
}

// Where the section after `from` begins: a mark is not farther than a section is long. `from` where
// there is none, as in what stood in the ring before the writer died.
static uint64_t lane_section_after(const lane_t *lane, uint64_t from) {
  trace_record_t record;
  for (uint64_t at = from; at - from < 2 * LANE_STRIDE;) {
    if (at < lane->head && lane_is_mark(lane, lane->data + at % TRACE_RING_WORDS)) return at;
    const size_t length = lane_record_at(lane, at, &record);
    if (length == 0) break;
    at += length;
  }
  return from;
}

// What has to go so that `words` and a stretch more are free and the oldest section is whole. The
// block that the writer was at when it was killed goes as one.
static uint64_t lane_drop_end(const lane_t *lane, uint64_t tail, size_t words) {
  const uint64_t wanted = lane->head + words + LANE_STRIDE;
  const uint64_t taking = atomic_load_explicit(&lane->ring->taking, memory_order_acquire);
  trace_record_t record;
  while (tail + TRACE_RING_WORDS < wanted || tail < taking) {
    const size_t length = lane_record_at(lane, tail, &record);
    if (length == 0) return tail;
    tail += length;
  }
  return lane_section_after(lane, tail);
}

// Adds what stands in [at, end), by kind.
static void lane_count(const lane_t *lane, uint64_t at, uint64_t end, _Atomic uint32_t *counts) {
  trace_record_t record;
  while (at < end) {
    at += lane_record_at(lane, at, &record);
    if (record.kind != 0) atomic_fetch_add_explicit(&counts[record.kind], 1, memory_order_relaxed);
  }
}

void lane_alone_drop(lane_t *lane, size_t words) {
  trace_ring_t *ring = lane->ring;
  const uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
  const uint64_t taking = atomic_load_explicit(&ring->taking, memory_order_relaxed);
  const uint64_t end = lane_drop_end(lane, tail, words);
  const uint64_t before = atomic_load_explicit(&ring->dropped_to, memory_order_relaxed);
  _Atomic uint32_t *now = ring->dropped[before & 1], *next = ring->dropped[~before & 1];
  if (end == tail) return;
  lane_alone_begin_section(lane);  // the writer may have died a moment ago
  for (int kind = 0; kind < TRACE_KIND_LIMIT; kind++)
    atomic_store_explicit(&next[kind], atomic_load_explicit(&now[kind], memory_order_relaxed),
                          memory_order_relaxed);
  lane_count(lane, tail, end, next);
  if (tail < taking) lane_count(lane, tail, taking, ring->lost_taken);
  // From here on they are dropped, and counted: the process may be killed between any two stores.
  atomic_store_explicit(&ring->dropped_to, end << 1 | (~before & 1), memory_order_release);
  atomic_store_explicit(&ring->tail, end, memory_order_release);
}
