// SPDX-License-Identifier: Apache-2.0
// The malloc family. The real call is made under the guard: what an allocator calls itself is no
// act of the program.
//
// Order: a block that is given is noted after the call, one that goes back before it, so that in
// the order of the records no block is given twice.
//
// Where a sample is kept, a call that neither draws a block nor frees one of the sample jumps to
// the real function; the others are recorded as all are without sampling, so that a block is in the
// record from its allocation to its free, or in no part of it. But where locks may lie in a block
// that goes back, this is recorded, also where no block is (lock_memory.h).
#include "preload/bootstrap.h"
#include "preload/hooks/heap_sample.h"
#include "preload/hooks/hooks.h"
#include "preload/lock_memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

__thread sampler_t heap_sampler __attribute__((tls_model("initial-exec")));

// As HOOK, for a function that gives out a block of `size` bytes.
#define HEAP_HOOK(result, name, parameters, arguments, size)                                       \
  HOOK_EXPORT result name parameters {                                                             \
    const unsigned mode = recorder_families.heap;                                                  \
    if (mode <= RECORDER_HEAP_LOCKS) return REAL_OR_FIRST(name) arguments;                         \
    if (mode == RECORDER_HEAP_ALL) return recorded_##name arguments;                               \
    return heap_sample_passes(size) ? real_##name arguments : sampled_##name arguments;            \
  }

static inline __attribute__((always_inline)) void allocated(lane_t *lane,
                                                            const stacks_origin_t *origin,
                                                            const void *block, size_t size,
                                                            bool sampled) {
  lane_leave_heap(lane);
  if (likely(block != NULL) && (!sampled || heap_sample_keeps(lane, block)))
    lane_record_cheap(lane, TRACE_ALLOCATE, lane_stack(lane, origin), size, 1, (uintptr_t)block, 0);
  lane_leave(lane);
}

// A hook that gives out a block of `size` bytes, with a body for a recorder that keeps everything
// (recorded_NAME) and one for a sample (sampled_NAME).
enum { IS_SAMPLED_recorded = 0, IS_SAMPLED_sampled = 1 };
#define ALLOCATOR_BODY(name, parameters, arguments, size, sampled)                                 \
  static HOOK_BODY void *sampled##_##name parameters {                                             \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    if (IS_SAMPLED_##sampled && !heap_sample_hits(size)) return real_##name arguments;             \
    lane_t *lane = lane_enter(&origin, TRACE_ALLOCATE);                                            \
    if (lane) lane_enter_heap(lane);                                                               \
    void *block = real_##name arguments;                                                           \
    if (lane) allocated(lane, &origin, block, size, IS_SAMPLED_##sampled);                         \
    return block;                                                                                  \
  }
#define ALLOCATOR(name, parameters, arguments, size)                                               \
  ALLOCATOR_BODY(name, parameters, arguments, size, recorded)                                      \
  ALLOCATOR_BODY(name, parameters, arguments, size, sampled)                                       \
  HEAP_HOOK(void *, name, parameters, arguments, size)

ALLOCATOR(malloc, (size_t size), (size), size)
ALLOCATOR(calloc, (size_t count, size_t size), (count, size), count *size)
ALLOCATOR(memalign, (size_t alignment, size_t size), (alignment, size), size)
ALLOCATOR(aligned_alloc, (size_t alignment, size_t size), (alignment, size), size)
ALLOCATOR(valloc, (size_t size), (size), size)
ALLOCATOR(pvalloc, (size_t size), (size), size)

static HOOK_BODY int recorded_posix_memalign(void **block, size_t alignment, size_t size) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  lane_t *lane = lane_enter(&origin, TRACE_ALLOCATE);
  if (lane) lane_enter_heap(lane);
  const int result = real_posix_memalign(block, alignment, size);
  if (lane) allocated(lane, &origin, result == 0 ? *block : NULL, size, heap_is_sampled());
  return result;
}

static HOOK_BODY int sampled_posix_memalign(void **block, size_t alignment, size_t size) {
  return heap_sample_hits(size) ? recorded_posix_memalign(block, alignment, size)
                                : real_posix_memalign(block, alignment, size);
}

HEAP_HOOK(int, posix_memalign, (void **block, size_t alignment, size_t size),
          (block, alignment, size), size)

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
  static HOOK_BODY void emptied_##name parameters {                                                \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    lock_memory_freed(&origin, (uintptr_t)block);                                                  \
    real_##name arguments;                                                                         \
  }                                                                                                \
  static HOOK_BODY void near_##name parameters {                                                   \
    if (likely(!lock_memory_size((uintptr_t)block)))                                               \
      real_##name arguments;                                                                       \
    else                                                                                           \
      emptied_##name arguments;                                                                    \
  }                                                                                                \
  static HOOK_BODY void sampled_##name parameters {                                                \
    if (!sampled_blocks_take((uintptr_t)block)) {                                                  \
      near_##name arguments;                                                                       \
    } else {                                                                                       \
      lock_memory_sample_freed((uintptr_t)block);                                                  \
      recorded_##name arguments;                                                                   \
    }                                                                                              \
  }                                                                                                \
  HOOK_EXPORT void name parameters {                                                               \
    if (unlikely(bootstrap_owns(block))) return;                                                   \
    const unsigned mode = recorder_families.heap;                                                  \
    if (mode == RECORDER_HEAP_OFF)                                                                 \
      REAL_OR_FIRST(name) arguments;                                                               \
    else if (mode == RECORDER_HEAP_ALL)                                                            \
      recorded_##name arguments;                                                                   \
    else if (mode == RECORDER_HEAP_SAMPLED && unlikely(sampled_blocks_may_have((uintptr_t)block))) \
      sampled_##name arguments;                                                                    \
    else if (likely(!lock_memory_is_near((uintptr_t)block)))                                       \
      real_##name arguments;                                                                       \
    else                                                                                           \
      near_##name arguments;                                                                       \
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
    allocated(lane, &origin, result, size, false);
    return result;
  }
  lane_leave_heap(lane);
  lane_record_cheap(lane, TRACE_REALLOCATE, lane_stack(lane, &origin), size, 2, (uintptr_t)block,
                    (uintptr_t)result);
  lane_leave(lane);
  return result;
}

// What became of a block of the sample: it stays in it where the call failed, else it is as if
// freed, and the new block, if that is drawn, as if allocated.
static void sampled_moved(lane_t *lane, const stacks_origin_t *origin, const void *block,
                          size_t size, const void *result, bool drawn) {
  const bool failed = !result && size > 0;
  const bool kept =
      failed ? heap_sample_keeps(lane, block) : result && drawn && heap_sample_keeps(lane, result);
  const uint32_t stack = kept && !failed ? lane_stack(lane, origin) : 0;
  lane_record_cheap(lane, TRACE_REALLOCATE, stack, kept ? size : 0, 2, (uintptr_t)block,
                    kept ? (uintptr_t)result : 0);
}

static bool is_moved(uintptr_t old, size_t size, const void *result) {
  return (uintptr_t)result != old && (result || size == 0);
}

// A reallocation of a block out of the sample, for another one. Locks that lie in the block stay
// there unless it moves; then they were gone before another thread could get it.
static void *emptied_realloc(const stacks_origin_t *origin, void *block, size_t size) {
  const uintptr_t old = (uintptr_t)block;
  const size_t locks = lock_memory_size(old);
  const uint64_t since = locks ? clock_ticks() : 0;
  void *result = real_realloc(block, size);
  if (is_moved(old, size, result)) lock_memory_moved(origin, old, locks, since);
  return result;
}

// A reallocation of a block of the sample, or one that may be drawn, or of one with locks.
static HOOK_BODY void *sampled_realloc(void *block, size_t size, bool drawn) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  drawn = drawn && heap_sample_hits(size);
  const bool had = block && heap_is_sampled() && sampled_blocks_take((uintptr_t)block);
  if (!drawn && !had) return emptied_realloc(&origin, block, size);
  const uintptr_t old = (uintptr_t)block;
  const size_t locks = lock_memory_size(old);
  lane_t *lane = lane_enter(&origin, had ? TRACE_REALLOCATE : TRACE_ALLOCATE);
  if (lane && had) lane_record_cheap(lane, TRACE_REALLOCATE_START, 0, 0, 1, (uintptr_t)block, 0);
  if (lane) lane_enter_heap(lane);
  void *result = real_realloc(block, size);
  if (!lane) return result;
  const bool moved = is_moved(old, size, result);
  if (!had) {
    allocated(lane, &origin, result, size, true);
    if (moved) lock_memory_moved(&origin, old, locks, clock_ticks());
    return result;
  }
  if (moved) lock_memory_forget(old, locks);
  lane_leave_heap(lane);
  sampled_moved(lane, &origin, block, size, result, drawn);
  lane_leave(lane);
  return result;
}

static inline bool is_passed_by(const void *block) {
  return (recorder_families.heap == RECORDER_HEAP_LOCKS ||
          likely(!sampled_blocks_may_have((uintptr_t)block))) &&
         likely(!lock_memory_is_near((uintptr_t)block));
}

static inline void *reallocate(void *block, size_t size) {
  if (recorder_families.heap == RECORDER_HEAP_ALL) return recorded_realloc(block, size);
  const bool drawn = heap_is_sampled() && !heap_sample_passes(size);
  if (likely(!drawn) && (!block || is_passed_by(block))) return real_realloc(block, size);
  return sampled_realloc(block, size, drawn);
}

HOOK_EXPORT void *realloc(void *block, size_t size) {
  if (unlikely(bootstrap_owns(block))) return move_out(block, size);
  if (!recorder_families.heap) return REAL_OR_FIRST(realloc)(block, size);
  return reallocate(block, size);
}

// Goes through the real realloc, as glibc's own does, whose call of it would be seen again here.
// A product that overflows fails before anything is touched, and is not noted.
HOOK_EXPORT void *reallocarray(void *block, size_t count, size_t size) {
  size_t bytes;
  const bool overflows = __builtin_mul_overflow(count, size, &bytes);
  if (unlikely(bootstrap_owns(block) && !overflows)) return move_out(block, bytes);
  if (!recorder_families.heap || overflows) return REAL_OR_FIRST(reallocarray)(block, count, size);
  return reallocate(block, bytes);
}
