// SPDX-License-Identifier: Apache-2.0
// Records into columns: one walk over the records, each field to its own chain of small chunks in
// scratch memory, then the chains one behind the other into the block.
#include "formats/block.h"

#include "formats/encoder.h"

#include <string.h>

enum {
  // varint records, varint columns; an entry of the directory.
  HEAD_MAX = 2 * VARINT_MAX,
  ENTRY_MAX = 2 + VARINT_MAX,
};

// A header word gives a kind of 1 byte, a stack of at most 4 and an arg of at most 5: no word
// becomes more than VARINT_MAX bytes.
size_t trace_block_bound(size_t words) {
  return HEAD_MAX + encoder_columns() * ENTRY_MAX + words * VARINT_MAX + VARINT_SLACK;
}

static void payload_put(encoder_t *encoder, kind_state_t *state, const uint64_t *payload,
                        size_t count) {
  uint64_t last = state->last_payload;
  for (size_t i = 0; i < count; i++) {
    if (i % ROOM == 0) encoder_make_payload_room(encoder, state);
    column_put(state, COLUMN_PAYLOAD, trace_zigzag((int64_t)(payload[i] - last)));
    last = payload[i];
  }
  state->last_payload = last;
}

// What encoder_put does not do: padding, kinds with a payload, and more room for the others.
// Returns the place behind the record, `words` where it is one for encoder_put now, or NULL.
static __attribute__((noinline)) const uint64_t *record_put_rare(encoder_t *encoder,
                                                                 const uint64_t *words,
                                                                 const uint64_t *until,
                                                                 const uint64_t *end) {
  unsigned kind = trace_header_kind(*words);
  if (kind != 0 && !encoder_make_room(encoder, kind)) return NULL;
  if (kind != 0 && !trace_event_kinds[kind].has_payload) {
    encoder->room[kind] = ROOM;
    encoder->counted[kind] += ROOM;
    return encoder_put_runs(encoder, words, until);
  }
  trace_record_t record;
  size_t length = trace_record_parse(words, (size_t)(end - words), &record);
  if (length == 0) return NULL;
  if (kind == 0) return words + length;
  *encoder->kinds++ = (uint8_t)*words;
  encoder->counted[kind]++;
  kind_state_t *state = &encoder->states[kind];
  if (state->has_stack) column_put(state, COLUMN_STACK, record.stack);
  column_put(state, COLUMN_ARG, record.arg);
  payload_put(encoder, state, record.payload, (size_t)record.arg);
  if (record.timed) stamp_put(encoder, record.stamp);
  return words + length;
}

// Encodes the records that begin in [words, until). Returns the place behind them, or NULL.
// FIXED_MAX words behind `until` can be read.
static const uint64_t *records_put(encoder_t *encoder, const uint64_t *words, const uint64_t *until,
                                   const uint64_t *end) {
  uint8_t *kinds = encoder->kinds;
  while (words < until) {
    // The words were written on another processor: each line is a long way off.
    __builtin_prefetch(words + PREFETCH_AHEAD);
    uint64_t header = *words;
    unsigned kind = trace_header_kind(header);
    if (unlikely(encoder->room[kind] == 0)) {
      encoder->kinds = kinds;
      const uint64_t *next = record_put_rare(encoder, words, until, end);
      if (!next) return NULL;
      kinds = encoder->kinds;
      if (next != words) {
        words = next;
        continue;
      }
    }
    if (kind == TRACE_ALLOCATE || kind == TRACE_FREE) {
      encoder->kinds = kinds;
      const uint64_t *next = encoder_put_heap(encoder, words, until);
      kinds = encoder->kinds;
      if (next != words) {
        words = next;
        continue;
      }
    }
    encoder->room[kind]--;
    *kinds++ = (uint8_t)header;
    words = encoder_put(encoder, &encoder->states[kind], words);
  }
  encoder->kinds = kinds;
  return words;
}

static bool words_encode(encoder_t *encoder, const uint64_t *words, size_t count) {
  const uint64_t *end = words + count;
  if (count > FIXED_MAX) {
    words = records_put(encoder, words, end - FIXED_MAX, end);
    if (!words) return false;
  }
  // The last words in a place with room behind it, where no read of encoder_put leaves it.
  uint64_t rest[2 * FIXED_MAX] = {0};
  size_t rest_count = (size_t)(end - words);
  if (rest_count) memcpy(rest, words, rest_count * sizeof(*words));
  const uint64_t *rest_end = rest + rest_count;
  return records_put(encoder, rest, rest_end, rest_end) == rest_end;
}

void trace_block_counts(const void *scratch, uint32_t counts[TRACE_KIND_LIMIT]) {
  const encoder_t *encoder = encoder_in(scratch);
  for (unsigned kind = 0; kind < TRACE_KIND_LIMIT; kind++)
    counts[kind] = encoder->counted[kind] - encoder->room[kind];
}

// ---- columns to block ------------------------------------------------------------------------

static size_t chain_size(const kind_state_t *state, unsigned column) {
  if (!state->next[column]) return 0;
  size_t size = 0;
  const chunk_t *chunk = state->first[column];
  for (; chunk != state->current[column]; chunk = chunk->next) size += chunk->used;
  return size + (size_t)(state->next[column] - chunk->bytes);
}

static uint8_t *chain_write(uint8_t *out, const kind_state_t *state, unsigned column) {
  if (!state->next[column]) return out;
  const chunk_t *chunk = state->first[column];
  for (; chunk != state->current[column]; chunk = chunk->next) {
    memcpy(out, chunk->bytes, chunk->used);
    out += chunk->used;
  }
  size_t rest = (size_t)(state->next[column] - chunk->bytes);
  memcpy(out, chunk->bytes, rest);
  return out + rest;
}

// Column by column: those of the block itself, then those of the kinds.
static uint8_t slot_of(unsigned column) {
  return column == COLUMN_PAYLOAD ? TRACE_SLOT_PAYLOAD : (uint8_t)column;
}

static uint8_t *entry_write(uint8_t *out, unsigned kind, unsigned slot, size_t size) {
  *out++ = (uint8_t)kind;
  *out++ = (uint8_t)slot;
  return varint_put(out, size);
}

static uint8_t *directory_write(uint8_t *out, const encoder_t *encoder) {
  size_t kinds_size = (size_t)(encoder->kinds - encoder->kinds_start);
  size_t stamps_size = (size_t)(encoder->stamps - encoder->stamps_start);
  size_t count = (kinds_size != 0) + (stamps_size != 0);
  for (unsigned kind = 1; kind < TRACE_KIND_LIMIT; kind++)
    for (unsigned column = 0; encoder->opened[kind] && column < COLUMN_COUNT; column++)
      count += chain_size(&encoder->states[kind], column) != 0;

  out = varint_put(out, kinds_size);
  out = varint_put(out, count);
  if (kinds_size) out = entry_write(out, 0, TRACE_SLOT_KINDS, kinds_size);
  if (stamps_size) out = entry_write(out, 0, TRACE_SLOT_STAMPS, stamps_size);
  for (unsigned kind = 1; kind < TRACE_KIND_LIMIT; kind++)
    for (unsigned column = 0; encoder->opened[kind] && column < COLUMN_COUNT; column++) {
      size_t size = chain_size(&encoder->states[kind], column);
      if (size) out = entry_write(out, kind, slot_of(column), size);
    }
  return out;
}

static uint8_t *columns_write(uint8_t *out, const encoder_t *encoder) {
  size_t kinds_size = (size_t)(encoder->kinds - encoder->kinds_start);
  memcpy(out, encoder->kinds_start, kinds_size);
  out += kinds_size;
  size_t stamps_size = (size_t)(encoder->stamps - encoder->stamps_start);
  memcpy(out, encoder->stamps_start, stamps_size);
  out += stamps_size;
  for (unsigned kind = 1; kind < TRACE_KIND_LIMIT; kind++)
    for (unsigned column = 0; encoder->opened[kind] && column < COLUMN_COUNT; column++)
      out = chain_write(out, &encoder->states[kind], column);
  return out;
}

bool trace_block_put(void *scratch, const uint64_t *words, size_t count) {
  return words_encode(encoder_in(scratch), words, count);
}

size_t trace_block_end(void *scratch, uint8_t *out, trace_block_t *block) {
  const encoder_t *encoder = encoder_in(scratch);
  block->records = (uint32_t)(encoder->kinds - encoder->kinds_start);
  block->first_ticks = encoder->first_ticks;
  block->last_ticks = encoder->last_ticks;
  return (size_t)(columns_write(directory_write(out, encoder), encoder) - out);
}

size_t trace_block_encode(const uint64_t *words, size_t count, void *scratch, uint8_t *out,
                          trace_block_t *block) {
  trace_block_begin(scratch, count);
  return trace_block_put(scratch, words, count) ? trace_block_end(scratch, out, block) : 0;
}
