// SPDX-License-Identifier: Apache-2.0
// The bitmaps, and what is recorded of a block that takes locks along.
#include "preload/lock_memory.h"

#include "preload/lock_sample.h"
#include "preload/real.h"

#include <dlfcn.h>
#include <string.h>

enum { GROUPS = LOCK_MEMORY_WORDS / 64, PAGE_GROUPS = LOCK_MEMORY_PAGES / 64 };

bool lock_memory_kept;
uint64_t lock_memory_pages[PAGE_GROUPS];
uint64_t lock_memory_words[GROUPS];
size_t (*lock_memory_usable_size)(void *block);

// Another allocator's would take our block for one of its own.
bool lock_memory_start(void) {
  void *found = dlsym(RTLD_NEXT, "malloc_usable_size");
  dlerror();
  struct dl_find_object size_of, freeing;
  if (!found || _dl_find_object(found, &size_of) != 0 ||
      _dl_find_object((void *)real_free, &freeing) != 0 ||
      size_of.dlfo_map_start != freeing.dlfo_map_start)
    return false;
  memcpy(&lock_memory_usable_size, &found, sizeof found);
  lock_memory_kept = true;
  return true;
}

// ---- bits --------------------------------------------------------------------------------------

static void set_bit(uint64_t *groups, uint64_t bit) {
  __atomic_fetch_or(&groups[bit / 64], UINT64_C(1) << bit % 64, __ATOMIC_RELAXED);
}

// The page first: where the word is found, so is its page.
void lock_memory_add(uint64_t object) {
  const uint64_t page = object >> 12;
  for (uint64_t before = 0; before <= LOCK_MEMORY_REACH && before <= page; before++)
    set_bit(lock_memory_pages, (page - before) % LOCK_MEMORY_PAGES);
  set_bit(lock_memory_words, (object >> 3) % LOCK_MEMORY_WORDS);
}

// A range of words, and the group of 64 that is looked at.
typedef struct {
  uint64_t word, end;
} range_t;

static range_t range_of(uintptr_t start, size_t size) {
  const uint64_t first = start >> 3, count = (start + size + 7) / 8 - first;
  return (range_t){first, first + (count < LOCK_MEMORY_WORDS ? count : LOCK_MEMORY_WORDS)};
}

static uint64_t *group_of(uint64_t word) { return &lock_memory_words[word / 64 % GROUPS]; }

// The bits of the group that are in the range.
static uint64_t range_mask(const range_t *range) {
  const uint64_t from = range->word % 64, count = range->end - range->word;
  const uint64_t mask = UINT64_MAX << from;
  return from + count < 64 ? mask & ~(UINT64_MAX << (from + count)) : mask;
}

static void range_next(range_t *range) { range->word = (range->word | 63) + 1; }

// ---- blocks ------------------------------------------------------------------------------------

size_t lock_memory_search(uintptr_t block, size_t size) {
  for (range_t range = range_of(block, size); range.word < range.end; range_next(&range))
    if (lock_memory_group(range.word) & range_mask(&range)) return size;
  return 0;
}

void lock_memory_forget(uintptr_t start, size_t size) {
  for (range_t range = range_of(start, size); range.word < range.end; range_next(&range)) {
    const uint64_t mask = range_mask(&range);
    if (!(lock_memory_group(range.word) & mask)) continue;
    uint64_t found = __atomic_fetch_and(group_of(range.word), ~mask, __ATOMIC_RELAXED) & mask;
    for (; found; found &= found - 1)
      lock_sample_end_epoch(((range.word & ~UINT64_C(63)) + (uint64_t)__builtin_ctzll(found)) << 3);
  }
}

void lock_memory_moved(const stacks_origin_t *origin, uintptr_t start, size_t size,
                       uint64_t since) {
  if (!size) return;
  lane_t *lane = lane_enter(origin, TRACE_LOCK_MEMORY_FREED);
  lock_memory_forget(start, size);
  if (!lane) return;
  lane_record(lane, TRACE_LOCK_MEMORY_FREED, 0, size, since, 1, start, 0, 0);
  lane_leave(lane);
}

void lock_memory_freed(const stacks_origin_t *origin, uintptr_t block) {
  const size_t size = lock_memory_size(block);
  if (size) lock_memory_moved(origin, block, size, clock_ticks());
}

void lock_memory_sample_freed(uintptr_t block) {
  if (lock_memory_is_near(block)) lock_memory_forget(block, lock_memory_size(block));
}
