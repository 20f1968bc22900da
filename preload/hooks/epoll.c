// SPDX-License-Identifier: Apache-2.0
// Event loops: the sets, what is in them, and each wait with what it returned.
#include "preload/hooks/client.h"
#include "preload/hooks/description.h"
#include "preload/hooks/epoll_held.h"
#include "preload/loop_sample.h"

#include <errno.h>
#include <limits.h>

// ---- sets ----------------------------------------------------------------------------------

#define CREATOR(name, parameters, arguments)                                                       \
  HOOK(descriptor, int, name, parameters, arguments) {                                             \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    const int epoll = real_##name arguments;                                                       \
    lane_t *lane = epoll >= 0 ? lane_enter(&origin, TRACE_EPOLL_CREATE) : NULL;                    \
    if (!lane) return epoll;                                                                       \
    if (process_is_recorded()) {                                                                   \
      descriptor_add(&descriptor_known, epoll);                                                    \
      descriptor_add(&descriptor_listed, epoll);                                                   \
    }                                                                                              \
    lane_record0(lane, TRACE_EPOLL_CREATE, lane_stack_take(lane, &origin), (unsigned)epoll);       \
    lane_leave(lane);                                                                              \
    return epoll;                                                                                  \
  }

CREATOR(epoll_create, (int size), (size))
CREATOR(epoll_create1, (int flags), (flags))

// What the program asked for. DEL ignores `event`, which may then point anywhere; so may one that
// the kernel refused to read.
static struct epoll_event event_asked(int operation, const struct epoll_event *event, int error) {
  if (!event || operation == EPOLL_CTL_DEL || error == EFAULT) return (struct epoll_event){0};
  return *event;
}

// More descriptors are registered than are to be kept: of this one it is counted that it was.
static int control_unrecorded(int epoll, int operation, int descriptor, struct epoll_event *event) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  const int result = real_epoll_ctl(epoll, operation, descriptor, event);
  lane_t *lane =
      operation == EPOLL_CTL_ADD && result == 0 ? lane_enter(&origin, TRACE_EPOLL_CTL) : NULL;
  if (!lane) return result;
  lane_count_lost(lane, TRACE_EPOLL_CTL);
  lane_leave(lane);
  return result;
}

// A connection out of the sample. What the program did to it since its beginning may have made it
// one that does not block.
static int control_skipped(const stacks_origin_t *origin, int epoll, int operation, int descriptor,
                           struct epoll_event *event) {
  const int result = real_epoll_ctl(epoll, operation, descriptor, event);
  if (operation != EPOLL_CTL_ADD || result != 0) return result;
  if (descriptor_in(&descriptor_timed, descriptor)) descriptor_look_whether_it_blocks(descriptor);
  if (likely(!descriptor_in(&descriptor_untold, descriptor))) return result;
  lane_t *lane = lane_enter(origin, TRACE_DESCRIPTOR_SAMPLED);
  if (!lane) return result;
  client_count(lane, descriptor);
  lane_leave(lane);
  return result;
}

// The mark comes before the call: once the descriptor is in the set another thread may be told of
// it, and read from it, before this call returns.
HOOK(descriptor, int, epoll_ctl,
     (int epoll, int operation, int descriptor, struct epoll_event *event),
     (epoll, operation, descriptor, event)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  if (operation == EPOLL_CTL_ADD && descriptor_in(&descriptor_fresh, descriptor))
    client_registers(&origin, descriptor);
  if (descriptor_is_skipped(descriptor))
    return control_skipped(&origin, epoll, operation, descriptor, event);
  if (!(operation == EPOLL_CTL_ADD ? descriptor_task_begin(descriptor)
                                   : descriptor_is_task(descriptor)))
    return control_unrecorded(epoll, operation, descriptor, event);
  const bool was_watched = operation != EPOLL_CTL_ADD || descriptor_watch(descriptor);
  const int result = real_epoll_ctl(epoll, operation, descriptor, event);
  const int error = result < 0 ? errno : 0;
  if (error != 0 && !was_watched) {
    descriptor_unwatch(descriptor);
    descriptor_task_end(descriptor);
  }
  lane_t *lane = lane_enter(&origin, TRACE_EPOLL_CTL);
  if (!lane) return result;
  const struct epoll_event asked = event_asked(operation, event, error);
  if (error == 0 && operation != EPOLL_CTL_DEL && !descriptor_in(&descriptor_parent, descriptor))
    loop_sample_register(epoll, descriptor, asked.data.u64);
  else if (error == 0)
    loop_sample_unregister(descriptor);
  lane_record3(lane, TRACE_EPOLL_CTL, lane_stack_lock(lane, &origin, 0), (unsigned)operation,
               trace_pair((unsigned)epoll, (unsigned)descriptor), asked.data.u64,
               trace_pair(asked.events, (unsigned)error));
  if (operation == EPOLL_CTL_ADD && error == 0 && !descriptor_add(&descriptor_named, descriptor))
    description_record(lane, descriptor, NULL, 0);
  lane_leave(lane);
  return result;
}

// ---- waits ---------------------------------------------------------------------------------

static void wait_begin(hook_wait_t *wait, lane_t *lane, const stacks_origin_t *origin, int epoll) {
  wait->outer = lane_pend(lane, origin, TRACE_PENDING_EPOLL, (unsigned)epoll, 0);
  wait->since = atomic_load_explicit(&lane->ring->pending_since, memory_order_relaxed);
  loop_sample_wait_begins(lane, wait->since);
  lane_leave(lane);
}

static void waited(lane_t *lane, const stacks_origin_t *origin, const hook_wait_t *wait, int epoll,
                   int limit, int64_t timeout, const struct epoll_event *events, int result) {
  if (lane->loops) {
    const loop_wait_t sampled = {.epoll = epoll,
                                 .limit = limit,
                                 .result = result < 0 ? -errno : result,
                                 .timeout = timeout,
                                 .now = wait->now,
                                 .ticks = wait->ticks,
                                 .events = events};
    loop_sample_wait_ended(lane, origin, &sampled);
    lane_leave(lane);
    return;
  }
  lane_record(lane, TRACE_EPOLL_WAIT, lane_stack(lane, origin),
              trace_zigzag(result < 0 ? -errno : result), wait->now, 3,
              trace_pair((unsigned)epoll, (unsigned)limit), wait->ticks, trace_zigzag(timeout));
  for (int i = 0; i < result; i++)
    lane_write(lane, TRACE_READY, 0, events[i].events, false, 0, 1, events[i].data.u64, 0, 0);
  lane_leave(lane);
}

// `milliseconds`: the timeout, worked out after the call, which has then checked the pointer.
#define WAITER(name, parameters, arguments, milliseconds)                                          \
  HOOK(descriptor, int, name, parameters, arguments) {                                             \
    const stacks_origin_t origin = HOOK_WAIT_ORIGIN();                                             \
    lane_t *lane = lane_enter(&origin, TRACE_EPOLL_WAIT);                                          \
    if (!lane) return real_##name arguments;                                                       \
    if (!descriptor_in(&descriptor_listed, epoll)) epoll_held_record(lane, epoll);                 \
    hook_wait_t wait;                                                                              \
    wait_begin(&wait, lane, &origin, epoll);                                                       \
    const int result = real_##name arguments;                                                      \
    lane = hook_wait_end(&wait, &origin);                                                          \
    if (lane) waited(lane, &origin, &wait, epoll, limit, milliseconds, events, result);            \
    return result;                                                                                 \
  }

// Rounded up, as a wait of less than a millisecond is one; -1: no limit.
static int64_t limit_milliseconds(const struct timespec *limit, int result) {
  if (!limit || (result < 0 && errno == EFAULT)) return -1;
  if (limit->tv_sec > INT_MAX / 1000) return INT_MAX;
  return limit->tv_sec * 1000 + (limit->tv_nsec + 999999) / 1000000;
}

WAITER(epoll_wait, (int epoll, struct epoll_event *events, int limit, int timeout),
       (epoll, events, limit, timeout), timeout)
WAITER(epoll_pwait,
       (int epoll, struct epoll_event *events, int limit, int timeout, const sigset_t *mask),
       (epoll, events, limit, timeout, mask), timeout)
WAITER(epoll_pwait2,
       (int epoll, struct epoll_event *events, int limit, const struct timespec *timeout,
        const sigset_t *mask),
       (epoll, events, limit, timeout, mask), limit_milliseconds(timeout, result))
