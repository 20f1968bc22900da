// SPDX-License-Identifier: Apache-2.0
// Draining: the words between tail and head become blocks, then tail moves.
#include "preload/writer/drain.h"

#include "preload/system.h"
#include "preload/writer/places.h"

#include <linux/futex.h>
#include <stddef.h>
#include <string.h>

enum { RING_FULL = TRACE_RING_WORDS / 8 };  // with so little room left the owner may be waiting

static uint64_t *ring_data(trace_ring_t *ring) {
  return (uint64_t *)((uint8_t *)ring + TRACE_RING_HEADER);
}

// Ends the block that was begun in memory->scratch and appends it.
static bool block_append(stream_t *stream, trace_block_t block, const stream_memory_t *memory) {
  uint32_t counts[TRACE_KIND_LIMIT];
  const bool facts = block.from == block.to;
  const size_t size = trace_block_end(memory->scratch, memory->content, &block);
  if (!facts) trace_block_counts(memory->scratch, counts);
  return stream_append(stream, &block, memory->content, size, facts ? NULL : counts, memory);
}

static bool facts_append(stream_t *stream, uint32_t lane, uint64_t position, const uint64_t *words,
                         size_t count, const stream_memory_t *memory) {
  if (count == 0) return true;
  trace_block_begin(memory->scratch, count);
  return trace_block_put(memory->scratch, words, count) &&
         block_append(stream, (trace_block_t){.lane = lane, .from = position, .to = position},
                      memory);
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

// A stretch of a ring taken apart: words of facts and of events, in memory->facts and ->events.
typedef struct {
  size_t facts, events;
} apart_t;

// Where the numbers of stacks begin again, or one is defined twice, they mean other stacks from
// there on. What comes before does not know those that follow it by another name: they were not
// used for longer than a ring is.
static bool is_redefinition(const trace_record_t *record, drain_state_t *state) {
  if (record->kind != TRACE_STACK) return false;
  const bool again = record->stack <= state->last_stack;
  state->last_stack = record->stack;
  return again;
}

static void apart_add_fact(apart_t *apart, const uint64_t *words, size_t length,
                           const trace_record_t *record, uint32_t pid,
                           const stream_memory_t *memory) {
  uint64_t *to = memory->facts + apart->facts;
  memcpy(to, words, length * sizeof *words);
  if (record->kind == TRACE_LOCK_SHARED_AT) fill_place(to, record, pid);
  apart->facts += length;
}

static void apart_add_events(apart_t *apart, const uint64_t *words, size_t count,
                             const stream_memory_t *memory) {
  memcpy(memory->events + apart->events, words, count * sizeof *words);
  apart->events += count;
}

static bool kind_is_fact(unsigned kind) {
  return trace_event_kinds[kind].name && trace_event_kinds[kind].family == TRACE_FAMILY_FACT;
}

// The words of a record that is neither a fact nor has a payload, 0 for others: most are such.
static size_t plain_length(uint64_t header) {
  const trace_event_kind_t *row = &trace_event_kinds[trace_header_kind(header)];
  if (!row->name || row->has_payload || row->family == TRACE_FAMILY_FACT) return 0;
  return 1 + (size_t)(trace_header_arg(header) == TRACE_ARG_LONG) + row->word_count +
         trace_header_timed(header);
}

// Parts records into facts and events, in order, up to a stack number that may get another meaning
// than events before it gave it. Returns the words it went over. Events are added many at a time.
static size_t take_apart(const uint64_t *words, size_t count, uint32_t pid, drain_state_t *state,
                         const stream_memory_t *memory, apart_t *apart) {
  size_t at = 0, events = 0;  // events: where those begin that were not added yet
  for (size_t length; at < count; at += length) {
    length = plain_length(words[at]);
    if (length > 0 && length <= count - at) continue;
    trace_record_t record;
    length = trace_record_parse(words + at, count - at, &record);
    if (length == 0) break;
    if (is_redefinition(&record, state) && apart->events + (at - events) > 0) {
      count = at;
      break;
    }
    if (!kind_is_fact(record.kind)) continue;
    apart_add_events(apart, words + events, at - events, memory);
    apart_add_fact(apart, words + at, length, &record, pid, memory);
    events = at + length;
  }
  apart_add_events(apart, words + events, at - events, memory);
  return count;  // what cannot be understood is passed over
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

// Words [from, to) of a ring up to where they wrap.
static uint64_t span_end(uint64_t from, uint64_t to) {
  const uint64_t end = from + (TRACE_RING_WORDS - from % TRACE_RING_WORDS);
  return end < to ? end : to;
}

static const uint64_t *span_words(trace_ring_t *ring, uint64_t from) {
  return ring_data(ring) + from % TRACE_RING_WORDS;
}

static bool spans_add(trace_ring_t *ring, uint64_t from, uint64_t to,
                      const stream_memory_t *memory) {
  for (uint64_t end; from < to; from = end) {
    end = span_end(from, to);
    if (!trace_block_put(memory->scratch, span_words(ring, from), (size_t)(end - from)))
      return false;
  }
  return true;
}

// Before a block: should the writer be killed between file and tail, the owner has to know which of
// the words that it drops then may be in the file.
static void ring_take(trace_ring_t *ring, uint64_t to) {
  atomic_store_explicit(&ring->taking, to, memory_order_release);
}

// Only now may the owner write over them: their frame is in the file. One that was out of room
// sleeps until the tail moves (lane_make_room).
static void ring_release(trace_ring_t *ring, uint64_t to) {
  const uint64_t before = atomic_exchange(&ring->tail, to);
  const uint64_t left = before + TRACE_RING_WORDS - atomic_load(&ring->head);
  if (left < RING_FULL && before != to) system_call(SYS_futex, &ring->tail, FUTEX_WAKE, INT32_MAX);
}

static void spans_discard(stream_t *stream, trace_ring_t *ring, uint64_t from, uint64_t to) {
  for (uint64_t end; from < to; from = end) {
    end = span_end(from, to);
    discard(stream, ring, span_words(ring, from), (size_t)(end - from));
    ring_release(ring, end);
  }
}

// Takes [from, to) as one block: `events` words that were taken apart, and what stands in the ring
// from `plain` on, where there are no facts.
static void events_take(stream_t *stream, trace_ring_t *ring, trace_block_t block, size_t events,
                        uint64_t plain, const stream_memory_t *memory) {
  ring_take(ring, block.to);
  if (events > 0 || plain < block.to) {
    trace_block_begin(memory->scratch, TRACE_RING_WORDS);
    if (!trace_block_put(memory->scratch, memory->events, events) ||
        !spans_add(ring, plain, block.to, memory) || !block_append(stream, block, memory)) {
      discard(stream, ring, memory->events, events);
      ring_release(ring, plain);
      spans_discard(stream, ring, plain, block.to);
    }
  }
  ring_release(ring, block.to);
}

// Takes a stretch from `from` on that has facts in it up to `facts_to`: they go into a block of
// their own before the events. Returns where it came to, at most `to`.
static uint64_t mixed_take(stream_t *stream, trace_ring_t *ring, uint64_t from, uint64_t facts_to,
                           uint64_t to, uint32_t lane, drain_state_t *state,
                           const stream_memory_t *memory) {
  apart_t apart = {0};
  uint64_t over = from, end = from;
  while (over == end && over < facts_to) {
    end = span_end(over, facts_to);
    over += take_apart(span_words(ring, over), (size_t)(end - over), stream->pid, state, memory,
                       &apart);
  }
  facts_append(stream, lane, from, memory->facts, apart.facts, memory);
  const trace_block_t block = {.lane = lane, .from = from, .to = over < facts_to ? over : to};
  events_take(stream, ring, block, apart.events, over, memory);
  return block.to;
}

// That a connection is out of the sample is no loss: told in the same way, as other things are, and
// at the end.
static unsigned reason_of(unsigned kind, uint64_t discarded) {
  if (kind == TRACE_CONNECTION_OUT) return TRACE_LOST_OUT;
  return discarded ? TRACE_LOST_DISK : TRACE_LOST_RING_FULL;
}

void drain_losses(stream_t *stream, const trace_ring_t *ring, uint32_t lane, drain_state_t *state,
                  bool last, const stream_memory_t *memory) {
  const uint64_t out =
      last ? atomic_load_explicit(&ring->lost[TRACE_CONNECTION_OUT], memory_order_relaxed)
           : state->reported[TRACE_CONNECTION_OUT];
  const uint64_t total = atomic_load_explicit(&ring->lost_total, memory_order_relaxed) +
                         atomic_load_explicit(&ring->discarded_total, memory_order_relaxed);
  if (total == state->reported_total && out == state->reported[TRACE_CONNECTION_OUT]) return;
  uint64_t words[TRACE_KIND_LIMIT * 3];
  size_t used = 0;
  for (unsigned kind = 0; kind < TRACE_KIND_LIMIT; kind++) {
    const uint64_t discarded = atomic_load_explicit(&ring->discarded[kind], memory_order_relaxed);
    const uint64_t lost = atomic_load_explicit(&ring->lost[kind], memory_order_relaxed) + discarded;
    if (lost == state->reported[kind]) continue;
    words[used++] = trace_header(TRACE_LOST, false, 0, kind);
    words[used++] = lost;
    words[used++] = reason_of(kind, discarded);
    state->reported[kind] = lost;
  }
  state->reported_total = total;
  facts_append(stream, lane, atomic_load(&ring->head), words, used, memory);
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
    const uint64_t from = tail;
    tail = head;
    if (stream->stopped) {
      spans_discard(stream, ring, from, head);
    } else if (last_fact > from) {
      tail = mixed_take(stream, ring, from, last_fact < head ? last_fact : head, head, lane, state,
                        memory);
    } else {
      events_take(stream, ring, (trace_block_t){.lane = lane, .from = from, .to = head}, 0, from,
                  memory);
    }
  }
  // What space is held for the last words of a stopped stream is not for these.
  if (!stream->stopped) drain_losses(stream, ring, lane, state, false, memory);
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
  facts_append(stream, lane, atomic_load(&ring->head), words, 4, memory);
}
