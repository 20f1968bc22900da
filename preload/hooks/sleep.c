// SPDX-License-Identifier: Apache-2.0
// Waiting for nobody: sleeps, disks, name servers. A sleep's result is what is left of it in
// seconds, or -errno.
#include "preload/hooks/hooks.h"

#include <errno.h>

static bool begin(hook_wait_t *wait, const stacks_origin_t *origin, unsigned kind, uint32_t what,
                  uint64_t object) {
  lane_t *lane = lane_enter(origin, kind);
  if (lane) hook_wait_begin(wait, lane, origin, what, object, 0);
  return lane;
}

// A call that took long has its stack in every mode.
static void end(hook_wait_t *wait, const stacks_origin_t *origin, unsigned kind, int64_t result) {
  lane_t *lane = hook_wait_end(wait, origin);
  if (!lane) return;
  lane_record(lane, kind, lane_stack_wait(lane, origin, wait->ticks), trace_zigzag(result),
              wait->now, 1, wait->ticks, 0, 0);
  lane_leave(lane);
}

#define WAITER(KIND, type, name, parameters, arguments, noted)                                     \
  HOOK(descriptor, type, name, parameters, arguments) {                                            \
    const stacks_origin_t origin = HOOK_WAIT_ORIGIN();                                             \
    hook_wait_t wait;                                                                              \
    if (!begin(&wait, &origin, TRACE_##KIND, TRACE_PENDING_##KIND, 0))                             \
      return real_##name arguments;                                                                \
    const type result = real_##name arguments;                                                     \
    end(&wait, &origin, TRACE_##KIND, noted);                                                      \
    return result;                                                                                 \
  }

WAITER(SLEEP, unsigned, sleep, (unsigned seconds), (seconds), result)
WAITER(SLEEP, int, usleep, (useconds_t microseconds), (microseconds), result < 0 ? -errno : 0)
WAITER(SLEEP, int, nanosleep, (const struct timespec *duration, struct timespec *left),
       (duration, left), result < 0 ? -errno : 0)
WAITER(SLEEP, int, clock_nanosleep,
       (clockid_t clock, int flags, const struct timespec *duration, struct timespec *left),
       (clock, flags, duration, left), -result)
WAITER(SLEEP, int, thrd_sleep, (const struct timespec *duration, struct timespec *left),
       (duration, left),
       result == -1 ? -EINTR
       : result < 0 ? -EINVAL
                    : 0)
WAITER(RESOLVE, int, getaddrinfo,
       (const char *node, const char *service, const struct addrinfo *hints,
        struct addrinfo **found),
       (node, service, hints, found), result)

#define SYNCER(name)                                                                               \
  HOOK(descriptor, int, name, (int descriptor), (descriptor)) {                                    \
    const stacks_origin_t origin = HOOK_WAIT_ORIGIN();                                             \
    hook_wait_t wait;                                                                              \
    if (!begin(&wait, &origin, TRACE_SYNC, TRACE_PENDING_SYNC, (unsigned)descriptor))              \
      return real_##name(descriptor);                                                              \
    const int result = real_##name(descriptor);                                                    \
    lane_t *lane = hook_wait_end(&wait, &origin);                                                  \
    if (!lane) return result;                                                                      \
    lane_record(lane, TRACE_SYNC, lane_stack_wait(lane, &origin, wait.ticks),                      \
                (unsigned)descriptor, wait.now, 2, trace_zigzag(result < 0 ? -errno : 0),          \
                wait.ticks, 0);                                                                    \
    lane_leave(lane);                                                                              \
    return result;                                                                                 \
  }

SYNCER(fsync)
SYNCER(fdatasync)

HOOK_ALIAS(__nanosleep, nanosleep)
