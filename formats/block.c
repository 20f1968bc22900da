// SPDX-License-Identifier: Apache-2.0
// Records into columns: one walk over the records, each field to its own chain of small chunks in
// scratch memory, then the chains one behind the other into the block.
#include "formats/block.h"

#include "formats/varint.h"

#include <string.h>

#define unlikely(condition) __builtin_expect(condition, 0)

enum {
  COLUMN_STACK,
  COLUMN_ARG,
  COLUMN_WORDS,
  COLUMN_PAYLOAD = COLUMN_WORDS + TRACE_WORDS_MAX,
  COLUMN_COUNT,
  // A kind checks its chunks for room once in so many records, not at every value.
  ROOM = 32,
  CHUNK_SIZE = 1024,
  PREFETCH_AHEAD = 192,  // words
  CHUNK_ROOM = ROOM * VARINT_MAX + VARINT_SLACK,
  // Words of the longest record without a payload: header, arg, words, stamp.
  FIXED_MAX = 1 + 1 + TRACE_WORDS_MAX + 1,
  // varint records, varint columns; an entry of the directory.
  HEAD_MAX = 2 * VARINT_MAX,
  ENTRY_MAX = 2 + VARINT_MAX,
};

// Part of a column. All chunks of a chain but the last have less than CHUNK_ROOM bytes left.
typedef struct chunk {
  struct chunk *next;
  size_t used;  // set when the chunk is left
  uint8_t bytes[CHUNK_SIZE - 16];
} chunk_t;
_Static_assert(sizeof(chunk_t) == CHUNK_SIZE, "chunks stand one behind the other");
enum { CHUNK_USED_MIN = sizeof(((chunk_t *)NULL)->bytes) - CHUNK_ROOM + 1 };

// What a word of a kind is coded against. delta is all ones where the value before is taken off
// and the difference zigzagged, else 0, and `base` a cell that stays 0: no branch for either.
typedef struct {
  uint64_t *base;
  uint64_t delta;
} coding_t;

typedef struct {
  bool has_stack, has_arg;
  uint8_t word_count;
  uint8_t *next[COLUMN_COUNT];  // where the column goes on, NULL where the kind has none
  coding_t codings[TRACE_WORDS_MAX];
  uint64_t last[TRACE_WORDS_MAX];  // bases of TOKEN words
  uint64_t last_payload;
  chunk_t *first[COLUMN_COUNT], *current[COLUMN_COUNT];
  uint64_t unused[3];  // a size that is a shift
} kind_state_t;
_Static_assert(sizeof(kind_state_t) == 256, "found by a shift");

typedef struct {
  uint32_t room[TRACE_KIND_LIMIT];  // records until kind_make_room is due; 0 at first, and always
  // for kinds with a payload
  uint32_t counted[TRACE_KIND_LIMIT];  // records of the kind, with those that there is room for
  bool opened[TRACE_KIND_LIMIT];
  uint64_t last_address[TRACE_FAMILY_COUNT];
  uint64_t zero;
  uint8_t *kinds, *kinds_start;
  uint8_t *stamps, *stamps_start;
  uint64_t first_ticks, last_ticks, stamp;
  bool timed;
  chunk_t *free_chunk;
  kind_state_t states[TRACE_KIND_LIMIT];
} encoder_t;

static size_t columns_of(const trace_event_kind_t *row) {
  if (!row->name) return 0;
  return (size_t)row->has_stack + (row->arg.type != TRACE_FIELD_NONE) + row->word_count +
         row->has_payload;
}

static size_t columns_possible(void) {
  size_t count = 2;
  for (unsigned kind = 1; kind < TRACE_KIND_LIMIT; kind++)
    count += columns_of(&trace_event_kinds[kind]);
  return count;
}

static size_t align_up(size_t size) { return (size + 63) & ~(size_t)63; }

// A record is a header word and others: the kinds take a byte a record, and stamps, of which there
// is at most one in two words, VARINT_MAX each.
static size_t kinds_room(size_t words) { return align_up(words); }
static size_t stamps_room(size_t words) {
  return align_up(words / 2 * VARINT_MAX + VARINT_MAX + VARINT_SLACK);
}

size_t trace_block_scratch(size_t words) {
  size_t chunks = words * VARINT_MAX / CHUNK_USED_MIN + 1 + columns_possible();
  return 64 + align_up(sizeof(encoder_t)) + kinds_room(words) + stamps_room(words) +
         chunks * CHUNK_SIZE;
}

// A header word gives a kind of 1 byte, a stack of at most 4 and an arg of at most 5: no word
// becomes more than VARINT_MAX bytes.
size_t trace_block_bound(size_t words) {
  return HEAD_MAX + columns_possible() * ENTRY_MAX + words * VARINT_MAX + VARINT_SLACK;
}

static encoder_t *encoder_in(void *scratch) {
  return (encoder_t *)((uint8_t *)scratch + (-(uintptr_t)scratch & 63));
}

static encoder_t *encoder_start(void *scratch, size_t words) {
  encoder_t *encoder = encoder_in(scratch);
  uint8_t *memory = (uint8_t *)encoder;
  memset(encoder, 0, offsetof(encoder_t, states));
  memory += align_up(sizeof(encoder_t));
  encoder->kinds = encoder->kinds_start = memory;
  memory += kinds_room(words);
  encoder->stamps = encoder->stamps_start = memory;
  memory += stamps_room(words);
  encoder->free_chunk = (chunk_t *)memory;
  return encoder;
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

// Room for ROOM more records of the kind. False where there is no such kind.
static bool kind_make_room(encoder_t *encoder, unsigned kind) {
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

static void stamp_put(encoder_t *encoder, uint64_t stamp) {
  if (!encoder->timed) {
    encoder->timed = true;
    encoder->first_ticks = encoder->stamp = stamp;
  }
  encoder->stamps = varint_put(encoder->stamps, trace_zigzag((int64_t)(stamp - encoder->stamp)));
  encoder->stamp = stamp;
  if (stamp > encoder->last_ticks) encoder->last_ticks = stamp;
}

static inline void column_put(kind_state_t *state, unsigned column, uint64_t value) {
  state->next[column] = varint_put(state->next[column], value);
}

static void payload_put(encoder_t *encoder, kind_state_t *state, const uint64_t *payload,
                        size_t count) {
  uint64_t last = state->last_payload;
  for (size_t i = 0; i < count; i++) {
    if (i % ROOM == 0) column_make_room(encoder, state, COLUMN_PAYLOAD);
    column_put(state, COLUMN_PAYLOAD, trace_zigzag((int64_t)(payload[i] - last)));
    last = payload[i];
  }
  state->last_payload = last;
}

static inline void word_put(kind_state_t *state, unsigned word, uint64_t value) {
  uint64_t delta = state->codings[word].delta;
  uint64_t *base = state->codings[word].base;
  uint64_t difference = value - *base;
  *base = value & delta;
  uint64_t sign = (uint64_t)((int64_t)difference >> 63) & delta;
  column_put(state, COLUMN_WORDS + word, difference << (delta & 1) ^ sign);
}

// The words of a record. The places are constants in each case, not a number from the table: the
// processor goes on with the next record by prediction, before it has read what kind this one is.
static inline const uint64_t *words_put(kind_state_t *state, const uint64_t *words) {
  switch (state->word_count) {
  case 1:
    word_put(state, 0, words[0]);
    return words + 1;
  case 2:
    word_put(state, 0, words[0]);
    word_put(state, 1, words[1]);
    return words + 2;
  case 3:
    word_put(state, 0, words[0]);
    word_put(state, 1, words[1]);
    word_put(state, 2, words[2]);
    return words + 3;
  default:
    return words;
  }
}
_Static_assert(TRACE_WORDS_MAX == 3, "a case for each count");

// What record_put does not do: padding, kinds with a payload, and more room for the others. Returns
// the place behind the record, `words` where it is one for record_put now, or NULL.
static __attribute__((noinline)) const uint64_t *
record_put_rare(encoder_t *encoder, const uint64_t *words, const uint64_t *end) {
  unsigned kind = trace_header_kind(*words);
  if (kind != 0 && !kind_make_room(encoder, kind)) return NULL;
  if (kind != 0 && !trace_event_kinds[kind].has_payload) {
    encoder->room[kind] = ROOM;
    encoder->counted[kind] += ROOM;
    return words;
  }
  trace_record_t record;
  size_t length = trace_record_parse(words, (size_t)(end - words), &record);
  if (length == 0) return NULL;
  if (kind == 0) return words + length;
  encoder->counted[kind]++;
  kind_state_t *state = &encoder->states[kind];
  if (state->has_stack) column_put(state, COLUMN_STACK, record.stack);
  column_put(state, COLUMN_ARG, record.arg);
  payload_put(encoder, state, record.payload, (size_t)record.arg);
  if (record.timed) stamp_put(encoder, record.stamp);
  return words + length;
}

// A record without payload, of a kind that has room, but for its byte among the kinds. Returns the
// place behind it. FIXED_MAX words can be read.
static inline const uint64_t *record_put(encoder_t *encoder, kind_state_t *state,
                                         const uint64_t *words) {
  uint64_t header = *words++;
  uint64_t arg = trace_header_arg(header);
  if (unlikely(arg == TRACE_ARG_LONG)) arg = *words++;
  if (state->has_stack)
    state->next[COLUMN_STACK] =
        varint_put_short(state->next[COLUMN_STACK], trace_header_stack(header));
  if (state->has_arg) state->next[COLUMN_ARG] = varint_put_short(state->next[COLUMN_ARG], arg);
  words = words_put(state, words);
  if (trace_header_timed(header)) stamp_put(encoder, *words++);
  return words;
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
      const uint64_t *next = record_put_rare(encoder, words, end);
      if (!next) return NULL;
      if (next != words) {
        *kinds = (uint8_t)header;
        kinds += kind != 0;
        words = next;
        continue;
      }
    }
    encoder->room[kind]--;
    *kinds++ = (uint8_t)header;
    words = record_put(encoder, &encoder->states[kind], words);
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
  // The last words in a place with room behind it, where no read of record_put leaves it.
  uint64_t rest[2 * FIXED_MAX] = {0};
  size_t rest_count = (size_t)(end - words);
  if (rest_count) memcpy(rest, words, rest_count * sizeof(*words));
  const uint64_t *rest_end = rest + rest_count;
  return records_put(encoder, rest, rest_end, rest_end) == rest_end;
}

void trace_block_counts(const void *scratch, uint32_t counts[TRACE_KIND_LIMIT]) {
  const encoder_t *encoder = encoder_in((void *)(uintptr_t)scratch);
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

size_t trace_block_encode(const uint64_t *words, size_t count, void *scratch, uint8_t *out,
                          trace_block_t *block) {
  encoder_t *encoder = encoder_start(scratch, count);
  if (!words_encode(encoder, words, count)) return 0;
  block->records = (uint32_t)(encoder->kinds - encoder->kinds_start);
  block->first_ticks = encoder->first_ticks;
  block->last_ticks = encoder->last_ticks;
  return (size_t)(columns_write(directory_write(out, encoder), encoder) - out);
}
