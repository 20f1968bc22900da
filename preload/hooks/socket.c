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

// An accept that has returned.
typedef struct {
  int listener, connection;
  int error;      // 0 or an errno
  bool is_ours;   // not of a vfork child
  bool is_drawn;  // connections of this listener are sampled, `how` says whether this one is
  unsigned how;
  uint64_t since, ticks;
} accepted_t;

// Of a loop's connections where they are sampled: whether this one is recorded. With its first one
// a listener leaves those of which each turn is recorded.
static void accept_draw(lane_t *lane, accepted_t *accepted) {
  if (!accepted->is_ours || !lane->loops || !descriptor_is_watched(accepted->listener)) return;
  const bool first = !descriptor_add(&descriptor_parent, accepted->listener);
  if (first) loop_sample_unregister(accepted->listener);
  accepted->is_drawn = true;
  accepted->how = loop_sample_draw(lane, first);
}

// Nothing came, as the first time that is in the record already.
static bool is_refused_again(const accepted_t *accepted) {
  return accepted->error == EAGAIN && descriptor_add(&descriptor_refused, accepted->listener);
}

// Of most calls in a loop no more is kept than sums.
static bool accept_passes(lane_t *lane, const stacks_origin_t *origin, const accepted_t *accepted) {
  if (!lane->loops || !loop_sample_sums(lane, accepted->listener)) return false;
  const bool out = accepted->is_drawn && accepted->how == TRACE_SAMPLED_OUT;
  const bool passes = accepted->ticks < recorder_wait_ticks && (out || is_refused_again(accepted));
  loop_sample_asked(lane, origin, accepted->listener, passes && out, accepted->since,
                    accepted->is_drawn && accepted->how == TRACE_SAMPLED_CERTAIN);
  if (passes && out) loop_sample_count_out(lane);
  if (!passes) loop_sample_unfold(lane);
  return passes;
}

static void accept_record(lane_t *lane, const stacks_origin_t *origin, const accepted_t *accepted,
                          uint64_t now) {
  lane_record(lane, TRACE_ACCEPT, lane_stack(lane, origin), (unsigned)accepted->listener, now, 2,
              trace_zigzag(accepted->error ? -accepted->error : accepted->connection),
              accepted->ticks, 0);
  if (accepted->is_drawn) loop_sample_tell(lane, accepted->connection, accepted->how);
}

// The connection is recorded from here on.
static void accept_keep(lane_t *lane, int listener, int connection) {
  descriptor_add(&descriptor_known, connection);
  descriptor_add(&descriptor_named, connection);
  // haproxy reads before it asks epoll, which for a short connection may be never.
  if (descriptor_is_watched(listener)) descriptor_watch(connection);
  description_record(lane, connection, NULL, 0);
}

// `blocks`: calls on the connection may, as it was asked for.
static void accept_end(hook_wait_t *wait, const stacks_origin_t *origin, int listener,
                       int connection, bool blocks) {
  accepted_t accepted = {
      .listener = listener, .connection = connection, .error = connection < 0 ? errno : 0};
  lane_t *lane = hook_wait_end(wait, origin);
  if (!lane) return;
  accepted.is_ours = connection >= 0 && process_is_recorded();
  accepted.since = wait->since;
  accepted.ticks = wait->ticks;
  accept_draw(lane, &accepted);
  if (!accept_passes(lane, origin, &accepted)) accept_record(lane, origin, &accepted, wait->now);
  if (accepted.is_drawn && accepted.how == TRACE_SAMPLED_OUT)
    descriptor_skip(connection, blocks);
  else if (accepted.is_ours)
    accept_keep(lane, listener, connection);
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

// Of a connection out of the sample, of which nothing else is known either: it is on its way, or
// was when it was asked for again.
static bool connect_passes(int descriptor, int error, uint64_t ticks) {
  return descriptor_is_skipped(descriptor) && ticks < recorder_wait_ticks &&
         (error == 0 || error == EINPROGRESS || error == EALREADY || error == EISCONN);
}

// The kernel has read the address, unless it says that it cannot be.
static void connected(hook_wait_t *wait, const stacks_origin_t *origin, int descriptor,
                      const struct sockaddr *address, socklen_t length, int result) {
  const int error = result < 0 ? errno : 0;
  lane_t *lane = hook_wait_end(wait, origin);
  if (!lane) return;
  const bool kept = (error == 0 || error == EINPROGRESS) && process_is_recorded() &&
                    client_keeps(lane, descriptor, address, length, error != 0);
  if (connect_passes(descriptor, error, wait->ticks)) {
    lane_leave(lane);
    return;
  }
  if (descriptor_is_skipped(descriptor)) {
    loop_sample_unfold(lane);
    loop_sample_name(lane, descriptor);
  }
  lane_record(lane, TRACE_CONNECT, lane_stack(lane, origin), (unsigned)descriptor, wait->now, 2,
              trace_zigzag(-error), wait->ticks, 0);
  if (kept) {
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
  descriptor_open_late(lane, descriptor);
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
