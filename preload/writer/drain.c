// SPDX-License-Identifier: Apache-2.0
// Draining: the words between tail and head become blocks, then tail moves.
#include "preload/writer/drain.h"

#include "preload/writer/places.h"

#include <stddef.h>
#include <string.h>

static uint64_t *ring_data(trace_ring_t *ring) {
  return (uint64_t *)((uint8_t *)ring + TRACE_RING_HEADER);
}

static bool append(stream_t *stream, const uint64_t *words, size_t count, trace_block_t block,
                   const stream_memory_t *memory) {
  uint32_t counts[TRACE_KIND_LIMIT];
  const bool facts = block.from == block.to;
  const size_t size = trace_block_encode(words, count, memory->scratch, memory->content, &block);
  if (size == 0) return false;
  if (!facts) trace_block_counts(memory->scratch, counts);
  return stream_append(stream, &block, memory->content, size, facts ? NULL : counts, memory);
}

// A stack number that is defined again means another stack from there on (numbers first grow, so
// one that is not above all others is a second definition).
static bool is_redefinition(const trace_record_t *record, drain_state_t *state) {
  if (record->kind != TRACE_STACK) return false;
  if (record->stack <= state->highest_stack) return true;
  state->highest_stack = record->stack;
  return false;
}

// The recorder only says that it met the lock: what is behind its address is looked up here, for it
// takes system calls. Once the process has gone nothing can be told any more.
static void fill_place(uint64_t *words, const trace_record_t *record, uint32_t pid) {
  place_t place;
  if (record->words[1] || !place_find(pid, record->words[0], &place)) return;
  words[0] = trace_header(record->kind, record->timed, record->stack, place.device);
  words[2] = place.inode;
  words[3] = place.offset;
}

// Parts records into facts and events, in order, up to a stack number that gets another meaning
// for events behind it. Returns the words it went over.
static size_t take_apart(const uint64_t *words, size_t count, uint32_t pid, drain_state_t *state,
                         const stream_memory_t *memory, size_t *facts, size_t *events) {
  trace_record_t record;
  *facts = *events = 0;
  for (size_t at = 0; at < count;) {
    const size_t length = trace_record_parse(words + at, count - at, &record);
    if (length == 0) return count;
    if (is_redefinition(&record, state) && *events > 0) return at;
    const bool fact = record.kind && trace_event_kinds[record.kind].family == TRACE_FAMILY_FACT;
    uint64_t *to = fact ? memory->facts + *facts : memory->events + *events;
    if (record.kind) {
      memcpy(to, words + at, length * sizeof *words);
      if (record.kind == TRACE_LOCK_SHARED_AT) fill_place(to, &record, pid);
      *(fact ? facts : events) += length;
    }
    at += length;
  }
  return count;
}

// Only the writer writes these: plain sums, made atomic for whoever reads them.
static void discarded_add(_Atomic uint64_t *counter, uint64_t more) {
  atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
                        memory_order_relaxed);
}

// What a stopped stream throws away, by kind. The ring is told all at once, just before its tail
// moves: a writer that is killed between the two has counted what is still in the ring.
static void discard(stream_t *stream, trace_ring_t *ring, const uint64_t *words, size_t count) {
  uint32_t counts[TRACE_KIND_LIMIT] = {0};
  trace_record_t record;
  stream->finished = false;  // the end is to tell of these too
  for (size_t at = 0, length; at < count; at += length) {
    length = trace_record_parse(words + at, count - at, &record);
    if (length == 0) break;
    counts[record.kind]++;
  }
  for (unsigned kind = 1; kind < TRACE_KIND_LIMIT; kind++) {
    if (counts[kind] == 0) continue;
    discarded_add(&ring->discarded[kind], counts[kind]);
    discarded_add(&ring->discarded_total, counts[kind]);
  }
}

// Before a block: should the writer be killed between file and tail, the owner has to know which of
// the words that it drops then may be in the file.
static void ring_take(trace_ring_t *ring, uint64_t to) {
  atomic_store_explicit(&ring->taking, to, memory_order_release);
}

// Only now may the owner write over them: their frame is in the file.
static void ring_release(trace_ring_t *ring, uint64_t to) {
  atomic_store_explicit(&ring->tail, to, memory_order_release);
}

// Takes [from, to), which does not wrap.
static void drain_span(stream_t *stream, trace_ring_t *ring, uint64_t from, uint64_t to,
                       uint32_t lane, bool facts_inside, drain_state_t *state,
                       const stream_memory_t *memory) {
  const size_t count = (size_t)(to - from);
  const uint64_t *words = ring_data(ring) + from % TRACE_RING_WORDS;
  if (stream->stopped) {
    discard(stream, ring, words, count);
    return;
  }
  trace_block_t block = {.lane = lane, .from = from, .to = to};
  if (!facts_inside) {
    ring_take(ring, to);
    if (!append(stream, words, count, block, memory)) discard(stream, ring, words, count);
    return;
  }
  while (from < to) {
    size_t facts, events;
    const size_t over =
        take_apart(words, (size_t)(to - from), stream->pid, state, memory, &facts, &events);
    const trace_block_t definitions = {.lane = lane, .from = from, .to = from};
    if (facts > 0) append(stream, memory->facts, facts, definitions, memory);
    block.from = from;
    block.to = from + over;
    ring_take(ring, block.to);
    if (events > 0 && !append(stream, memory->events, events, block, memory))
      discard(stream, ring, memory->events, events);
    words += over;
    from += over;
    ring_release(ring, from);
  }
}

static void append_facts(stream_t *stream, uint32_t lane, uint64_t position, const uint64_t *words,
                         size_t count, const stream_memory_t *memory) {
  if (count > 0)
    append(stream, words, count, (trace_block_t){.lane = lane, .from = position, .to = position},
           memory);
}

void drain_losses(stream_t *stream, const trace_ring_t *ring, uint32_t lane, drain_state_t *state,
                  const stream_memory_t *memory) {
  const uint64_t total = atomic_load_explicit(&ring->lost_total, memory_order_relaxed) +
                         atomic_load_explicit(&ring->discarded_total, memory_order_relaxed);
  if (total == state->reported_total) return;
  uint64_t words[TRACE_KIND_LIMIT * 3];
  size_t used = 0;
  for (unsigned kind = 0; kind < TRACE_KIND_LIMIT; kind++) {
    const uint64_t discarded = atomic_load_explicit(&ring->discarded[kind], memory_order_relaxed);
    const uint64_t lost =
        atomic_load_explicit(&ring->lost[kind], memory_order_relaxed) + discarded;
    if (lost == state->reported[kind]) continue;
    words[used++] = trace_header(TRACE_LOST, false, 0, kind);
    words[used++] = lost;
    words[used++] = discarded ? TRACE_LOST_DISK : TRACE_LOST_RING_FULL;
    state->reported[kind] = lost;
  }
  state->reported_total = total;
  append_facts(stream, lane, atomic_load(&ring->head), words, used, memory);
}

static void note_waits(stream_t *stream, const trace_ring_t *ring, drain_state_t *state) {
  const uint64_t waits = atomic_load_explicit(&ring->waits, memory_order_relaxed);
  const uint64_t ticks = atomic_load_explicit(&ring->waited_ticks, memory_order_relaxed);
  stream->waits += waits - state->reported_waits;
  stream->waited_ticks += ticks - state->reported_ticks;
  state->reported_waits = waits;
  state->reported_ticks = ticks;
}

uint64_t drain_ring(stream_t *stream, trace_ring_t *ring, uint32_t lane, drain_state_t *state,
                    const stream_memory_t *memory) {
  // Pairs with the owner's release: all records below head are whole.
  const uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
  uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
  const uint64_t begin = tail;
  const uint64_t last_fact = atomic_load_explicit(&ring->last_fact, memory_order_relaxed);
  if (head - tail > TRACE_RING_WORDS) return 0;  // not a ring that we can believe
  while (tail < head) {
    uint64_t end = tail + (TRACE_RING_WORDS - tail % TRACE_RING_WORDS);
    if (end > head) end = head;
    drain_span(stream, ring, tail, end, lane, last_fact > tail, state, memory);
    tail = end;
    ring_release(ring, tail);
  }
  // What space is held for the last words of a stopped stream is not for these.
  if (!stream->stopped) drain_losses(stream, ring, lane, state, memory);
  note_waits(stream, ring, state);
  return head - begin;
}

void drain_pending(stream_t *stream, const trace_ring_t *ring, uint32_t lane,
                   const stream_memory_t *memory) {
  const uint32_t what = atomic_load_explicit(&ring->pending_what, memory_order_acquire);
  if (what == TRACE_PENDING_NONE) return;
  const uint32_t stack = atomic_load_explicit(&ring->pending_stack, memory_order_relaxed);
  const uint64_t words[] = {
      trace_header(TRACE_PENDING, false, stack & (TRACE_STACK_LIMIT - 1), what),
      atomic_load_explicit(&ring->pending_object, memory_order_relaxed),
      atomic_load_explicit(&ring->pending_second, memory_order_relaxed),
      atomic_load_explicit(&ring->pending_since, memory_order_relaxed),
  };
  append_facts(stream, lane, atomic_load(&ring->head), words, 4, memory);
}
