// SPDX-License-Identifier: Apache-2.0
// What the hooks of all locks but mutexes share: rwlocks, spin locks, semaphores, streams, mtx_t.
// They differ by name, arguments, and how the object says what it is.
#ifndef PRELOAD_HOOKS_LOCK_H
#define PRELOAD_HOOKS_LOCK_H

#include "preload/hooks/hooks.h"
#include "preload/lock_sample.h"

#include <errno.h>

// A request on its way through the real call.
typedef struct {
  uintptr_t object;
  uint32_t bits;  // TRACE_LOCK_*
  hook_wait_t wait;
} lock_request_t;

// Who has the lock, as it says itself, above its bits: for TRACE_PENDING_LOCK.
uint64_t lock_owner_bits(uint32_t bits, uintptr_t object);
// Announces a request that could not be granted at once, and leaves the lane.
void lock_request_begin(lock_request_t *request, lane_t *lane, const stacks_origin_t *origin);
// The call has returned: `error` is 0 where the lock is the thread's now.
void lock_request_end(lock_request_t *request, const stacks_origin_t *origin, int error);

// Acquired without waiting. Leaves the lane.
void lock_acquired(lane_t *lane, const stacks_origin_t *origin, uint32_t bits, uintptr_t object);
// Not acquired, without waiting; or a release or destruction that was noted and did not take place.
void lock_failed(lane_t *lane, const stacks_origin_t *origin, uint32_t bits, uintptr_t object,
                 int error);
// Initialised, or about to be destroyed. Leaves the lane.
void lock_initialised(lane_t *lane, const stacks_origin_t *origin, uint32_t bits, uintptr_t object);
void lock_destroyed(lane_t *lane, const stacks_origin_t *origin, uint32_t bits, uintptr_t object);

// In all of these `address` and `lock_bits` are expressions of the parameters, and `error` one of
// `result`: 0, or an errno.

// A hook that acquires and may wait. `at_once`: takes the lock if that is possible without waiting,
// and has no other effect; then it is true, and the hook returns 0.
#define LOCK_ACQUIRER(type, name, parameters, arguments, address, lock_bits, at_once, error)       \
  HOOK(lock, type, name, parameters, arguments) {                                                  \
    const stacks_origin_t origin = HOOK_WAIT_ORIGIN();                                             \
    lane_t *lane = lane_enter(&origin, TRACE_LOCK_ACQUIRE);                                        \
    if (!lane) return real_##name arguments;                                                       \
    const uint32_t bits = (lock_bits);                                                             \
    if (at_once) {                                                                                 \
      lock_acquired(lane, &origin, bits, (uintptr_t)(address));                                    \
      return 0;                                                                                    \
    }                                                                                              \
    lock_request_t request;                                                                        \
    request.object = (uintptr_t)(address);                                                         \
    request.bits = bits;                                                                           \
    lock_request_begin(&request, lane, &origin);                                                   \
    const type result = real_##name arguments;                                                     \
    lock_request_end(&request, &origin, error);                                                    \
    return result;                                                                                 \
  }

// A hook that acquires or fails, and never waits.
#define LOCK_TRIER(type, name, parameters, arguments, address, lock_bits, error)                   \
  HOOK(lock, type, name, parameters, arguments) {                                                  \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    lane_t *lane = lane_enter(&origin, TRACE_LOCK_ACQUIRE);                                        \
    const type result = real_##name arguments;                                                     \
    if (!lane) return result;                                                                      \
    uint32_t bits = (lock_bits) | TRACE_LOCK_TRY;                                                  \
    const int failure = (error);                                                                   \
    if (failure == 0) {                                                                            \
      lock_acquired(lane, &origin, bits, (uintptr_t)(address));                                    \
      return result;                                                                               \
    }                                                                                              \
    if (lock_sample_keeps_failure(lane, &bits))                                                    \
      lock_failed(lane, &origin, bits, (uintptr_t)(address), failure);                             \
    lane_leave(lane);                                                                              \
    return result;                                                                                 \
  }

// A hook that releases. What is read of the lock is read before: it may be gone afterwards.
#define LOCK_RELEASER(type, name, parameters, arguments, address, lock_bits, waiters, error)       \
  HOOK(lock, type, name, parameters, arguments) {                                                  \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    lane_t *lane = lane_enter(&origin, TRACE_LOCK_RELEASE);                                        \
    if (!lane) return real_##name arguments;                                                       \
    const uint32_t bits = (lock_bits);                                                             \
    lock_record_release(lane, bits, (uintptr_t)(address), waiters);                                \
    const type result = real_##name arguments;                                                     \
    const int failure = (error);                                                                   \
    if (unlikely(failure != 0)) lock_failed(lane, &origin, bits, (uintptr_t)(address), failure);   \
    lane_leave(lane);                                                                              \
    return result;                                                                                 \
  }

#define LOCK_INITIALISER(type, name, parameters, arguments, address, lock_bits)                    \
  HOOK(lock, type, name, parameters, arguments) {                                                  \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    const type result = real_##name arguments;                                                     \
    lane_t *lane = result == 0 ? lane_enter(&origin, TRACE_LOCK_INIT) : NULL;                      \
    if (lane) lock_initialised(lane, &origin, (lock_bits), (uintptr_t)(address));                  \
    return result;                                                                                 \
  }

// Not under the guard: a destruction may wait for threads that are on their way out.
#define LOCK_DESTROYER(type, name, parameters, arguments, address, lock_bits)                      \
  HOOK(lock, type, name, parameters, arguments) {                                                  \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    lane_t *lane = lane_enter(&origin, TRACE_LOCK_DESTROY);                                        \
    if (lane) lock_destroyed(lane, &origin, (lock_bits), (uintptr_t)(address));                    \
    return real_##name arguments;                                                                  \
  }

#endif
