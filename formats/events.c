// SPDX-License-Identifier: Apache-2.0
// The table of event kinds as data, unfolded from TRACE_EVENT_TABLE.
#include "formats/events.h"

#include <stddef.h>
#include <string.h>

// First unfolding: which kinds have a payload. Such a kind has one word type, and it is one of the
// payload types, which stand last in TRACE_FIELD_TABLE.
#define FIRST(first, ...) (first)
#define WORD(type, name) TRACE_FIELD_##type
#define WORDS(...) FIRST(__VA_ARGS__, 0)
#define NO_WORDS TRACE_FIELD_NONE
enum {
#define EVENT(number, NAME, name, family, stack, arg, words, text)                                 \
  PAYLOAD_##NAME = (words) >= TRACE_FIELD_FRAMES,
  TRACE_EVENT_TABLE(EVENT)
#undef EVENT
};
#undef WORDS
#undef NO_WORDS

// Second: how many words follow the header.
#define WORDS(...) sizeof((trace_field_type_t[]){__VA_ARGS__}) / sizeof(trace_field_type_t)
#define NO_WORDS 0
enum {
#define EVENT(number, NAME, name, family, stack, arg, words, text)                                 \
  WORD_COUNT_##NAME = PAYLOAD_##NAME ? 0 : (words),
  TRACE_EVENT_TABLE(EVENT)
#undef EVENT
};
#undef WORD
#undef WORDS
#undef NO_WORDS

// Third: the rows.
#define HAS_STACK true
#define HAS_BARE false
#define ARG(type, name)                                                                            \
  { TRACE_FIELD_##type, name }
#define WORD(type, name)                                                                           \
  { TRACE_FIELD_##type, name }
#define WORDS(...) .words = {__VA_ARGS__},
#define NO_WORDS
const trace_event_kind_t trace_event_kinds[TRACE_KIND_LIMIT] = {
#define EVENT(number, NAME, row_name, row_family, stack, row_arg, row_words, text)                 \
  [number] = {.name = row_name,                                                                    \
              .meaning = text,                                                                     \
              .family = TRACE_FAMILY_##row_family,                                                 \
              .has_stack = HAS_##stack,                                                            \
              .has_payload = PAYLOAD_##NAME,                                                       \
              .word_count = WORD_COUNT_##NAME,                                                     \
              .arg = row_arg,                                                                      \
              row_words},
    TRACE_EVENT_TABLE(EVENT)
#undef EVENT
};

int trace_event_kind_by_name(const char *name) {
  for (int kind = 1; kind < TRACE_KIND_LIMIT; kind++) {
    const char *candidate = trace_event_kinds[kind].name;
    if (candidate && strcmp(candidate, name) == 0) return kind;
  }
  return 0;
}

static const struct {
  const char *name, *meaning;
} field_types[] = {
#define FIELD(name, text) [TRACE_FIELD_##name] = {#name, text},
    TRACE_FIELD_TABLE(FIELD)
#undef FIELD
};
enum { FIELD_TYPES = sizeof(field_types) / sizeof(field_types[0]) };

const char *trace_field_type_name(trace_field_type_t type) {
  return (unsigned)type < FIELD_TYPES ? field_types[type].name : "?";
}

const char *trace_field_type_meaning(trace_field_type_t type) {
  return (unsigned)type < FIELD_TYPES ? field_types[type].meaning : "?";
}
