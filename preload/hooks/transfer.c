// SPDX-License-Identifier: Apache-2.0
// Reading from and writing to descriptors that are watched: which one, how much, how long. Of all
// others, and of what is read and written, nothing is recorded.
#include "preload/hooks/descriptor.h"
#include "preload/loop_sample.h"
#include "preload/system.h"

#include <errno.h>
#include <fcntl.h>

// A transfer on its way through the real call.
typedef struct {
  int descriptor;
  unsigned kind;  // TRACE_READ, TRACE_WRITE
  hook_wait_t wait;
} transfer_t;

static bool transfer_begin(transfer_t *transfer, const stacks_origin_t *origin, int descriptor,
                           unsigned kind) {
  lane_t *lane = lane_enter(origin, kind);
  if (!lane) return false;
  transfer->descriptor = descriptor;
  transfer->kind = kind;
  hook_wait_begin(&transfer->wait, lane, origin,
                  kind == TRACE_READ ? TRACE_PENDING_READ : TRACE_PENDING_WRITE,
                  (unsigned)descriptor, 0);
  if (unlikely(lane->loops != NULL) && !descriptor_is_skipped(descriptor))
    loop_sample_met(lane->loops, descriptor, origin->ip, transfer->wait.since);
  return true;
}

// What took long tells where it was, and whether it can have blocked: one that cannot has lost the
// processor.
static void transfer_slow(lane_t *lane, const stacks_origin_t *origin, int descriptor) {
  const long flags = system_call(SYS_fcntl, descriptor, F_GETFL);
  const bool nonblocking = !system_failed(flags) && flags & O_NONBLOCK;
  lane_record1(lane, TRACE_TRANSFER_SLOW, lane_stack_take(lane, origin), (unsigned)descriptor,
               nonblocking);
}

// `amount`: bytes, or negative where errno says why not.
static void transfer_end(transfer_t *transfer, const stacks_origin_t *origin, int64_t amount) {
  lane_t *lane = hook_wait_end(&transfer->wait, origin);
  if (!lane) return;
  const bool is_long = transfer->wait.ticks >= recorder_wait_ticks;
  if (is_long) {
    loop_sample_unfold(lane);
    loop_sample_name(lane, transfer->descriptor);
    transfer_slow(lane, origin, transfer->descriptor);
  } else if (descriptor_is_skipped(transfer->descriptor)) {
    lane_leave(lane);
    return;
  }
  lane_record(lane, transfer->kind, 0, (unsigned)transfer->descriptor, transfer->wait.now, 2,
              trace_zigzag(amount < 0 ? -errno : amount), transfer->wait.ticks, 0);
  lane_leave(lane);
}

// Whether nothing of the call is recorded: the descriptor is none of a loop, or out of the sample
// and does not block.
static inline bool transfer_passes(const stacks_origin_t *origin, int descriptor) {
  if (descriptor_is_watched(descriptor)) return false;
  if (!descriptor_is_skipped(descriptor)) return true;
  loop_sample_touch(origin, descriptor);
  return !descriptor_in(&descriptor_timed, descriptor);
}

#define TRANSFER(KIND, type, name, parameters, arguments, amount)                                  \
  HOOK(descriptor, type, name, parameters, arguments) {                                            \
    const stacks_origin_t origin = HOOK_WAIT_ORIGIN();                                             \
    if (transfer_passes(&origin, descriptor)) return real_##name arguments;                        \
    transfer_t transfer;                                                                           \
    if (!transfer_begin(&transfer, &origin, descriptor, TRACE_##KIND))                             \
      return real_##name arguments;                                                                \
    const type result = real_##name arguments;                                                     \
    transfer_end(&transfer, &origin, amount);                                                      \
    return result;                                                                                 \
  }

TRANSFER(READ, ssize_t, read, (int descriptor, void *buffer, size_t size),
         (descriptor, buffer, size), result)
TRANSFER(READ, ssize_t, readv, (int descriptor, const struct iovec *parts, int count),
         (descriptor, parts, count), result)
TRANSFER(READ, ssize_t, recv, (int descriptor, void *buffer, size_t size, int flags),
         (descriptor, buffer, size, flags), result)
TRANSFER(READ, ssize_t, recvfrom,
         (int descriptor, void *buffer, size_t size, int flags, struct sockaddr *address,
          socklen_t *length),
         (descriptor, buffer, size, flags, address, length), result)
TRANSFER(READ, ssize_t, recvmsg, (int descriptor, struct msghdr *message, int flags),
         (descriptor, message, flags), result)
TRANSFER(WRITE, ssize_t, write, (int descriptor, const void *buffer, size_t size),
         (descriptor, buffer, size), result)
TRANSFER(WRITE, ssize_t, writev, (int descriptor, const struct iovec *parts, int count),
         (descriptor, parts, count), result)
TRANSFER(WRITE, ssize_t, send, (int descriptor, const void *buffer, size_t size, int flags),
         (descriptor, buffer, size, flags), result)
TRANSFER(WRITE, ssize_t, sendto,
         (int descriptor, const void *buffer, size_t size, int flags,
          const struct sockaddr *address, socklen_t length),
         (descriptor, buffer, size, flags, address, length), result)
TRANSFER(WRITE, ssize_t, sendmsg, (int descriptor, const struct msghdr *message, int flags),
         (descriptor, message, flags), result)
TRANSFER(WRITE, ssize_t, sendfile, (int descriptor, int source, off_t *offset, size_t size),
         (descriptor, source, offset, size), result)
TRANSFER(WRITE, ssize_t, sendfile64, (int descriptor, int source, off64_t *offset, size_t size),
         (descriptor, source, offset, size), result)

// What a program compiled with _FORTIFY_SOURCE calls. `room`: the size of its buffer.
ssize_t __read_chk(int descriptor, void *buffer, size_t size, size_t room);
ssize_t __recv_chk(int descriptor, void *buffer, size_t size, size_t room, int flags);
ssize_t __recvfrom_chk(int descriptor, void *buffer, size_t size, size_t room, int flags,
                       struct sockaddr *address, socklen_t *length);
TRANSFER(READ, ssize_t, __read_chk, (int descriptor, void *buffer, size_t size, size_t room),
         (descriptor, buffer, size, room), result)
TRANSFER(READ, ssize_t, __recv_chk,
         (int descriptor, void *buffer, size_t size, size_t room, int flags),
         (descriptor, buffer, size, room, flags), result)
TRANSFER(READ, ssize_t, __recvfrom_chk,
         (int descriptor, void *buffer, size_t size, size_t room, int flags,
          struct sockaddr *address, socklen_t *length),
         (descriptor, buffer, size, room, flags, address, length), result)

// A counter: read and written by libc itself.
TRANSFER(READ, int, eventfd_read, (int descriptor, eventfd_t *value), (descriptor, value),
         result < 0 ? -1 : (int64_t)sizeof *value)
TRANSFER(WRITE, int, eventfd_write, (int descriptor, eventfd_t value), (descriptor, value),
         result < 0 ? -1 : (int64_t)sizeof value)

// ---- several messages at once --------------------------------------------------------------

static int64_t bytes_of(const struct mmsghdr *messages, int count) {
  if (count < 0) return count;
  int64_t bytes = 0;
  for (int i = 0; i < count; i++) bytes += messages[i].msg_len;
  return bytes;
}

TRANSFER(READ, int, recvmmsg,
         (int descriptor, struct mmsghdr *messages, unsigned count, int flags,
          struct timespec *limit),
         (descriptor, messages, count, flags, limit), bytes_of(messages, result))
TRANSFER(WRITE, int, sendmmsg,
         (int descriptor, struct mmsghdr *messages, unsigned count, int flags),
         (descriptor, messages, count, flags), bytes_of(messages, result))

// ---- from one to another -------------------------------------------------------------------

// A write where the descriptor it goes to is watched, else a read of the one that it comes from.
HOOK(descriptor, ssize_t, splice,
     (int source, off64_t *source_offset, int descriptor, off64_t *offset, size_t size,
      unsigned flags),
     (source, source_offset, descriptor, offset, size, flags)) {
  const bool writes = descriptor_is_watched(descriptor);
  const stacks_origin_t origin = HOOK_WAIT_ORIGIN();
  transfer_t transfer;
  if ((!writes && !descriptor_is_watched(source)) ||
      !transfer_begin(&transfer, &origin, writes ? descriptor : source,
                      writes ? TRACE_WRITE : TRACE_READ))
    return real_splice(source, source_offset, descriptor, offset, size, flags);
  const ssize_t result = real_splice(source, source_offset, descriptor, offset, size, flags);
  transfer_end(&transfer, &origin, result);
  return result;
}

HOOK_ALIAS(__read, read)
HOOK_ALIAS(__write, write)
HOOK_ALIAS(__send, send)
