// SPDX-License-Identifier: Apache-2.0
// Connections: listening for them, taking and making them, shutting them down.
#include "preload/hooks/client.h"
#include "preload/hooks/description.h"
#include "preload/hooks/descriptor.h"
#include "preload/loop_sample.h"

#include <errno.h>

// ---- taking them ---------------------------------------------------------------------------

static bool accept_begin(hook_wait_t *wait, const stacks_origin_t *origin, int listener) {
  lane_t *lane = lane_enter(origin, TRACE_ACCEPT);
  if (lane) hook_wait_begin(wait, lane, origin, TRACE_PENDING_ACCEPT, (unsigned)listener, 0);
  return lane;
}

// Of a loop's connections where they are sampled: whether this one is recorded.
static bool accept_keeps(lane_t *lane, int listener, int connection) {
  if (!lane->loops || !descriptor_is_watched(listener)) return true;
  return loop_sample_keeps(lane, connection, !descriptor_add(&descriptor_parent, listener));
}

// `blocks`: calls on the connection may, as it was asked for.
static void accept_end(hook_wait_t *wait, const stacks_origin_t *origin, int listener,
                       int connection, bool blocks) {
  const uint64_t result = trace_zigzag(connection < 0 ? -errno : connection);
  lane_t *lane = hook_wait_end(wait, origin);
  if (!lane) return;
  lane_record(lane, TRACE_ACCEPT, lane_stack(lane, origin), (unsigned)listener, wait->now, 2,
              result, wait->ticks, 0);
  if (connection >= 0 && process_is_recorded() && !accept_keeps(lane, listener, connection)) {
    descriptor_skip(connection, blocks);
  } else if (connection >= 0 && process_is_recorded()) {
    descriptor_add(&descriptor_known, connection);
    descriptor_add(&descriptor_named, connection);
    // haproxy reads before it asks epoll, which for a short connection may be never.
    if (descriptor_is_watched(listener)) descriptor_watch(connection);
    description_record(lane, connection, NULL, 0);
  }
  lane_leave(lane);
}

#define ACCEPTER(name, parameters, arguments, blocks)                                              \
  HOOK(descriptor, int, name, parameters, arguments) {                                             \
    const stacks_origin_t origin = HOOK_WAIT_ORIGIN();                                             \
    hook_wait_t wait;                                                                              \
    if (!accept_begin(&wait, &origin, listener)) return real_##name arguments;                     \
    const int connection = real_##name arguments;                                                  \
    accept_end(&wait, &origin, listener, connection, blocks);                                      \
    return connection;                                                                             \
  }

ACCEPTER(accept, (int listener, struct sockaddr *address, socklen_t *length),
         (listener, address, length), true)
ACCEPTER(accept4, (int listener, struct sockaddr *address, socklen_t *length, int flags),
         (listener, address, length, flags), !(flags & SOCK_NONBLOCK))

// ---- making them ---------------------------------------------------------------------------

// The kernel has read the address, unless it says that it cannot be.
static void connected(hook_wait_t *wait, const stacks_origin_t *origin, int descriptor,
                      const struct sockaddr *address, socklen_t length, int result) {
  const int error = result < 0 ? errno : 0;
  lane_t *lane = hook_wait_end(wait, origin);
  if (!lane) return;
  lane_record(lane, TRACE_CONNECT, lane_stack(lane, origin), (unsigned)descriptor, wait->now, 2,
              trace_zigzag(-error), wait->ticks, 0);
  if ((error == 0 || error == EINPROGRESS) && process_is_recorded() &&
      client_keeps(lane, descriptor, address, length, error != 0)) {
    // A handler of a loop may wait for whom it asked in turn, without any loop.
    descriptor_watch(descriptor);
    descriptor_add(&descriptor_named, descriptor);
    description_record(lane, descriptor, address, length);
  }
  lane_leave(lane);
}

HOOK(descriptor, int, connect, (int descriptor, const struct sockaddr *address, socklen_t length),
     (descriptor, address, length)) {
  const stacks_origin_t origin = HOOK_WAIT_ORIGIN();
  lane_t *lane = lane_enter(&origin, TRACE_CONNECT);
  if (!lane) return real_connect(descriptor, address, length);
  hook_wait_t wait;
  hook_wait_begin(&wait, lane, &origin, TRACE_PENDING_CONNECT, (unsigned)descriptor, 0);
  const int result = real_connect(descriptor, address, length);
  connected(&wait, &origin, descriptor, address, length, result);
  return result;
}

HOOK(descriptor, int, listen, (int descriptor, int backlog), (descriptor, backlog)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  const int result = real_listen(descriptor, backlog);
  if (result != 0 || !process_is_recorded()) return result;
  lane_t *lane = lane_enter(&origin, TRACE_LISTEN);
  if (!lane) return result;
  lane_record1(lane, TRACE_LISTEN, lane_stack_lock(lane, &origin, 0), (unsigned)descriptor,
               (unsigned)backlog);
  descriptor_remove(&descriptor_fresh, descriptor);
  descriptor_add(&descriptor_named, descriptor);
  description_record(lane, descriptor, NULL, 0);
  lane_leave(lane);
  return result;
}

HOOK(descriptor, int, shutdown, (int descriptor, int how), (descriptor, how)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  lane_t *lane = lane_enter(&origin, TRACE_SHUTDOWN);
  if (lane) {
    lane_record1(lane, TRACE_SHUTDOWN, 0, (unsigned)descriptor, (unsigned)how);
    lane_leave(lane);
  }
  return real_shutdown(descriptor, how);
}

HOOK_ALIAS(__connect, connect)
