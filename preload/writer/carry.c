// SPDX-License-Identifier: Apache-2.0
// From the first file of a bounded trace to the second, in two passes over its facts: how many
// there are of each sort, then those that are new enough.
#include "preload/writer/carry.h"

#include "formats/trace.h"
#include "preload/clock.h"
#include "preload/stacks/stacks.h"
#include "preload/system.h"

#include <string.h>
#include <sys/mman.h>

#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

// A sort of facts: by kind, and those that say what was lost of a kind by that.
enum { SORT_LOST = TRACE_KIND_LIMIT, SORT_LIMIT = 2 * TRACE_KIND_LIMIT };

// How many facts of a kind are carried, of each lane and the newest.
static uint32_t newest_of(unsigned kind) {
  switch (kind) {
  case TRACE_STACK:
    return STACKS_WINDOW;
  case TRACE_CLOCK:  // a line is laid through them
    return 1024;
  case TRACE_LOST:  // they count from the beginning
  case TRACE_OVERHEAD:
    return 1;
  case TRACE_THREAD_SCHEDULED:  // of all threads
    return 4096;
  case TRACE_THREAD_START:  // carry_lanes says it anew
  case TRACE_THREAD_NAME:
    return 0;
  default:
    return UINT32_MAX;
  }
}

typedef struct {
  uint32_t count[TRACE_RINGS_MAX + 1][SORT_LIMIT], seen[TRACE_RINGS_MAX + 1][SORT_LIMIT];
  trace_block_cursor_t cursor;
  size_t context_size, block_size;
  uint8_t *context, *buffer, *content;  // what zstd needs, a block as it stands, and what is in it
} carry_t;

static void carry_unmap(void *memory, size_t size) {
  if (memory) system_call(SYS_munmap, memory, size);
}

static void carry_close(carry_t *carry) {
  carry_unmap(carry->context, carry->context_size);
  carry_unmap(carry->buffer, carry->block_size);
  carry_unmap(carry->content, carry->block_size);
  carry_unmap(carry, sizeof *carry);
}

static carry_t *carry_open(void) {
  carry_t *carry = system_map(sizeof *carry);
  if (!carry) return NULL;
  carry->context_size = ZSTD_estimateDCtxSize();
  carry->block_size =
      TRACE_BLOCK_HEADER_SIZE + trace_writer_bound(trace_block_bound(TRACE_RING_WORDS));
  carry->context = system_map(carry->context_size);
  carry->buffer = system_map(carry->block_size);
  carry->content = system_map(carry->block_size);
  if (carry->context && carry->buffer && carry->content &&
      ZSTD_initStaticDCtx(carry->context, carry->context_size))
    return carry;
  carry_close(carry);
  return NULL;
}

// The next block of facts, opened. False at the end of the file.
static bool block_next(carry_t *carry, int from, uint64_t *offset, trace_block_place_t *place) {
  bool complete;
  while (trace_block_find(from, offset, place, &complete) == TRACE_ERROR_NONE) {
    if (place->block.from != place->block.to || place->block.lane > TRACE_RINGS_MAX ||
        place->compressed_size > carry->block_size || place->content_size > carry->block_size)
      continue;
    if (trace_block_load(from, place, carry->context, carry->buffer, carry->content) ==
            TRACE_ERROR_NONE &&
        trace_block_open(&carry->cursor, &place->block, carry->content, place->content_size))
      return true;
  }
  return false;
}

static uint32_t sort_of(const trace_record_t *record) {
  return record->kind == TRACE_LOST && record->arg < TRACE_KIND_LIMIT
             ? SORT_LOST + (uint32_t)record->arg
             : record->kind;
}

// What is missing of no known kind counts each for itself.
static bool is_replaced(const trace_record_t *record, uint32_t newer) {
  if (record->kind == TRACE_LOST && record->arg == 0) return false;
  return newer >= newest_of(record->kind);
}

static void count_facts(carry_t *carry, int from) {
  trace_block_place_t place;
  trace_record_t record;
  for (uint64_t offset = 0; block_next(carry, from, &offset, &place);)
    while (trace_block_next(&carry->cursor, &record) > 0)
      carry->count[place.block.lane][sort_of(&record)]++;
}

// The record as it stands in a ring. Returns its words.
static size_t record_put(uint64_t *to, const trace_record_t *record) {
  size_t used = 1;
  const bool is_long = record->arg >= TRACE_ARG_LONG;
  to[0] = trace_header(record->kind, record->timed, record->stack,
                       is_long ? TRACE_ARG_LONG : (uint32_t)record->arg);
  if (is_long) to[used++] = record->arg;
  const trace_event_kind_t *row = &trace_event_kinds[record->kind];
  const uint64_t *words = record->payload ? record->payload : record->words;
  const size_t count = record->payload ? (size_t)record->arg : row->word_count;
  memcpy(to + used, words, count * sizeof *words);
  used += count;
  if (record->timed) to[used++] = record->stamp;
  return used;
}

static bool block_put(trace_writer_t *to, trace_block_t block, const uint64_t *words, size_t count,
                      const stream_memory_t *memory) {
  if (count == 0) return true;
  const size_t size = trace_block_encode(words, count, memory->scratch, memory->content, &block);
  return size > 0 && trace_writer_append(to, &block, memory->content, size) == 0;
}

// Takes the block that is open over, without what is replaced. Where that is nothing, as it stands.
static bool block_carry(carry_t *carry, trace_writer_t *to, int from,
                        const trace_block_place_t *place, const stream_memory_t *memory) {
  uint32_t *seen = carry->seen[place->block.lane], *count = carry->count[place->block.lane];
  trace_record_t record;
  size_t used = 0;
  bool whole = true;
  while (trace_block_next(&carry->cursor, &record) > 0) {
    const uint32_t sort = sort_of(&record);
    if (is_replaced(&record, count[sort] - ++seen[sort]))
      whole = false;
    else if (used + 2 + TRACE_WORDS_MAX + (record.payload ? record.arg : 0) < TRACE_RING_WORDS)
      used += record_put(memory->facts + used, &record);
  }
  if (!whole) return block_put(to, place->block, memory->facts, used, memory);
  const size_t size = TRACE_BLOCK_HEADER_SIZE + (size_t)place->compressed_size;
  return size <= carry->block_size &&
         system_call(SYS_pread64, from, carry->buffer, size, place->offset) == (long)size &&
         trace_writer_append_raw(to, carry->buffer, size, place->content_size) == 0;
}

void carry_facts(trace_writer_t *to, int from, const stream_memory_t *memory) {
  carry_t *carry = carry_open();
  if (!carry) return;
  count_facts(carry, from);
  trace_block_place_t place;
  for (uint64_t offset = 0; block_next(carry, from, &offset, &place);)
    if (!block_carry(carry, to, from, &place, memory)) break;
  carry_close(carry);
}

// ---- lanes -------------------------------------------------------------------------------------

// What the kernel calls a thread: its own name, or its process's.
typedef struct {
  size_t length;
  char text[17];  // with the line's end
} comm_t;

static void comm_read(comm_t *comm, uint32_t pid, uint32_t tid) {
  const long length = process_read_task(pid, tid, "comm", comm->text, sizeof comm->text);
  comm->length = length < 2 ? 0 : (size_t)length - 1;
}

static bool is_own_name(const comm_t *comm, const comm_t *main) {
  return comm->length > 0 &&
         (comm->length != main->length || memcmp(comm->text, main->text, comm->length) != 0);
}

static size_t lane_put(uint64_t *to, const stream_t *stream, const trace_ring_t *ring,
                       const comm_t *main) {
  const uint32_t tid = atomic_load_explicit(&ring->tid, memory_order_relaxed);
  const uint64_t handle = atomic_load_explicit(&ring->handle, memory_order_relaxed);
  const uint64_t now = clock_ticks();
  to[0] = trace_header(TRACE_THREAD_START, true, 0, tid);
  to[1] = handle;
  to[2] = atomic_load_explicit(&ring->routine, memory_order_relaxed);
  to[3] = now;
  comm_t comm;
  comm_read(&comm, stream->pid, tid);
  if (!is_own_name(&comm, main)) return 4;
  const size_t words = trace_text_pack(to + 5, 8, handle, comm.text, comm.length);
  to[4] = trace_header(TRACE_THREAD_NAME, true, 0, (uint32_t)words);
  to[5 + words] = now;
  return 6 + words;
}

static uint64_t position_taken(const trace_ring_t *ring) {
  const uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
  const uint64_t taking = atomic_load_explicit(&ring->taking, memory_order_relaxed);
  return tail > taking ? tail : taking;
}

// Whether another thread takes the lane in what is still in the ring.
static bool changes_hands(const trace_ring_t *ring, uint64_t from) {
  const uint64_t *data = (const uint64_t *)((const uint8_t *)ring + TRACE_RING_HEADER);
  const uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
  trace_record_t record;
  if (head - from > TRACE_RING_WORDS) return true;
  for (uint64_t at = from; at < head;) {
    const uint64_t left = TRACE_RING_WORDS - at % TRACE_RING_WORDS;
    const size_t length = trace_record_parse(
        data + at % TRACE_RING_WORDS, (size_t)(left < head - at ? left : head - at), &record);
    if (length == 0 || record.kind == TRACE_THREAD_START) return true;
    at += length;
  }
  return false;
}

static bool has_owner(const trace_ring_t *ring, uint32_t slot) {
  const uint32_t state = atomic_load_explicit(&ring->state, memory_order_acquire);
  return (state == TRACE_RING_OWNED || state == TRACE_RING_RELEASED) &&
         atomic_load_explicit(&ring->process, memory_order_relaxed) == slot;
}

void carry_lanes(trace_writer_t *to, const stream_t *stream, const stream_memory_t *memory) {
  const trace_session_t *session = stream->session;
  comm_t main;
  comm_read(&main, stream->pid, stream->pid);
  const uint32_t ready = atomic_load_explicit(&session->rings_ready, memory_order_acquire);
  for (uint32_t i = 0; i < ready && i < session->rings_max; i++) {
    const trace_ring_t *ring =
        (const trace_ring_t *)((const uint8_t *)session + TRACE_SESSION_SIZE +
                               (size_t)i * TRACE_RING_STRIDE);
    const uint64_t at = position_taken(ring);
    if (!has_owner(ring, stream->slot) || changes_hands(ring, at)) continue;
    const size_t used = lane_put(memory->facts, stream, ring, &main);
    block_put(to, (trace_block_t){.lane = i + 1, .from = at, .to = at}, memory->facts, used,
              memory);
  }
}
