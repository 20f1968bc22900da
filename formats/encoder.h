// SPDX-License-Identifier: Apache-2.0
// A block while it is encoded, in scratch memory: each column a chain of small chunks. What the
// parts of the encoder share; the format is in block.h.
#ifndef FORMATS_ENCODER_H
#define FORMATS_ENCODER_H

#include "formats/block.h"
#include "formats/varint.h"

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
  uint64_t has_token;  // a word is one
  uint64_t unused[2];  // a size that is a shift
} kind_state_t;
_Static_assert(sizeof(kind_state_t) == 256, "found by a shift");

typedef struct {
  uint32_t
      room[TRACE_KIND_LIMIT];  // records until encoder_make_room is due; 0 at first, and always
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
  unsigned runs_missed;   // looks for a run that found none, in a row: so many are skipped now
  unsigned runs_skipped;  // since the last look
  kind_state_t states[TRACE_KIND_LIMIT];
} encoder_t;

static inline encoder_t *encoder_in(const void *scratch) {
  return (encoder_t *)((uintptr_t)scratch + (-(uintptr_t)scratch & 63));
}

// Columns that the table of kinds has, with the two of the block itself.
size_t encoder_columns(void);
// Room for ROOM more records of the kind (for one with a payload: for its other columns). False
// where there is no such kind.
bool encoder_make_room(encoder_t *encoder, unsigned kind);
// The same of the values of a payload.
void encoder_make_payload_room(encoder_t *encoder, kind_state_t *state);
// Puts records from `words` on, as long as they repeat those before them; it may be none. Returns
// the place behind them. FIXED_MAX words behind `until` can be read, where no record begins.
const uint64_t *encoder_put_runs(encoder_t *encoder, const uint64_t *words, const uint64_t *until);

// Puts records from `words` on, as long as they are ALLOCATE or FREE of a kind that has room,
// without a stamp or a long arg; it may be none. Returns the place behind them. A word behind
// `until` can be read.
const uint64_t *encoder_put_heap(encoder_t *encoder, const uint64_t *words, const uint64_t *until);

static inline void stamp_put(encoder_t *encoder, uint64_t stamp) {
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

// A record without payload, of a kind that has room, but for its byte among the kinds. Returns the
// place behind it. FIXED_MAX words can be read.
static inline const uint64_t *encoder_put(encoder_t *encoder, kind_state_t *state,
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

#endif
