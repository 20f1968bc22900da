// SPDX-License-Identifier: Apache-2.0
// A bounded reader of DWARF bytes in memory: past the end it gives zeros and remembers that.
#ifndef PRELOAD_STACKS_READER_H
#define PRELOAD_STACKS_READER_H

#include "preload/stacks/image.h"

// [at, end) is known to be readable.
typedef struct {
  uint64_t at, end;
  bool failed;
} reader_t;

// DW_EH_PE_*: the low bits say how a pointer is stored, the high ones what it is relative to.
enum {
  READER_ABSOLUTE = 0x00,
  READER_LEB = 0x01,
  READER_U2 = 0x02,
  READER_U4 = 0x03,
  READER_U8 = 0x04,
  READER_SIGNED_LEB = 0x09,
  READER_S2 = 0x0a,
  READER_S4 = 0x0b,
  READER_S8 = 0x0c,
  READER_FORMAT = 0x0f,
  READER_FROM_PLACE = 0x10,
  READER_FROM_TABLE = 0x30,
  READER_RELATION = 0x70,
  READER_OMITTED = 0xff,
};

// A reader of [at, at + size) in the image's unwind information; failed where that is outside.
static inline reader_t reader_open(const image_t *image, uint64_t at, uint64_t size,
                                   memory_t *memory) {
  if (!image_readable(image, at, size, memory)) return (reader_t){.failed = true};
  return (reader_t){.at = at, .end = at + size};
}

// Of 1, 2, 4 or 8 bytes.
static inline uint64_t reader_bytes(reader_t *reader, size_t size) {
  if (reader->failed || reader->end - reader->at < size) {
    reader->failed = true;
    return 0;
  }
  reader->at += size;
  return memory_peek(reader->at - size, size);
}
static inline uint8_t reader_u1(reader_t *reader) { return (uint8_t)reader_bytes(reader, 1); }
static inline uint16_t reader_u2(reader_t *reader) { return (uint16_t)reader_bytes(reader, 2); }
static inline uint32_t reader_u4(reader_t *reader) { return (uint32_t)reader_bytes(reader, 4); }

static inline void reader_skip(reader_t *reader, uint64_t size) {
  if (reader->failed || reader->end - reader->at < size)
    reader->failed = true;
  else
    reader->at += size;
}

uint64_t reader_leb(reader_t *reader);
int64_t reader_signed_leb(reader_t *reader);
// A number stored as the low bits of `encoding` say, whatever it is relative to.
uint64_t reader_number(reader_t *reader, uint8_t encoding);
// A pointer: the number, and what it is relative to added. `table` is .eh_frame_hdr.
uint64_t reader_pointer(reader_t *reader, uint8_t encoding, uint64_t table);

#endif
