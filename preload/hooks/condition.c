// SPDX-License-Identifier: Apache-2.0
// Condition variables. A wait gives the mutex up and takes it again inside libc, where no hook sees
// it; both are noted here, around the wait.
//
// These are glibc's GLIBC_2.3.2 functions; exports.map says what happens to the older ones.
#include "preload/hooks/hooks.h"
#include "preload/hooks/mutex.h"

#include <errno.h>

static uint32_t condition_bits(const pthread_cond_t *cond) {
  // Bit 0 of __wrefs: process-shared.
  const unsigned waiters = __atomic_load_n(&cond->__data.__wrefs, __ATOMIC_RELAXED);
  return TRACE_LOCK_CONDITION | (waiters & 1 ? TRACE_LOCK_PROCESS_SHARED : 0);
}

// ---- waiting -------------------------------------------------------------------------------

static hook_wait_t wait_begin(lane_t *lane, const stacks_origin_t *origin, pthread_cond_t *cond,
                              pthread_mutex_t *mutex) {
  lane_record1(lane, TRACE_LOCK_RELEASE, 0, mutex_bits(mutex) | TRACE_LOCK_BY_CONDITION,
               (uintptr_t)mutex);
  return hook_wait_begin(lane, origin, TRACE_PENDING_CONDITION, (uintptr_t)cond, (uintptr_t)mutex);
}

// The mutex is the thread's again whatever the result (an error that refused the wait never gave
// it up), but for one that has become unusable.
static int wait_end(hook_wait_t *wait, const stacks_origin_t *origin, pthread_cond_t *cond,
                    pthread_mutex_t *mutex, int result) {
  lane_t *lane = hook_wait_end(wait, origin);
  if (!lane) return result;
  const uint32_t stack = lane_stack(lane, origin);
  const uint32_t bits = mutex_bits(mutex) | TRACE_LOCK_BY_CONDITION |
                        (result == EOWNERDEAD ? TRACE_LOCK_OWNER_DIED : 0);
  lane_record(lane, TRACE_COND_WAIT, stack, trace_zigzag(-result), wait->now, 3, (uintptr_t)cond,
              (uintptr_t)mutex, wait->ticks);
  if (result == ENOTRECOVERABLE)
    lane_record(lane, TRACE_LOCK_FAIL, stack, bits, wait->now, 3, (uintptr_t)mutex, 0,
                trace_zigzag(-result));
  else
    lane_record(lane, TRACE_LOCK_ACQUIRE, stack, bits, wait->now, 1, (uintptr_t)mutex, 0, 0);
  lane_leave(lane);
  return result;
}

#define WAITER(name, parameters, arguments)                                                        \
  HOOK int name parameters {                                                                       \
    if (!recorder_families.lock) return real_##name arguments;                                     \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    lane_t *lane = lane_enter(&origin, TRACE_COND_WAIT);                                           \
    if (!lane) return real_##name arguments;                                                       \
    hook_wait_t wait = wait_begin(lane, &origin, cond, mutex);                                     \
    return wait_end(&wait, &origin, cond, mutex, real_##name arguments);                           \
  }

WAITER(pthread_cond_wait, (pthread_cond_t * cond, pthread_mutex_t *mutex), (cond, mutex))
WAITER(pthread_cond_timedwait,
       (pthread_cond_t * cond, pthread_mutex_t *mutex, const struct timespec *limit),
       (cond, mutex, limit))
WAITER(pthread_cond_clockwait,
       (pthread_cond_t * cond, pthread_mutex_t *mutex, clockid_t clock,
        const struct timespec *limit),
       (cond, mutex, clock, limit))

// ---- signalling ----------------------------------------------------------------------------

#define SIGNALLER(name, broadcast)                                                                 \
  HOOK int name(pthread_cond_t *cond) {                                                            \
    if (!recorder_families.lock) return real_##name(cond);                                         \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    lane_t *lane = lane_enter(&origin, TRACE_COND_SIGNAL);                                         \
    if (!lane) return real_##name(cond);                                                           \
    lane_record1(lane, TRACE_COND_SIGNAL, lane_stack(lane, &origin), broadcast, (uintptr_t)cond);  \
    lane_leave(lane);                                                                              \
    return real_##name(cond);                                                                      \
  }

SIGNALLER(pthread_cond_signal, 0)
SIGNALLER(pthread_cond_broadcast, 1)

// ---- life ----------------------------------------------------------------------------------

HOOK int pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes) {
  if (!recorder_families.lock) return real_pthread_cond_init(cond, attributes);
  const stacks_origin_t origin = STACKS_ORIGIN();
  const int result = real_pthread_cond_init(cond, attributes);
  lane_t *lane = result == 0 ? lane_enter(&origin, TRACE_LOCK_INIT) : NULL;
  if (!lane) return result;
  lane_record1(lane, TRACE_LOCK_INIT, lane_stack(lane, &origin), condition_bits(cond),
               (uintptr_t)cond);
  lane_leave(lane);
  return result;
}

// Not under the guard: it may wait for threads that are on their way out of a wait.
HOOK int pthread_cond_destroy(pthread_cond_t *cond) {
  if (!recorder_families.lock) return real_pthread_cond_destroy(cond);
  const stacks_origin_t origin = STACKS_ORIGIN();
  lane_t *lane = lane_enter(&origin, TRACE_LOCK_DESTROY);
  if (!lane) return real_pthread_cond_destroy(cond);
  lane_record1(lane, TRACE_LOCK_DESTROY, lane_stack(lane, &origin), condition_bits(cond),
               (uintptr_t)cond);
  lane_leave(lane);
  return real_pthread_cond_destroy(cond);
}
