// SPDX-License-Identifier: Apache-2.0
// The arena for allocations during the look-up of the real functions.
#include "preload/bootstrap.h"

#include <errno.h>
#include <stdatomic.h>

enum {
  HEADER = 16,  // before each block; its last word holds the length
  PAGE = 4096,
  GLIBC_IS_MAPPED = 2  // flag of glibc's chunk sizes: usable is the size without two words
};

_Alignas(PAGE) unsigned char bootstrap_arena[BOOTSTRAP_SIZE];
static _Atomic size_t used;

static size_t *length_word(const void *block) { return (size_t *)(uintptr_t)block - 1; }

size_t bootstrap_size(const void *block) {
  return (*length_word(block) & ~(size_t)GLIBC_IS_MAPPED) - HEADER;
}

// `alignment` is a power of two. NULL where there is no room; errno untouched.
static void *take(size_t alignment, size_t size) {
  if (alignment < HEADER) alignment = HEADER;
  size_t from = atomic_load_explicit(&used, memory_order_relaxed), at, end;
  do {
    at = (from + HEADER + alignment - 1) & ~(alignment - 1);
    if (alignment > BOOTSTRAP_SIZE || at >= BOOTSTRAP_SIZE || size > BOOTSTRAP_SIZE - at)
      return NULL;
    end = (at + size + HEADER - 1) & ~(size_t)(HEADER - 1);
  } while (!atomic_compare_exchange_weak_explicit(&used, &from, end, memory_order_relaxed,
                                                  memory_order_relaxed));
  void *block = bootstrap_arena + at;
  *length_word(block) = (end - at + HEADER) | GLIBC_IS_MAPPED;
  return block;
}

void *bootstrap_memalign(size_t alignment, size_t size) {
  void *block = take(alignment, size);
  if (!block) errno = ENOMEM;
  return block;
}

void *bootstrap_malloc(size_t size) { return bootstrap_memalign(HEADER, size); }
void *bootstrap_aligned_alloc(size_t alignment, size_t size) {
  return bootstrap_memalign(alignment, size);
}
void *bootstrap_valloc(size_t size) { return bootstrap_memalign(PAGE, size); }
void *bootstrap_pvalloc(size_t size) {
  return bootstrap_memalign(PAGE,
                            size > SIZE_MAX - PAGE ? size : (size + PAGE - 1) & -(size_t)PAGE);
}

void *bootstrap_calloc(size_t count, size_t size) {
  size_t bytes;
  return bootstrap_malloc(__builtin_mul_overflow(count, size, &bytes) ? SIZE_MAX : bytes);
}

int bootstrap_posix_memalign(void **block, size_t alignment, size_t size) {
  void *given = take(alignment, size);
  if (!given) return ENOMEM;
  *block = given;
  return 0;
}

void *bootstrap_realloc(void *block, size_t size) {
  if (block && !bootstrap_owns(block)) size = SIZE_MAX;
  void *moved = bootstrap_malloc(size);
  if (moved && block) {
    const size_t old = bootstrap_size(block);
    // Not memcpy: it cannot be reached before relocation.
    void *to = moved;
    size_t left = old < size ? old : size;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(block), "+c"(left)::"memory");
  }
  return moved;
}

void *bootstrap_reallocarray(void *block, size_t count, size_t size) {
  size_t bytes;
  return bootstrap_realloc(block, __builtin_mul_overflow(count, size, &bytes) ? SIZE_MAX : bytes);
}
