// SPDX-License-Identifier: Apache-2.0
// The blocks of the sample that live now: an exact set of addresses, so that a free of any other
// block costs a look at one cache line.
//
// A set of lines of 16 tags, 32 bits each; tag and number of the line together are the address,
// mixed one to one, so that equal tags in a line are equal addresses:
//
//   near   4096 lines by the page of the block, so that blocks of one page share a line, as they
//          share the program's cache lines
//   far    65536 lines by the whole address, for what finds its near line full
//
// A block that fits into neither is not in the sample; its allocation counts as lost. Only the
// thread that has a block puts it in or takes it out, and whoever gets a block from another thread
// has synchronised with it: relaxed accesses suffice. A forked child finds the set empty.
#ifndef PRELOAD_SAMPLED_BLOCKS_H
#define PRELOAD_SAMPLED_BLOCKS_H

#include <emmintrin.h>
#include <stdbool.h>
#include <stdint.h>

enum {
  SAMPLED_TAGS = 16,  // a cache line of them
  SAMPLED_NEAR_BITS = 12,
  SAMPLED_FAR_BITS = 16,
};
typedef struct {
  _Alignas(64) uint32_t tags[SAMPLED_TAGS];
} sampled_line_t;

typedef struct {
  sampled_line_t *near, *far;
  bool spilled;  // something is, or was, in `far`
} sampled_blocks_t;
extern sampled_blocks_t sampled_blocks;

// Address space for the set, which takes memory as it is used. False where there is none. Called
// once, in the constructor.
bool sampled_blocks_reserve(void);
// Puts the block into the set. False where it has no place.
bool sampled_blocks_add(uintptr_t block);
// Takes it out. False where it was not in.
bool sampled_blocks_take(uintptr_t block);

// A place: the page of the address (35 bits) and what is in it (9 bits of multiples of 8), the page
// multiplied by an odd number (Fibonacci hashing; Knuth, TAOCP 6.4), of which the highest bits are
// the line.
#define SAMPLED_PAGE_FACTOR UINT64_C(0x4f1bbcdcb)
static inline uint64_t sampled_near_place(uintptr_t block) {
  const uint64_t page = (uint64_t)block >> 12;
  return (page * SAMPLED_PAGE_FACTOR & ((UINT64_C(1) << 35) - 1)) << 9 | (block >> 3 & 511);
}
#define SAMPLED_WORD_FACTOR UINT64_C(0x9e3779b97f5)
enum { SAMPLED_FAR_TAG_BITS = 44 - SAMPLED_FAR_BITS };
static inline uint64_t sampled_far_place(uintptr_t block) {
  return ((uint64_t)block >> 3) * SAMPLED_WORD_FACTOR & ((UINT64_C(1) << 44) - 1);
}
// Never 0, which is a free place.
static inline uint32_t sampled_far_tag(uint64_t place) {
  return ((uint32_t)place & ((1u << SAMPLED_FAR_TAG_BITS) - 1)) | 1u << SAMPLED_FAR_TAG_BITS;
}

static inline bool sampled_line_has(const sampled_line_t *line, uint32_t tag) {
  const __m128i *parts = (const __m128i *)line->tags;
  const __m128i wanted = _mm_set1_epi32((int)tag);
  const __m128i low = _mm_or_si128(_mm_cmpeq_epi32(_mm_load_si128(parts), wanted),
                                   _mm_cmpeq_epi32(_mm_load_si128(parts + 1), wanted));
  const __m128i high = _mm_or_si128(_mm_cmpeq_epi32(_mm_load_si128(parts + 2), wanted),
                                    _mm_cmpeq_epi32(_mm_load_si128(parts + 3), wanted));
  return _mm_movemask_epi8(_mm_or_si128(low, high)) != 0;
}

// False: the block is not in the set. True: it is, or sampled_blocks_take will say no.
static inline bool sampled_blocks_may_have(uintptr_t block) {
  const uint64_t place = sampled_near_place(block);
  if (__builtin_expect(sampled_line_has(&sampled_blocks.near[place >> 32], (uint32_t)place), 0))
    return true;
  if (__builtin_expect(!sampled_blocks.spilled, 1)) return false;
  const uint64_t far = sampled_far_place(block);
  return sampled_line_has(&sampled_blocks.far[far >> SAMPLED_FAR_TAG_BITS], sampled_far_tag(far));
}

#endif
