// SPDX-License-Identifier: Apache-2.0
// What a program does with descriptors that are in an epoll set.
#include "preload/hooks/descriptor.h"
#include "preload/hooks/hooks.h"

#include <errno.h>

_Atomic uint64_t descriptor_watched[DESCRIPTORS / 64];

// A hook for a call on descriptor `number`, which may block.
#define TRANSFER(type, name, parameters, arguments, number, KIND, has_stack)                       \
  HOOK(descriptor, type, name, parameters, arguments) {                                            \
    if (!descriptor_is_watched(number)) return real_##name arguments;                              \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    lane_t *lane = lane_enter(&origin, TRACE_##KIND);                                              \
    if (!lane) return real_##name arguments;                                                       \
    hook_wait_t wait;                                                                              \
    hook_wait_begin(&wait, lane, &origin, TRACE_PENDING_##KIND, (unsigned)(number), 0);            \
    const type result = real_##name arguments;                                                     \
    lane = hook_wait_end(&wait, &origin);                                                          \
    if (lane) {                                                                                    \
      const uint32_t stack = (has_stack) ? lane_stack(lane, &origin) : 0;                          \
      lane_record(lane, TRACE_##KIND, stack, (unsigned)(number), wait.now, 2,                      \
                  trace_zigzag(result < 0 ? -errno : result), wait.ticks, 0);                      \
      lane_leave(lane);                                                                            \
    }                                                                                              \
    return result;                                                                                 \
  }

TRANSFER(ssize_t, read, (int descriptor, void *buffer, size_t size), (descriptor, buffer, size),
         descriptor, READ, false)
TRANSFER(ssize_t, write, (int descriptor, const void *buffer, size_t size),
         (descriptor, buffer, size), descriptor, WRITE, false)
TRANSFER(int, accept, (int listener, struct sockaddr *address, socklen_t *length),
         (listener, address, length), listener, ACCEPT, true)
TRANSFER(int, accept4, (int listener, struct sockaddr *address, socklen_t *length, int flags),
         (listener, address, length, flags), listener, ACCEPT, true)

// The mark goes before the call: after it the number may already be another's. close(2) frees the
// number whatever it returns, unless there was nothing to free. A vfork child closes its own.
HOOK(descriptor, int, close, (int descriptor), (descriptor)) {
  if (!descriptor_is_watched(descriptor) || !process_is_recorded()) return real_close(descriptor);
  const stacks_origin_t origin = STACKS_ORIGIN();
  lane_t *lane = lane_enter(&origin, TRACE_CLOSE);
  descriptor_unwatch(descriptor);
  if (lane) {
    lane_record0(lane, TRACE_CLOSE, 0, (unsigned)descriptor);
    lane_leave(lane);
  }
  return real_close(descriptor);
}
