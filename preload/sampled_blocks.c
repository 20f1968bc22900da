// SPDX-License-Identifier: Apache-2.0
// Putting blocks into the set and taking them out; its memory.
#include "preload/sampled_blocks.h"

#include "preload/system.h"

#include <stddef.h>
#include <sys/mman.h>

enum { NEAR_LINES = 1 << SAMPLED_NEAR_BITS, FAR_LINES = 1 << SAMPLED_FAR_BITS };
_Static_assert(35 + 9 - SAMPLED_NEAR_BITS == 32, "a near tag holds what the line does not say");
_Static_assert(SAMPLED_FAR_TAG_BITS < 32, "a far tag has a bit to spare");

sampled_blocks_t sampled_blocks;

bool sampled_blocks_reserve(void) {
  const size_t size = (NEAR_LINES + FAR_LINES) * sizeof(sampled_line_t);
  const long result = system_call(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (system_failed(result)) return false;
  // The blocks of its parent are of no trace of a child's.
  if (system_failed(system_call(SYS_madvise, result, size, MADV_WIPEONFORK))) {
    system_call(SYS_munmap, result, size);
    return false;
  }
  system_call(SYS_madvise, result, size, MADV_DONTDUMP);
  sampled_blocks.near = (sampled_line_t *)result;
  sampled_blocks.far = sampled_blocks.near + NEAR_LINES;
  return true;
}

// Where the set cannot tell an address from others, or from a free place.
static bool has_place(uintptr_t block) {
  return block >> 47 == 0 && (block & 7) == 0 && (uint32_t)sampled_near_place(block) != 0;
}

static bool line_add(sampled_line_t *line, uint32_t tag) {
  for (int i = 0; i < SAMPLED_TAGS; i++) {
    uint32_t none = 0;
    if (__atomic_load_n(&line->tags[i], __ATOMIC_RELAXED) == 0 &&
        __atomic_compare_exchange_n(&line->tags[i], &none, tag, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED))
      return true;
  }
  return false;
}

static bool line_take(sampled_line_t *line, uint32_t tag) {
  for (int i = 0; i < SAMPLED_TAGS; i++) {
    if (__atomic_load_n(&line->tags[i], __ATOMIC_RELAXED) != tag) continue;
    __atomic_store_n(&line->tags[i], 0, __ATOMIC_RELAXED);
    return true;
  }
  return false;
}

static sampled_line_t *near_line(uintptr_t block) {
  return &sampled_blocks.near[sampled_near_place(block) >> 32];
}

static sampled_line_t *far_line(uintptr_t block) {
  return &sampled_blocks.far[sampled_far_place(block) >> SAMPLED_FAR_TAG_BITS];
}

static uint32_t far_tag(uintptr_t block) { return sampled_far_tag(sampled_far_place(block)); }

bool sampled_blocks_add(uintptr_t block) {
  if (!has_place(block)) return false;
  if (sampled_blocks_may_have(block)) return true;  // the free of the block before was not seen
  if (line_add(near_line(block), (uint32_t)sampled_near_place(block))) return true;
  __atomic_store_n(&sampled_blocks.spilled, true, __ATOMIC_RELAXED);
  return line_add(far_line(block), far_tag(block));
}

bool sampled_blocks_take(uintptr_t block) {
  if (!has_place(block)) return false;
  if (line_take(near_line(block), (uint32_t)sampled_near_place(block))) return true;
  return sampled_blocks.spilled && line_take(far_line(block), far_tag(block));
}
