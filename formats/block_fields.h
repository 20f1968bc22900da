// SPDX-License-Identifier: Apache-2.0
// The fields of a block's next record, by code that the compiler makes for each kind of the table
// of events: which columns a kind has, and how each is coded, is known where it is read.
#ifndef FORMATS_BLOCK_FIELDS_H
#define FORMATS_BLOCK_FIELDS_H

#include "formats/block.h"
#include "formats/varint.h"

static inline bool trace_block_column_get(trace_block_column_t *column, uint64_t *value) {
  const uint8_t *next = varint_get(column->next, column->end, value);
  if (!next) return false;
  column->next = next;
  return true;
}

static inline uint64_t trace_block_add(uint64_t *last, uint64_t coded) {
  return *last += (uint64_t)trace_unzigzag(coded);
}

static inline __attribute__((always_inline)) bool
trace_block_word(trace_block_cursor_t *cursor, trace_block_column_t *column, trace_family_t family,
                 trace_field_type_t type, uint64_t *value) {
  *value = 0;
  if (type == TRACE_FIELD_NONE) return true;
  if (!trace_block_column_get(column, value)) return false;
  if (type == TRACE_FIELD_ADDRESS)
    *value = trace_block_add(&cursor->last_address[family], *value);
  else if (type == TRACE_FIELD_TOKEN)
    *value = trace_block_add(&column->last, *value);
  return true;
}

// The columns of one kind. Everything but the cursor and what is filled in is a constant.
static inline __attribute__((always_inline)) bool
trace_block_kind_fields(trace_block_cursor_t *cursor, unsigned kind, trace_family_t family,
                        bool has_stack, trace_field_type_t arg_type, trace_field_type_t first,
                        trace_field_type_t second, trace_field_type_t third, uint32_t *stack,
                        uint64_t *arg, uint64_t words[TRACE_WORDS_MAX]) {
  trace_block_column_t *columns = cursor->columns[kind], *word = columns + TRACE_SLOT_WORDS;
  uint64_t number = 0;
  *arg = 0;
  if (first >= TRACE_FIELD_FRAMES) return false;
  if (has_stack &&
      (!trace_block_column_get(&columns[TRACE_SLOT_STACK], &number) || number >= TRACE_STACK_LIMIT))
    return false;
  *stack = (uint32_t)number;
  if (arg_type != TRACE_FIELD_NONE && !trace_block_column_get(&columns[TRACE_SLOT_ARG], arg))
    return false;
  return trace_block_word(cursor, &word[0], family, first, &words[0]) &&
         trace_block_word(cursor, &word[1], family, second, &words[1]) &&
         trace_block_word(cursor, &word[2], family, third, &words[2]);
}

// Reads the fields of a record of that kind, which has no payload; what it has not is 0. False
// where the block is malformed, or the kind is another one: the cursor may not be read on then.
static inline bool trace_block_fields(trace_block_cursor_t *cursor, unsigned kind, uint32_t *stack,
                                      uint64_t *arg, uint64_t words[TRACE_WORDS_MAX]) {
#define ARG(type, name) TRACE_FIELD_##type
#define WORD(type, name) TRACE_FIELD_##type
#define FIRST_THREE(one, two, three, ...) one, two, three
#define WORDS(...) FIRST_THREE(__VA_ARGS__, TRACE_FIELD_NONE, TRACE_FIELD_NONE, )
#define NO_WORDS TRACE_FIELD_NONE, TRACE_FIELD_NONE, TRACE_FIELD_NONE
#define HAS_STACK true
#define HAS_BARE false
  switch (kind) {
#define EVENT(number, NAME, name, family, stack_or_bare, arg_field, word_fields, text)             \
  case number:                                                                                     \
    return trace_block_kind_fields(cursor, number, TRACE_FAMILY_##family, HAS_##stack_or_bare,     \
                                   arg_field, word_fields, stack, arg, words);
    TRACE_EVENT_TABLE(EVENT)
#undef EVENT
  default:
    return false;
  }
#undef ARG
#undef WORD
#undef FIRST_THREE
#undef WORDS
#undef NO_WORDS
#undef HAS_STACK
#undef HAS_BARE
}

#endif
