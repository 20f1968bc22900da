// SPDX-License-Identifier: Apache-2.0
// What the hooks of condition variables share: those of POSIX, and those of C11, which are the same
// objects in glibc and do not go through the POSIX functions.
#ifndef PRELOAD_HOOKS_CONDITION_H
#define PRELOAD_HOOKS_CONDITION_H

#include "preload/hooks/hooks.h"

// A wait on its way through the real call.
typedef struct {
  const stacks_origin_t *origin;
  pthread_cond_t *cond;
  pthread_mutex_t *mutex;
  uint64_t limit;  // TRACE_PENDING_TIMED or 0
  hook_wait_t wait;
  struct _pthread_cleanup_buffer cleanup;
} condition_wait_t;

// Notes that the mutex is given up, announces the wait and leaves the lane.
void condition_wait_begin(condition_wait_t *waiting, lane_t *lane);
// The wait has returned `error`, 0 or an errno.
void condition_wait_end(condition_wait_t *waiting, int error);
// About to signal. Leaves the lane.
void condition_signalled(lane_t *lane, const stacks_origin_t *origin, const pthread_cond_t *cond,
                         bool broadcast);
// The TRACE_LOCK_ bits of a condition.
uint32_t condition_bits(const pthread_cond_t *cond);

// `limit`: TRACE_PENDING_TIMED or 0. `error`: 0 or an errno, an expression of `result`.
#define CONDITION_WAITER(name, parameters, arguments, limit_, error)                               \
  HOOK(lock, int, name, parameters, arguments) {                                                   \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    lane_t *lane = lane_enter(&origin, TRACE_COND_WAIT);                                           \
    if (!lane) return real_##name arguments;                                                       \
    condition_wait_t waiting = {.origin = &origin,                                                 \
                                .cond = (pthread_cond_t *)cond,                                    \
                                .mutex = (pthread_mutex_t *)mutex,                                 \
                                .limit = (limit_)};                                                \
    condition_wait_begin(&waiting, lane);                                                          \
    const int result = real_##name arguments;                                                      \
    condition_wait_end(&waiting, error);                                                           \
    return result;                                                                                 \
  }

#define CONDITION_SIGNALLER(name, type, broadcast)                                                 \
  HOOK(lock, int, name, (type * cond), (cond)) {                                                   \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    lane_t *lane = lane_enter(&origin, TRACE_COND_SIGNAL);                                         \
    if (lane) condition_signalled(lane, &origin, (const pthread_cond_t *)cond, broadcast);         \
    return real_##name(cond);                                                                      \
  }

#endif
