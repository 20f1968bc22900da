// SPDX-License-Identifier: Apache-2.0
// Where the locks of the record lie, so that a free tells whether locks go with its block.
//
// A lock that nothing initialises or destroys by a call (std::mutex) ends with the memory that it
// lies in. Where not every free is in the record, the next lock at its address would pass for it,
// and orders of the one for orders of the other. So a block with such a lock in it is noted as it
// goes back (LOCK_MEMORY_FREED), whether or not it is in the sample of blocks.
//
// Two bitmaps, of pages and of words of 8 bytes, by the lower bits of their numbers:
//
//   pages   a lock lies in this page or up to LOCK_MEMORY_REACH pages behind it, as the block that
//           begins here may reach so far: all that a free of another block looks at
//   words   a lock lies here, until its block goes back
//
// A bit is set as a lock gets into the record, which is rare where most of its holds do not. Words
// 8 MiB apart share a bit: a lock may be looked for in vain (then nothing is wrong but a record too
// many), or forgotten as the other one goes, until it is recorded again. All accesses are relaxed:
// who frees a block has synchronised with those who used what lies in it.
#ifndef PRELOAD_LOCK_MEMORY_H
#define PRELOAD_LOCK_MEMORY_H

#include "preload/lane.h"

enum {
  LOCK_MEMORY_PAGES = 1 << 16,
  LOCK_MEMORY_WORDS = 1 << 20,
  LOCK_MEMORY_REACH = 16,  // pages of 4 KiB
};

#pragma GCC visibility push(hidden)
extern bool lock_memory_kept;  // set once in the constructor: the bitmaps are kept
extern uint64_t lock_memory_pages[LOCK_MEMORY_PAGES / 64];
extern uint64_t lock_memory_words[LOCK_MEMORY_WORDS / 64];
extern size_t (*lock_memory_usable_size)(void *block);  // the allocator's; NULL: not kept
#pragma GCC visibility pop

// From here on the bitmaps are kept. False where that is of no use: the allocator behind free has
// no malloc_usable_size of its own, so how large a block is cannot be asked. Called once, in the
// constructor.
bool lock_memory_start(void);

// The bits of the 64 words among which this one is.
static inline uint64_t lock_memory_group(uint64_t word) {
  return __atomic_load_n(&lock_memory_words[word / 64 % (LOCK_MEMORY_WORDS / 64)],
                         __ATOMIC_RELAXED);
}

// The slow half of lock_memory_note.
void lock_memory_add(uint64_t object) __attribute__((cold));
// The lock at that address gets into the record.
static inline void lock_memory_note(uint64_t object) {
  if (likely(!lock_memory_kept)) return;
  const uint64_t word = object >> 3;
  if (unlikely(!(lock_memory_group(word) >> word % 64 & 1))) lock_memory_add(object);
}

// False: no lock of the record lies in the block, if that is no longer than LOCK_MEMORY_REACH
// pages.
static inline bool lock_memory_is_near(uintptr_t block) {
  const uint64_t page = (uint64_t)block >> 12;
  return __atomic_load_n(&lock_memory_pages[page / 64 % (LOCK_MEMORY_PAGES / 64)],
                         __ATOMIC_RELAXED) >>
             page % 64 &
         1;
}

// The slow half of lock_memory_size.
size_t lock_memory_search(uintptr_t block, size_t size);
// The size of a block in which locks may lie, as the allocator says; 0: none does, as in NULL. Not
// for a block of the arena (bootstrap.h). Most blocks are shorter than 64 words: then they are in
// two groups at most.
static inline size_t lock_memory_size(uintptr_t block) {
  if (unlikely(!lock_memory_usable_size)) return 0;
  const size_t size = lock_memory_usable_size((void *)block), count = (size + 7) / 8;
  if (unlikely(count >= 64)) return lock_memory_search(block, size);
  const uint64_t first = (uint64_t)block >> 3;
  const uint64_t from_first = lock_memory_group(first) >> first % 64;
  const uint64_t behind = lock_memory_group(first + 63) << 1 << (63 - first % 64);
  return (from_first | behind) & ((UINT64_C(1) << count) - 1) ? size : 0;
}
// That memory goes back: what was known of locks in it is void.
void lock_memory_forget(uintptr_t start, size_t size);
// A block is about to be freed: the record has it if locks may lie in it. One of the sample is only
// forgotten: its free is recorded as such.
void lock_memory_freed(const stacks_origin_t *origin, uintptr_t block);
void lock_memory_sample_freed(uintptr_t block);
// A block with locks has moved to another place, at that time (ticks) at the earliest. Nothing for
// size 0.
void lock_memory_moved(const stacks_origin_t *origin, uintptr_t start, size_t size, uint64_t since);

#endif
