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

// varint_put of numbers that need five bytes or more.
static inline uint8_t *varint_put_long(uint8_t *out, uint64_t value) {
  uint64_t bytes = varint_spread(value & 0x00ffffffffffffff);
  if (value >> 56 == 0) {
    unsigned more = (unsigned)(63 - __builtin_clzll(value)) * 37 >> 8;  // bits / 7
    bytes |= 0x8080808080808080 >> (64 - 8 * more);
    memcpy(out, &bytes, 8);
    return out + more + 1;
  }
  bytes |= 0x8080808080808080;
  memcpy(out, &bytes, 8);
  value >>= 56;
  out[8] = (uint8_t)(value & 0x7f) | (uint8_t)(value >= 0x80) << 7;
  out[9] = (uint8_t)(value >> 7);
  return out + 9 + (value >= 0x80);
}

// Puts `value` at `out` and returns the place behind it. VARINT_MAX + VARINT_SLACK bytes at `out`
// must be writable. One byte, or two to four: these two are predicted well, single lengths are not.
static inline uint8_t *varint_put(uint8_t *out, uint64_t value) {
  if (value < 0x80) {
    *out = (uint8_t)value;
    return out + 1;
  }
  if (__builtin_expect(value >> 28 != 0, 0)) return varint_put_long(out, value);
  uint32_t low = (uint32_t)value;
  unsigned more = (unsigned)(31 - __builtin_clz(low)) * 37 >> 8;
  uint32_t bytes =
      (low & 0x7f) | (low << 1 & 0x7f00) | (low << 2 & 0x7f0000) | (low << 3 & 0x7f000000);
  bytes |= 0x808080 >> (24 - 8 * more);
  memcpy(out, &bytes, 4);
  return out + more + 1;
}

// varint_put for numbers that keep their length, as stack numbers and sizes do: one byte or two.
static inline uint8_t *varint_put_short(uint8_t *out, uint64_t value) {
  if (value - 0x80 < 0x4000 - 0x80) {
    uint16_t bytes = (uint16_t)((value & 0x7f) | 0x80 | (value & 0x3f80) << 1);
    memcpy(out, &bytes, 2);
    return out + 2;
  }
  return varint_put(out, value);
}

// varint_get byte by byte, for numbers near the end and long ones.
static __attribute__((noinline, unused)) const uint8_t *
varint_get_slow(const uint8_t *next, const uint8_t *end, uint64_t *value) {
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
  if (__builtin_expect(end - next < 8, 0)) return varint_get_slow(next, end, value);
  uint64_t bytes;
  memcpy(&bytes, next, 8);
  if ((bytes & 0x80) == 0) {
    *value = bytes & 0x7f;
    return next + 1;
  }
  uint64_t stops = ~bytes & 0x8080808080808080;
  if (__builtin_expect(stops == 0, 0)) return varint_get_slow(next, end, value);
  *value = varint_gather(bytes & (stops ^ (stops - 1)));
  return next + (__builtin_ctzll(stops) >> 3) + 1;
}

#endif
