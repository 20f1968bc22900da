// SPDX-License-Identifier: Apache-2.0
// The malloc family. The real call is made under the guard: what an allocator calls itself is no
// act of the program.
//
// Order: a block that is given is noted after the call, one that goes back before it, so that in
// the order of the records no block is given twice.
#include "preload/bootstrap.h"
#include "preload/hooks/hooks.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

// A hook that gives out a block of `size` bytes.
#define ALLOCATOR(name, parameters, arguments, size)                                               \
  HOOK(heap, void *, name, parameters, arguments) {                                                \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    lane_t *lane = lane_enter(&origin, TRACE_ALLOCATE);                                            \
    if (lane) lane_enter_heap(lane);                                                               \
    void *block = real_##name arguments;                                                           \
    if (lane) allocated(lane, &origin, block, size);                                               \
    return block;                                                                                  \
  }

static inline void allocated(lane_t *lane, const stacks_origin_t *origin, const void *block,
                             size_t size) {
  lane_leave_heap(lane);
  if (likely(block != NULL))
    lane_record_cheap(lane, TRACE_ALLOCATE, lane_stack(lane, origin), size, 1, (uintptr_t)block, 0);
  lane_leave(lane);
}

ALLOCATOR(malloc, (size_t size), (size), size)
ALLOCATOR(calloc, (size_t count, size_t size), (count, size), count *size)
ALLOCATOR(memalign, (size_t alignment, size_t size), (alignment, size), size)
ALLOCATOR(aligned_alloc, (size_t alignment, size_t size), (alignment, size), size)
ALLOCATOR(valloc, (size_t size), (size), size)
ALLOCATOR(pvalloc, (size_t size), (size), size)

HOOK(heap, int, posix_memalign, (void **block, size_t alignment, size_t size),
     (block, alignment, size)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  lane_t *lane = lane_enter(&origin, TRACE_ALLOCATE);
  if (lane) lane_enter_heap(lane);
  const int result = real_posix_memalign(block, alignment, size);
  if (lane) allocated(lane, &origin, result == 0 ? *block : NULL, size);
  return result;
}

// A hook that takes a block back. Blocks of the arena stay there, whatever is switched on.
#define RELEASER(name, parameters, arguments)                                                      \
  static HOOK_BODY void recorded_##name parameters {                                               \
    if (!block) return;                                                                            \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    lane_t *lane = lane_enter(&origin, TRACE_FREE);                                                \
    if (lane) {                                                                                    \
      lane_record_cheap(lane, TRACE_FREE, 0, 0, 1, (uintptr_t)block, 0);                           \
      lane_enter_heap(lane);                                                                       \
    }                                                                                              \
    real_##name arguments;                                                                         \
    if (lane) lane_end_heap(lane);                                                                 \
  }                                                                                                \
  HOOK_EXPORT void name parameters {                                                               \
    if (unlikely(bootstrap_owns(block))) return;                                                   \
    if (recorder_families.heap)                                                                    \
      recorded_##name arguments;                                                                   \
    else                                                                                           \
      REAL_OR_FIRST(name) arguments;                                                               \
  }

RELEASER(free, (void *block), (block))
RELEASER(cfree, (void *block), (block))
RELEASER(free_sized, (void *block, size_t size), (block, size))
RELEASER(free_aligned_sized, (void *block, size_t alignment, size_t size), (block, alignment, size))

// ---- reallocation --------------------------------------------------------------------------

// A block of the arena moves to the real heap, if there is one yet; the arena keeps what it has.
static void *move_out(void *block, size_t size) {
  if (!real_malloc) return bootstrap_realloc(block, size);
  if (size == 0) return NULL;
  void *moved = malloc(size);
  const size_t old = bootstrap_size(block);
  if (moved) memcpy(moved, block, old < size ? old : size);
  return moved;
}

static HOOK_BODY void *recorded_realloc(void *block, size_t size) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  lane_t *lane = lane_enter(&origin, block ? TRACE_REALLOCATE : TRACE_ALLOCATE);
  if (lane && block) lane_record_cheap(lane, TRACE_REALLOCATE_START, 0, 0, 1, (uintptr_t)block, 0);
  if (lane) lane_enter_heap(lane);
  void *result = real_realloc(block, size);
  if (!lane) return result;
  if (!block) {
    allocated(lane, &origin, result, size);
    return result;
  }
  lane_leave_heap(lane);
  lane_record_cheap(lane, TRACE_REALLOCATE, lane_stack(lane, &origin), size, 2, (uintptr_t)block,
                    (uintptr_t)result);
  lane_leave(lane);
  return result;
}

HOOK_EXPORT void *realloc(void *block, size_t size) {
  if (unlikely(bootstrap_owns(block))) return move_out(block, size);
  if (!recorder_families.heap) return REAL_OR_FIRST(realloc)(block, size);
  return recorded_realloc(block, size);
}

// Goes through the real realloc, as glibc's own does, whose call of it would be seen again here.
// A product that overflows fails before anything is touched, and is not noted.
HOOK_EXPORT void *reallocarray(void *block, size_t count, size_t size) {
  size_t bytes;
  const bool overflows = __builtin_mul_overflow(count, size, &bytes);
  if (unlikely(bootstrap_owns(block) && !overflows)) return move_out(block, bytes);
  if (!recorder_families.heap || overflows) return REAL_OR_FIRST(reallocarray)(block, count, size);
  return recorded_realloc(block, bytes);
}
