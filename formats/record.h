// SPDX-License-Identifier: Apache-2.0
// A record: one event as it stands in a ring, in words of 64 bits.
//
//   header   bits 0-6 kind, bit 7 timed, bits 8-31 stack, bits 32-63 arg
//   [arg]    one word, only where the header's arg is TRACE_ARG_LONG
//   words    as many as the kind has, or `arg` payload words
//   [stamp]  clock ticks, only where timed
//
// A record never wraps: where it does not fit before the end of the ring, a padding header
// (kind 0, arg = words to skip after it) fills the rest.
#ifndef FORMATS_RECORD_H
#define FORMATS_RECORD_H

#include "formats/events.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  TRACE_STACK_BITS = 24,
  TRACE_STACK_LIMIT = 1 << TRACE_STACK_BITS,
  TRACE_PAYLOAD_MAX = 4096,  // words
  TRACE_RECORD_MAX = 1 + TRACE_PAYLOAD_MAX + 1,
};
#define TRACE_ARG_LONG UINT32_C(0xffffffff)

static inline uint64_t trace_header(unsigned kind, bool timed, uint32_t stack, uint32_t arg) {
  return (uint64_t)kind | (uint64_t)timed << 7 | (uint64_t)stack << 8 | (uint64_t)arg << 32;
}
static inline unsigned trace_header_kind(uint64_t header) { return header & 0x7f; }
static inline bool trace_header_timed(uint64_t header) { return header >> 7 & 1; }
static inline uint32_t trace_header_stack(uint64_t header) {
  return (uint32_t)(header >> 8) & (TRACE_STACK_LIMIT - 1);
}
static inline uint32_t trace_header_arg(uint64_t header) { return (uint32_t)(header >> 32); }

// Signed numbers as small unsigned ones: 0 -1 1 -2 2 ... -> 0 1 2 3 4 ...
static inline uint64_t trace_zigzag(int64_t value) {
  return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}
static inline int64_t trace_unzigzag(uint64_t value) {
  return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}
static inline uint64_t trace_pair(uint32_t low, uint32_t high) {
  return (uint64_t)high << 32 | low;
}

// A record taken apart. `payload` points into the source of the record and lives as long as it.
typedef struct {
  uint8_t kind;
  bool timed;
  uint32_t stack;
  uint64_t arg;
  uint64_t words[TRACE_WORDS_MAX];
  const uint64_t *payload;  // NULL unless the kind has one; `arg` words
  uint64_t stamp;           // ticks; 0 unless timed
} trace_record_t;

// Takes apart the record at `words`, of which `available` may be read.
// Returns its length in words (padding included in kind 0: length, nothing else set), or 0 where
// no whole valid record stands there: unknown kind, payload too long, end too near.
// Believes nothing it reads. Signal-safe.
size_t trace_record_parse(const uint64_t *words, size_t available, trace_record_t *record);

// Payload of a TEXT: id, length, bytes. Writes at most `limit` words, cutting the text to fit.
// Returns the number of words written.
size_t trace_text_pack(uint64_t *payload, size_t limit, uint64_t id, const char *text,
                       size_t length);
// The text of a TEXT payload of `count` words; false where it is malformed. `*text` points into
// the payload and is not terminated.
bool trace_text_unpack(const uint64_t *payload, size_t count, uint64_t *id, const char **text,
                       size_t *length);

// A MODULE payload begins with this, one word each; then build id, then path, each padded with
// zeros to whole words.
typedef struct {
  uint64_t bias;             // difference between addresses in memory and in the file
  uint64_t start, end;       // [start, end) of the mapping, all segments
  uint64_t build_id_length;  // bytes, 0 to 64
  uint64_t path_length;      // bytes, 0 to 4096
} trace_module_t;
size_t trace_module_pack(uint64_t *payload, size_t limit, const trace_module_t *module,
                         const uint8_t *build_id, const char *path);
bool trace_module_unpack(const uint64_t *payload, size_t count, trace_module_t *module,
                         const uint8_t **build_id, const char **path);

#endif
