// SPDX-License-Identifier: Apache-2.0
// Numbers and pointers as DWARF stores them.
#include "preload/stacks/reader.h"

uint64_t reader_leb(reader_t *reader) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    uint8_t byte = reader_u1(reader);
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (!(byte & 0x80)) return value;
  }
  reader->failed = true;
  return 0;
}

int64_t reader_signed_leb(reader_t *reader) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64;) {
    uint8_t byte = reader_u1(reader);
    value |= (uint64_t)(byte & 0x7f) << shift;
    shift += 7;
    if (byte & 0x80) continue;
    if ((byte & 0x40) && shift < 64) value |= ~UINT64_C(0) << shift;
    return (int64_t)value;
  }
  reader->failed = true;
  return 0;
}

uint64_t reader_number(reader_t *reader, uint8_t encoding) {
  switch (encoding & READER_FORMAT) {
  case READER_ABSOLUTE:
  case READER_U8:
  case READER_S8:
    return reader_bytes(reader, 8);
  case READER_LEB:
    return reader_leb(reader);
  case READER_SIGNED_LEB:
    return (uint64_t)reader_signed_leb(reader);
  case READER_U2:
    return reader_u2(reader);
  case READER_U4:
    return reader_u4(reader);
  case READER_S2:
    return (uint64_t)(int64_t)(int16_t)reader_u2(reader);
  case READER_S4:
    return (uint64_t)(int64_t)(int32_t)reader_u4(reader);
  }
  reader->failed = true;
  return 0;
}

uint64_t reader_pointer(reader_t *reader, uint8_t encoding, uint64_t table) {
  uint64_t place = reader->at;
  uint64_t number = reader_number(reader, encoding);
  switch (encoding & (uint8_t)~READER_FORMAT) {
  case READER_ABSOLUTE:
    return number;
  case READER_FROM_PLACE:
    return place + number;
  case READER_FROM_TABLE:
    return table + number;
  }
  reader->failed = true;  // indirect, or relative to what x86-64 has no use for
  return 0;
}
