// SPDX-License-Identifier: Apache-2.0
// Memory that the program maps itself. What an allocator maps inside malloc is its own affair, as
// is what libc maps: neither comes here, or it comes nested and passes.
#include "preload/hooks/hooks.h"

#include <sys/mman.h>

#define MAPPER(name, offset_type)                                                                  \
  HOOK(mapping, void *, name,                                                                      \
       (void *start, size_t size, int access, int flags, int descriptor, offset_type offset),      \
       (start, size, access, flags, descriptor, offset)) {                                         \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    lane_t *lane = lane_enter(&origin, TRACE_MAP);                                                 \
    void *result = real_##name(start, size, access, flags, descriptor, offset);                    \
    if (!lane) return result;                                                                      \
    if (result != MAP_FAILED)                                                                      \
      lane_record_cheap(lane, TRACE_MAP, lane_stack(lane, &origin), size, 2, (uintptr_t)result,    \
                        trace_pair((unsigned)flags, (unsigned)descriptor));                        \
    lane_leave(lane);                                                                              \
    return result;                                                                                 \
  }

MAPPER(mmap, off_t)
MAPPER(mmap64, off64_t)

// Before the call: after it the range may be another thread's.
HOOK(mapping, int, munmap, (void *start, size_t size), (start, size)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  lane_t *lane = lane_enter(&origin, TRACE_UNMAP);
  if (lane) lane_record_cheap(lane, TRACE_UNMAP, 0, size, 1, (uintptr_t)start, 0);
  const int result = real_munmap(start, size);
  if (lane) lane_leave(lane);
  return result;
}

HOOK_UNPROTOTYPED(mapping, void *, mremap,
                  (void *old, size_t old_size, size_t size, int flags, void *place),
                  (old, old_size, size, flags, place)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  lane_t *lane = lane_enter(&origin, TRACE_REMAP);
  void *result = real_mremap(old, old_size, size, flags, place);
  if (!lane) return result;
  if (result != MAP_FAILED)
    lane_record3(lane, TRACE_REMAP, lane_stack(lane, &origin), size, (uintptr_t)old,
                 (uintptr_t)result, old_size);
  lane_leave(lane);
  return result;
}
