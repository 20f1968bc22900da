// SPDX-License-Identifier: Apache-2.0
// Numbers in LEB128, seven bits a byte, least first; and words of any alignment. Little endian
// hosts only, as the trace is.
#ifndef FORMATS_VARINT_H
#define FORMATS_VARINT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are stored as they are");

enum {
  VARINT_MAX = 10,   // bytes of the longest number
  VARINT_SLACK = 8,  // varint_put may write that far behind the number it puts
};

// Every seventh bit moves up to the next byte: 56 bits become the payload of 8 bytes.
static inline uint64_t varint_spread(uint64_t value) {
  value = (value & 0x00fffffff0000000) << 4 | (value & 0x000000000fffffff);
  value = (value & 0x0fffc0000fffc000) << 2 | (value & 0x00003fff00003fff);
  return (value & 0x3f803f803f803f80) << 1 | (value & 0x007f007f007f007f);
}

static inline uint64_t varint_gather(uint64_t bytes) {
  bytes = (bytes & 0x7f007f007f007f00) >> 1 | (bytes & 0x007f007f007f007f);
  bytes = (bytes & 0x3fff00003fff0000) >> 2 | (bytes & 0x00003fff00003fff);
  return (bytes & 0x0fffffff00000000) >> 4 | (bytes & 0x000000000fffffff);
}

// Puts `value` at `out` and returns the place behind it. VARINT_MAX + VARINT_SLACK bytes at `out`
// must be writable.
static inline uint8_t *varint_put(uint8_t *out, uint64_t value) {
  if (value < 0x80) {
    *out = (uint8_t)value;
    return out + 1;
  }
  if (__builtin_expect(value >> 56 != 0, 0)) {
    uint64_t low = varint_spread(value & 0x00ffffffffffffff) | 0x8080808080808080;
    memcpy(out, &low, 8);
    value >>= 56;
    out[8] = (uint8_t)(value & 0x7f) | (uint8_t)(value >= 0x80) << 7;
    out[9] = (uint8_t)(value >> 7);
    return out + 9 + (value >= 0x80);
  }
  unsigned more = (unsigned)(63 - __builtin_clzll(value)) * 37 >> 8;  // whole sevenths: bits / 7
  uint64_t bytes = varint_spread(value) | 0x8080808080808080 >> (64 - 8 * more);
  memcpy(out, &bytes, 8);
  return out + more + 1;
}

// varint_get byte by byte, for numbers near the end and long ones.
static inline const uint8_t *varint_get_slow(const uint8_t *next, const uint8_t *end,
                                             uint64_t *value) {
  uint64_t result = 0;
  for (unsigned shift = 0; shift < 64 && next < end; shift += 7) {
    uint64_t byte = *next++;
    if (shift == 63 && byte > 1) return NULL;
    result |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      *value = result;
      return next;
    }
  }
  return NULL;
}

// Gets a number that stands whole in [next, end). Returns the place behind it, or NULL where there
// is none. Reads nothing outside [next, end).
static inline const uint8_t *varint_get(const uint8_t *next, const uint8_t *end, uint64_t *value) {
  if (next < end && *next < 0x80) {
    *value = *next;
    return next + 1;
  }
  if (end - next < 8) return varint_get_slow(next, end, value);
  uint64_t bytes;
  memcpy(&bytes, next, 8);
  uint64_t stops = ~bytes & 0x8080808080808080;
  if (__builtin_expect(stops == 0, 0)) return varint_get_slow(next, end, value);
  *value = varint_gather(bytes & (stops ^ (stops - 1)));
  return next + (__builtin_ctzll(stops) >> 3) + 1;
}

#endif
