// SPDX-License-Identifier: Apache-2.0
// The lock of a stream, where a program takes it itself. What stdio does inside libc is not seen.
#include "preload/hooks/lock.h"

enum { STREAM_BITS = TRACE_LOCK_FILE | TRACE_LOCK_RECURSIVE };

HOOK(lock, void, flockfile, (FILE * file), (file)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  lane_t *lane = lane_enter(&origin, TRACE_LOCK_ACQUIRE);
  if (!lane) {
    real_flockfile(file);
    return;
  }
  if (real_ftrylockfile(file) == 0) {
    lock_acquired(lane, &origin, STREAM_BITS, (uintptr_t)file);
    return;
  }
  lock_request_t request;
  request.object = (uintptr_t)file;
  request.bits = STREAM_BITS;
  lock_request_begin(&request, lane, &origin);
  real_flockfile(file);
  lock_request_end(&request, &origin, 0);
}

LOCK_TRIER(int, ftrylockfile, (FILE * file), (file), file, STREAM_BITS, result ? EBUSY : 0)

HOOK(lock, void, funlockfile, (FILE * file), (file)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  lane_t *lane = lane_enter(&origin, TRACE_LOCK_RELEASE);
  if (!lane) {
    real_funlockfile(file);
    return;
  }
  lock_record_release(lane, STREAM_BITS, (uintptr_t)file, false);
  real_funlockfile(file);
  lane_leave(lane);
}

HOOK_ALIAS(_IO_flockfile, flockfile)
HOOK_ALIAS(_IO_ftrylockfile, ftrylockfile)
HOOK_ALIAS(_IO_funlockfile, funlockfile)
