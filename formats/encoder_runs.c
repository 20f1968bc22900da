// SPDX-License-Identifier: Apache-2.0
// A loop that does the same again and again leaves the same words again and again, but where they
// have a stamp. Two records that repeat as they are have the same bytes in each column: these are
// repeated without a look at the fields.
#include "formats/encoder.h"

#include <string.h>

enum {
  RUN_TRIES = 8,  // records that are put one by one until a run begins again
  RUN_LEAST = 4,  // repetitions
  RUN_LOOKS_SKIPPED = 63,
};

// Where a record began, and the columns of its kind before it.
typedef struct {
  const uint64_t *words;
  unsigned kind;
  uint8_t *next[COLUMN_COUNT];
  uint64_t last_address[TRACE_FAMILY_COUNT];
} mark_t;

static bool words_same(const uint64_t *a, const uint64_t *b, size_t count) {
  uint64_t difference = 0;
  for (size_t i = 0; i < count; i++) difference |= a[i] ^ b[i];
  return difference == 0;
}

// Puts `times` copies of the `size` bytes at `from`. VARINT_SLACK bytes behind may be overwritten.
static uint8_t *bytes_repeat(uint8_t *out, const uint8_t *from, size_t size, size_t times) {
  if (size == 1) {
    const uint64_t bytes = UINT64_C(0x0101010101010101) * *from;
    for (size_t i = 0; i < times; i += 8) memcpy(out + i, &bytes, 8);
  } else if (size == 2) {
    uint16_t pair;
    memcpy(&pair, from, 2);
    const uint64_t bytes = UINT64_C(0x0001000100010001) * pair;
    for (size_t i = 0; i < 2 * times; i += 8) memcpy(out + i, &bytes, 8);
  } else {
    for (size_t i = 0; i < times; i++) memcpy(out + i * size, from, size);
  }
  return out + size * times;
}

static void kind_repeat(encoder_t *encoder, const mark_t *mark, size_t times) {
  kind_state_t *state = &encoder->states[mark->kind];
  size_t sizes[COLUMN_COUNT];
  for (unsigned column = 0; column < COLUMN_COUNT; column++)
    sizes[column] = (size_t)(state->next[column] - mark->next[column]);
  encoder_make_room(encoder, mark->kind);
  for (unsigned column = 0; column < COLUMN_COUNT; column++)
    if (sizes[column])
      state->next[column] =
          bytes_repeat(state->next[column], mark->next[column], sizes[column], times);
  encoder->counted[mark->kind] += ROOM - encoder->room[mark->kind];
  encoder->room[mark->kind] = ROOM - (uint32_t)times;
}

// Repeats what the last two records were, as often as they come again. Returns the place behind.
static const uint64_t *run_repeat(encoder_t *encoder, const mark_t marks[2], const uint64_t *words,
                                  const uint64_t *until) {
  const size_t length = (size_t)(words - marks[0].words);
  const uint64_t *next = words;
  size_t times = 0;
  while (times < ROOM && (size_t)(until - next) >= length &&
         words_same(next, marks[0].words, length)) {
    __builtin_prefetch(next + PREFETCH_AHEAD);
    next += length;
    times++;
  }
  if (times < RUN_LEAST) return words;
  const uint8_t kinds[2] = {(uint8_t)*marks[0].words, (uint8_t)*marks[1].words};
  encoder->kinds = bytes_repeat(encoder->kinds, kinds, 2, times);
  kind_repeat(encoder, &marks[0], times);
  kind_repeat(encoder, &marks[1], times);
  return next;
}

static void mark_take(mark_t *mark, const encoder_t *encoder, const uint64_t *words,
                      unsigned kind) {
  mark->words = words;
  mark->kind = kind;
  memcpy(mark->next, encoder->states[kind].next, sizeof(mark->next));
  memcpy(mark->last_address, encoder->last_address, sizeof(mark->last_address));
}

// Whether what follows the two marked records, if it is the same, gives the same bytes again.
static bool marks_repeat(const encoder_t *encoder, const mark_t marks[2]) {
  return marks[0].words && marks[1].words && marks[0].kind != marks[1].kind &&
         memcmp(marks[0].last_address, encoder->last_address, sizeof(encoder->last_address)) == 0;
}

// Whether the two records at `words` come again, by a look at the first two words of each.
static bool run_looms(const uint64_t *words, const uint64_t *until) {
  const uint64_t *next = words;
  for (int i = 0; i < 2; i++) {
    if (until - next <= FIXED_MAX) return false;
    const trace_event_kind_t *row = &trace_event_kinds[trace_header_kind(*next)];
    next += 1 + row->word_count + trace_header_timed(*next);
  }
  return until - next > FIXED_MAX && ((words[0] ^ next[0]) & ~(uint64_t)0x80) == 0 &&
         words[1] == next[1];
}

// Whether it is worth while to look for a run here: the less often, the more looks found none.
static bool run_may_come(encoder_t *encoder) {
  const bool may = encoder->runs_skipped >= encoder->runs_missed;
  encoder->runs_skipped = may ? 0 : encoder->runs_skipped + 1;
  return may;
}

static void run_note(encoder_t *encoder, bool found) {
  if (found)
    encoder->runs_missed = 0;
  else if (encoder->runs_missed < RUN_LOOKS_SKIPPED)
    encoder->runs_missed = 2 * encoder->runs_missed + 1;
}

// Puts a record as usual and marks where it began. NULL where it is none that can be put so.
static const uint64_t *marked_put(encoder_t *encoder, mark_t *mark, const uint64_t *words) {
  const uint64_t header = *words;
  const unsigned kind = trace_header_kind(header);
  if (encoder->room[kind] == 0) {
    if (kind == 0 || trace_event_kinds[kind].has_payload || !encoder_make_room(encoder, kind))
      return NULL;
    encoder->counted[kind] += ROOM;
    encoder->room[kind] = ROOM;
  }
  kind_state_t *state = &encoder->states[kind];
  mark_take(mark, encoder, words, kind);
  if (state->has_token || trace_header_timed(header)) mark->words = NULL;
  encoder->room[kind]--;
  *encoder->kinds++ = (uint8_t)header;
  return encoder_put(encoder, state, words);
}

const uint64_t *encoder_put_runs(encoder_t *encoder, const uint64_t *words, const uint64_t *until) {
  if (!run_may_come(encoder)) return words;
  bool found = false;
  mark_t marks[2] = {{.words = NULL}, {.words = NULL}};
  int tries = run_looms(words, until) ? RUN_TRIES : 0;
  for (; tries > 0 && words < until; tries--) {
    const uint64_t *next =
        marks_repeat(encoder, marks) ? run_repeat(encoder, marks, words, until) : words;
    if (next != words) {  // what ends a run is often one stamp
      tries = RUN_TRIES;
      found = true;
      marks[1].words = NULL;
    } else {
      marks[0] = marks[1];
      next = marked_put(encoder, &marks[1], words);
      if (!next) break;
    }
    words = next;
  }
  run_note(encoder, found);
  return words;
}
