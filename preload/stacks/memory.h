// SPDX-License-Identifier: Apache-2.0
// Reading words of the program's memory at addresses that may be wrong: never a fault.
//
// Unwind information can lie (hand-written assembly, damage), and then a frame's rules point
// anywhere. So a page is asked of the kernel once, before the first word of it is read; what has
// been found readable is kept as ranges of whole pages, and forgotten now and then, because a
// program may unmap the stack of a coroutine.
#ifndef PRELOAD_STACKS_MEMORY_H
#define PRELOAD_STACKS_MEMORY_H

#include "preload/recorder.h"

enum { MEMORY_PAGE = 4096, MEMORY_OTHERS = 7, MEMORY_USES = 512 };

// [low, low + size), whole pages; size 0: nothing.
typedef struct {
  uint64_t low, size;
} memory_range_t;

// All-zero is a valid state.
typedef struct {
  memory_range_t current;  // where the last word was
  memory_range_t others[MEMORY_OTHERS];
  uint32_t victim;  // the one of `others` to be overwritten next
  uint32_t uses;    // walks since all was forgotten
} memory_t;

// Whether the page of `address` can be read, asking the kernel where that is not known; then
// `current` holds it.
bool memory_probe(memory_t *memory, uint64_t address);

// Whether all of [address, address + size) can be read; size at most 64 KiB.
bool memory_probe_bytes(memory_t *memory, uint64_t address, uint64_t size);

// A walk begins. Forgets everything every MEMORY_USES walks.
void memory_use(memory_t *memory);

// The word at `address`; false where it cannot be read or is not aligned.
static inline __attribute__((no_sanitize("address"))) bool
memory_word(memory_t *memory, uint64_t address, uint64_t *word) {
  if (unlikely(address & 7)) return false;
  if (unlikely(address - memory->current.low >= memory->current.size) &&
      !memory_probe(memory, address))
    return false;
  *word = *(const uint64_t *)(uintptr_t)address;
  return true;
}

#endif
