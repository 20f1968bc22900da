// SPDX-License-Identifier: Apache-2.0
// The scratch memory of an encoder: who gets how much of it.
#include "formats/encoder.h"

#include <string.h>

static size_t columns_of(const trace_event_kind_t *row) {
  if (!row->name) return 0;
  return (size_t)row->has_stack + (row->arg.type != TRACE_FIELD_NONE) + row->word_count +
         row->has_payload;
}

size_t encoder_columns(void) {
  size_t count = 2;
  for (unsigned kind = 1; kind < TRACE_KIND_LIMIT; kind++)
    count += columns_of(&trace_event_kinds[kind]);
  return count;
}

static size_t align_up(size_t size) { return (size + 63) & ~(size_t)63; }

// A record is a header word and others: the kinds take a byte a record, and stamps, of which there
// is at most one in two words, VARINT_MAX each.
static size_t kinds_room(size_t words) { return align_up(words + VARINT_SLACK); }
static size_t stamps_room(size_t words) {
  return align_up(words / 2 * VARINT_MAX + VARINT_MAX + VARINT_SLACK);
}

size_t trace_block_scratch(size_t words) {
  size_t chunks = words * VARINT_MAX / CHUNK_USED_MIN + 1 + encoder_columns();
  return 64 + align_up(sizeof(encoder_t)) + kinds_room(words) + stamps_room(words) +
         chunks * CHUNK_SIZE;
}

void trace_block_begin(void *scratch, size_t words) {
  encoder_t *encoder = encoder_in(scratch);
  uint8_t *memory = (uint8_t *)encoder;
  memset(encoder, 0, offsetof(encoder_t, states));
  memory += align_up(sizeof(encoder_t));
  encoder->kinds = encoder->kinds_start = memory;
  memory += kinds_room(words);
  encoder->stamps = encoder->stamps_start = memory;
  memory += stamps_room(words);
  encoder->free_chunk = (chunk_t *)memory;
}

static uint8_t *chunk_take(encoder_t *encoder, kind_state_t *state, unsigned column) {
  chunk_t *chunk = encoder->free_chunk++;
  chunk->next = NULL;
  if (state->current[column])
    state->current[column]->next = chunk;
  else
    state->first[column] = chunk;
  state->current[column] = chunk;
  return state->next[column] = chunk->bytes;
}

static void column_make_room(encoder_t *encoder, kind_state_t *state, unsigned column) {
  chunk_t *chunk = state->current[column];
  size_t used = (size_t)(state->next[column] - chunk->bytes);
  if (sizeof(chunk->bytes) - used >= CHUNK_ROOM) return;
  chunk->used = used;
  chunk_take(encoder, state, column);
}

static void word_open(encoder_t *encoder, kind_state_t *state, const trace_event_kind_t *row,
                      unsigned word) {
  coding_t *coding = &state->codings[word];
  trace_field_type_t type = row->words[word].type;
  coding->delta = type == TRACE_FIELD_ADDRESS || type == TRACE_FIELD_TOKEN ? ~UINT64_C(0) : 0;
  coding->base = type == TRACE_FIELD_ADDRESS ? &encoder->last_address[row->family]
                 : type == TRACE_FIELD_TOKEN ? &state->last[word]
                                             : &encoder->zero;
  state->has_token |= type == TRACE_FIELD_TOKEN;
  chunk_take(encoder, state, COLUMN_WORDS + word);
}

static void kind_open(encoder_t *encoder, unsigned kind) {
  const trace_event_kind_t *row = &trace_event_kinds[kind];
  kind_state_t *state = &encoder->states[kind];
  memset(state, 0, sizeof(*state));
  state->has_stack = row->has_stack;
  state->has_arg = row->arg.type != TRACE_FIELD_NONE;
  state->word_count = row->word_count;
  if (state->has_stack) chunk_take(encoder, state, COLUMN_STACK);
  if (state->has_arg) chunk_take(encoder, state, COLUMN_ARG);
  if (row->has_payload) chunk_take(encoder, state, COLUMN_PAYLOAD);
  for (unsigned word = 0; word < row->word_count; word++) word_open(encoder, state, row, word);
  encoder->opened[kind] = true;
}

bool encoder_make_room(encoder_t *encoder, unsigned kind) {
  if (!trace_event_kinds[kind].name) return false;
  if (!encoder->opened[kind]) {
    kind_open(encoder, kind);
    return true;
  }
  kind_state_t *state = &encoder->states[kind];
  for (unsigned column = 0; column < COLUMN_COUNT; column++)
    if (state->next[column]) column_make_room(encoder, state, column);
  return true;
}

void encoder_make_payload_room(encoder_t *encoder, kind_state_t *state) {
  column_make_room(encoder, state, COLUMN_PAYLOAD);
}
