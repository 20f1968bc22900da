// SPDX-License-Identifier: Apache-2.0
// poll and select, in all forms: each wait with what it found ready. What was asked for is watched
// from then on. The lists are looked at after the call, which has checked that they can be.
#include "preload/hooks/client.h"
#include "preload/loop_sample.h"

#include <errno.h>
#include <limits.h>

// ---- what was found ------------------------------------------------------------------------

static void ready(lane_t *lane, int descriptor, unsigned events) {
  if (descriptor_is_skipped(descriptor)) {
    client_met(lane, descriptor);
    return;
  }
  if (recorder_is_sampled) descriptor_open_late(lane, descriptor);
  lane_write(lane, TRACE_READY_DESCRIPTOR, 0, events, false, 0, 1, (unsigned)descriptor, 0, 0);
}

// The kernel looks at 32 bits of `count`.
static void list_found(lane_t *lane, const struct pollfd *list, nfds_t count) {
  for (unsigned i = 0; i < (unsigned)count; i++) {
    if (!descriptor_is_skipped(list[i].fd)) descriptor_watch(list[i].fd);
    if (list[i].revents != 0) ready(lane, list[i].fd, (unsigned short)list[i].revents);
  }
}

typedef struct {
  const fd_set *readable, *writable, *exceptional;
} sets_t;

static bool set_has(const fd_set *set, int descriptor) {
  const unsigned long *words = (const unsigned long *)set;
  const unsigned bits = 8 * sizeof *words;
  return set && words[(unsigned)descriptor / bits] >> (unsigned)descriptor % bits & 1;
}

// `bits`: how many there are in all. What lies behind the last of them may be no part of the sets:
// the kernel looks at no more than the process can have descriptors, however large `count` is.
static void sets_found(lane_t *lane, sets_t sets, int count, int bits) {
  for (int i = 0; i < count && bits > 0; i++) {
    const bool in = set_has(sets.readable, i), out = set_has(sets.writable, i);
    const bool urgent = set_has(sets.exceptional, i);
    const unsigned events = (in ? POLLIN : 0) | (out ? POLLOUT : 0) | (urgent ? POLLPRI : 0);
    if (events == 0) continue;
    bits -= in + out + urgent;
    if (!descriptor_is_skipped(i)) descriptor_watch(i);
    ready(lane, i, events);
  }
}

// ---- waits ---------------------------------------------------------------------------------

static bool poll_begin(hook_wait_t *wait, const stacks_origin_t *origin, uint64_t count) {
  lane_t *lane = lane_enter(origin, TRACE_POLL);
  if (lane) hook_wait_begin(wait, lane, origin, TRACE_PENDING_POLL, count, 0);
  return lane;
}

// The lane, for what was found; NULL where nothing can be recorded.
static lane_t *poll_end(hook_wait_t *wait, const stacks_origin_t *origin, uint64_t count,
                        int64_t milliseconds, int result) {
  lane_t *lane = hook_wait_end(wait, origin);
  if (!lane) return NULL;
  lane_record(lane, TRACE_POLL, lane_stack(lane, origin),
              trace_zigzag(result < 0 ? -errno : result), wait->now, 3, count, wait->ticks,
              trace_zigzag(milliseconds));
  loop_sample_polled(lane);
  return lane;
}

// Rounded up, as a wait of less than a millisecond is one; -1: no limit. libc reads what it is
// given itself, before the kernel could refuse it.
static int64_t whole_milliseconds(int64_t seconds, int64_t nanoseconds) {
  return seconds > INT_MAX / 1000 ? INT_MAX : seconds * 1000 + (nanoseconds + 999999) / 1000000;
}
static int64_t of_timespec(const struct timespec *limit) {
  return limit ? whole_milliseconds(limit->tv_sec, limit->tv_nsec) : -1;
}
static int64_t of_timeval(const struct timeval *limit) {
  return limit ? whole_milliseconds(limit->tv_sec, (int64_t)limit->tv_usec * 1000) : -1;
}

// `found`: what is done with the lane and a result of 0 or more.
#define POLLER(name, parameters, arguments, milliseconds, found)                                   \
  HOOK(descriptor, int, name, parameters, arguments) {                                             \
    const stacks_origin_t origin = HOOK_WAIT_ORIGIN();                                             \
    hook_wait_t wait;                                                                              \
    if (!poll_begin(&wait, &origin, (uint64_t)count)) return real_##name arguments;                \
    const int64_t limit = (milliseconds);                                                          \
    const int result = real_##name arguments;                                                      \
    lane_t *lane = poll_end(&wait, &origin, (uint64_t)count, limit, result);                       \
    if (!lane) return result;                                                                      \
    if (result >= 0) found;                                                                        \
    lane_leave(lane);                                                                              \
    return result;                                                                                 \
  }

int __poll_chk(struct pollfd *list, nfds_t count, int timeout, size_t room);
int __ppoll_chk(struct pollfd *list, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask, size_t room);

POLLER(poll, (struct pollfd * list, nfds_t count, int timeout), (list, count, timeout), timeout,
       list_found(lane, list, count))
POLLER(ppoll,
       (struct pollfd * list, nfds_t count, const struct timespec *timeout, const sigset_t *mask),
       (list, count, timeout, mask), of_timespec(timeout), list_found(lane, list, count))
POLLER(__poll_chk, (struct pollfd * list, nfds_t count, int timeout, size_t room),
       (list, count, timeout, room), timeout, list_found(lane, list, count))
POLLER(__ppoll_chk,
       (struct pollfd * list, nfds_t count, const struct timespec *timeout, const sigset_t *mask,
        size_t room),
       (list, count, timeout, mask, room), of_timespec(timeout), list_found(lane, list, count))

#define SETS                                                                                       \
  (sets_t) { readable, writable, exceptional }
POLLER(select,
       (int count, fd_set *readable, fd_set *writable, fd_set *exceptional,
        struct timeval *timeout),
       (count, readable, writable, exceptional, timeout), of_timeval(timeout),
       sets_found(lane, SETS, count, result))
POLLER(pselect,
       (int count, fd_set *readable, fd_set *writable, fd_set *exceptional,
        const struct timespec *timeout, const sigset_t *mask),
       (count, readable, writable, exceptional, timeout, mask), of_timespec(timeout),
       sets_found(lane, SETS, count, result))

HOOK_ALIAS(__poll, poll)
HOOK_ALIAS(__select, select)
