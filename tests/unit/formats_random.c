// SPDX-License-Identifier: Apache-2.0
// Records with random fields. See the header.
#include "tests/unit/formats_random.h"

uint64_t formats_random(formats_random_t *random) {
  *random ^= *random << 13;
  *random ^= *random >> 7;
  *random ^= *random << 17;
  return *random * UINT64_C(0x2545f4914f6cdd1d);
}

uint64_t formats_random_value(formats_random_t *random) {
  return formats_random(random) >> (formats_random(random) % 64);
}

unsigned formats_random_kind(formats_random_t *random) {
  for (;;) {
    unsigned kind = (unsigned)(formats_random(random) % TRACE_KIND_LIMIT);
    if (trace_event_kinds[kind].name) return kind;
  }
}

// An arg in the header where it fits, sometimes in a word of its own all the same.
static size_t header_put(formats_random_t *random, unsigned kind, bool timed, uint64_t arg,
                         uint64_t *words) {
  uint32_t stack = 0;
  if (trace_event_kinds[kind].has_stack)
    stack = (uint32_t)formats_random_value(random) % TRACE_STACK_LIMIT;
  bool is_long = arg >= TRACE_ARG_LONG || formats_random(random) % 16 == 0;
  words[0] = trace_header(kind, timed, stack, is_long ? TRACE_ARG_LONG : (uint32_t)arg);
  if (is_long) words[1] = arg;
  return 1 + is_long;
}

size_t formats_random_record(formats_random_t *random, unsigned kind, uint64_t *words,
                             size_t limit) {
  enum { LONGEST = 2 + 20 + 1 };
  if (limit < LONGEST) return 0;
  const trace_event_kind_t *row = &trace_event_kinds[kind];
  bool timed = formats_random(random) % 2;
  uint64_t arg = formats_random_value(random);
  if (row->has_payload) arg %= 21;
  if (row->arg.type == TRACE_FIELD_NONE) arg = 0;
  size_t length = header_put(random, kind, timed, arg, words);
  size_t count = row->has_payload ? (size_t)arg : row->word_count;
  for (size_t i = 0; i < count + timed; i++) words[length++] = formats_random_value(random);
  return length;
}

size_t formats_random_records(formats_random_t *random, uint64_t *words, size_t limit) {
  size_t used = 0;
  for (;;) {
    uint64_t skip = formats_random(random) % 8;
    if (formats_random(random) % 32 == 0 && used + skip < limit) {
      words[used] = trace_header(0, false, 0, (uint32_t)skip);
      used += skip + 1;
    }
    size_t length =
        formats_random_record(random, formats_random_kind(random), words + used, limit - used);
    if (length == 0) return used;
    used += length;
  }
}
