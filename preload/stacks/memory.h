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

// Whether the kernel can still be asked: a confined program may have forbidden it.
bool memory_can_probe(void);

// A walk begins. Forgets everything every MEMORY_USES walks, unless it could not be found out
// again.
void memory_use(memory_t *memory);

// The little-endian number of 1, 2, 4 or 8 bytes at an address that is known to be readable,
// aligned or not. Whose memory it is does not matter, so no sanitizer looks at it.
static inline __attribute__((no_sanitize("address", "undefined"))) uint64_t
memory_peek(uint64_t address, size_t size) {
  typedef struct __attribute__((packed, may_alias)) {
    uint16_t two;
  } two_t;
  typedef struct __attribute__((packed, may_alias)) {
    uint32_t four;
  } four_t;
  typedef struct __attribute__((packed, may_alias)) {
    uint64_t eight;
  } eight_t;
  const void *at = (const void *)(uintptr_t)address;
  switch (size) {
  case 1:
    return *(const uint8_t *)at;
  case 2:
    return ((const two_t *)at)->two;
  case 4:
    return ((const four_t *)at)->four;
  default:
    return ((const eight_t *)at)->eight;
  }
}

// The word at `address`; false where it cannot be read or is not aligned.
static inline bool memory_word(memory_t *memory, uint64_t address, uint64_t *word) {
  if (unlikely(address & 7)) return false;
  if (unlikely(address - memory->current.low >= memory->current.size) &&
      !memory_probe(memory, address))
    return false;
  *word = memory_peek(address, sizeof *word);
  return true;
}

#endif
