// SPDX-License-Identifier: Apache-2.0
// A little arena that serves allocations while the real functions are being looked up: the dynamic
// linker may allocate then, and there is nobody yet to pass it on to.
//
// Its blocks outlive the look-up. They are never passed to a real free or realloc: the hooks ask
// bootstrap_owns() first. The word before a block is what glibc keeps there for a block with a
// mapping of its own, so that its malloc_usable_size, which is not interposed, gives the right
// answer.
#ifndef PRELOAD_BOOTSTRAP_H
#define PRELOAD_BOOTSTRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Reached before this library is relocated: by its distance from the code, not through a table.
#pragma GCC visibility push(hidden)

enum { BOOTSTRAP_SIZE = 64 << 10 };
extern unsigned char bootstrap_arena[BOOTSTRAP_SIZE];

static inline bool bootstrap_owns(const void *block) {
  return (uintptr_t)block - (uintptr_t)bootstrap_arena < BOOTSTRAP_SIZE;
}
// Usable bytes of a block of the arena.
size_t bootstrap_size(const void *block);

// The malloc family on the arena. Zeroed memory, or NULL with ENOMEM where it is used up; nothing
// is ever given back. Lock-free, signal-safe.
void *bootstrap_malloc(size_t size);
void *bootstrap_calloc(size_t count, size_t size);
// A block of another allocator cannot be moved: NULL with ENOMEM.
void *bootstrap_realloc(void *block, size_t size);
void *bootstrap_reallocarray(void *block, size_t count, size_t size);
int bootstrap_posix_memalign(void **block, size_t alignment, size_t size);
void *bootstrap_memalign(size_t alignment, size_t size);
void *bootstrap_aligned_alloc(size_t alignment, size_t size);
void *bootstrap_valloc(size_t size);
void *bootstrap_pvalloc(size_t size);

#pragma GCC visibility pop

#endif
