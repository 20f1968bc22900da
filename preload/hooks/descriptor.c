// SPDX-License-Identifier: Apache-2.0
// Where descriptors come from, and where they go. A vfork child has its own: what it opens and
// closes is not recorded, and changes nothing of what is known here.
#include "preload/hooks/descriptor.h"
#include "preload/loop_sample.h"
#include "preload/settings.h"
#include "preload/system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/mman.h>

descriptor_set_t descriptor_watched, descriptor_known, descriptor_tasks;
descriptor_set_t descriptor_skipped, descriptor_timed, descriptor_parent;
descriptor_set_t descriptor_untold, descriptor_fresh, descriptor_unopened;
descriptor_set_t descriptor_opened_out;

// ---- tasks -----------------------------------------------------------------------------------

static _Atomic uint64_t tasks_live;

bool descriptor_is_task(int descriptor) {
  return settings.max_tasks == 0 || descriptor_in(&descriptor_tasks, descriptor);
}

bool descriptor_task_begin(int descriptor) {
  if (descriptor_is_task(descriptor)) return true;
  if (atomic_fetch_add(&tasks_live, 1) < settings.max_tasks) {
    descriptor_add(&descriptor_tasks, descriptor);
    return true;
  }
  atomic_fetch_sub(&tasks_live, 1);
  descriptor_unwatch(descriptor);
  return false;
}

void descriptor_task_end(int descriptor) {
  if (settings.max_tasks == 0 || descriptor < 0 || descriptor >= DESCRIPTORS ||
      !descriptor_in(&descriptor_tasks, descriptor))
    return;
  descriptor_remove(&descriptor_tasks, descriptor);
  atomic_fetch_sub(&tasks_live, 1);
}

// ---- the sample ------------------------------------------------------------------------------

void descriptor_skip(int descriptor, bool blocks) {
  if (blocks)
    descriptor_add(&descriptor_timed, descriptor);
  else
    descriptor_remove(&descriptor_timed, descriptor);
  descriptor_add(&descriptor_skipped, descriptor);
}

void descriptor_unskip(int descriptor) {
  if (!descriptor_is_skipped(descriptor)) return;
  descriptor_remove(&descriptor_skipped, descriptor);
  descriptor_remove(&descriptor_timed, descriptor);
  descriptor_remove(&descriptor_untold, descriptor);
  descriptor_remove(&descriptor_opened_out, descriptor);
  descriptor_remove(&descriptor_named, descriptor);
}

void descriptor_open_late(lane_t *lane, int descriptor) {
  if (!descriptor_in(&descriptor_unopened, descriptor)) return;
  descriptor_remove(&descriptor_unopened, descriptor);
  descriptor_add(&descriptor_known, descriptor);
  lane_record2(lane, TRACE_DESCRIPTOR_OPEN, 0, (unsigned)descriptor, TRACE_DESCRIPTOR_SOCKET,
               trace_zigzag(-1));
}

void descriptor_discard(int descriptor) {
  if (!descriptor_in(&descriptor_unopened, descriptor)) return;
  descriptor_remove(&descriptor_unopened, descriptor);
  descriptor_remove(&descriptor_fresh, descriptor);
}

void descriptor_note_flags(int descriptor, long flags) {
  if (flags & O_NONBLOCK)
    descriptor_remove(&descriptor_timed, descriptor);
  else
    descriptor_add(&descriptor_timed, descriptor);
}

void descriptor_look_whether_it_blocks(int descriptor) {
  const long flags = system_call(SYS_fcntl, descriptor, F_GETFL);
  if (!system_failed(flags)) descriptor_note_flags(descriptor, flags);
}

// In pages of their own.
__attribute__((aligned(4096))) descriptor_set_t descriptor_named, descriptor_listed;
__attribute__((aligned(4096))) descriptor_set_t descriptor_refused;
_Static_assert(sizeof descriptor_named % 4096 == 0, "nothing else is wiped with it");

void descriptor_start(void) {
  system_call(SYS_madvise, &descriptor_named, sizeof descriptor_named, MADV_WIPEONFORK);
  system_call(SYS_madvise, &descriptor_listed, sizeof descriptor_listed, MADV_WIPEONFORK);
  system_call(SYS_madvise, &descriptor_refused, sizeof descriptor_refused, MADV_WIPEONFORK);
}

// ---- beginnings ----------------------------------------------------------------------------

// What threads hand work and wake-ups through: written by one that need not wait there itself.
static bool is_queue(unsigned what) {
  return what == TRACE_DESCRIPTOR_PIPE || what == TRACE_DESCRIPTOR_PAIR ||
         what == TRACE_DESCRIPTOR_EVENT;
}

void descriptor_opened(const stacks_origin_t *origin, int descriptor, unsigned what, int other) {
  if (descriptor < 0 || !process_is_recorded()) return;
  if (is_queue(what)) descriptor_watch(descriptor);
  if (recorder_is_sampled && what == TRACE_DESCRIPTOR_SOCKET) {
    descriptor_add(&descriptor_fresh, descriptor);
    // Most of those that a loop opens are connections out of the sample.
    if (loop_sample_in_turn()) {
      descriptor_add(&descriptor_unopened, descriptor);
      return;
    }
  }
  descriptor_add(&descriptor_known, descriptor);
  lane_t *lane = lane_enter(origin, TRACE_DESCRIPTOR_OPEN);
  if (!lane) return;
  lane_record2(lane, TRACE_DESCRIPTOR_OPEN, lane_stack_lock(lane, origin, 0), (unsigned)descriptor,
               what, trace_zigzag(other));
  lane_leave(lane);
}

#define OPENER(name, parameters, arguments, what)                                                  \
  HOOK(descriptor, int, name, parameters, arguments) {                                             \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    const int descriptor = real_##name arguments;                                                  \
    descriptor_opened(&origin, descriptor, what, -1);                                              \
    return descriptor;                                                                             \
  }

OPENER(socket, (int family, int type, int protocol), (family, type, protocol),
       TRACE_DESCRIPTOR_SOCKET)
OPENER(eventfd, (unsigned value, int flags), (value, flags), TRACE_DESCRIPTOR_EVENT)
OPENER(timerfd_create, (clockid_t clock, int flags), (clock, flags), TRACE_DESCRIPTOR_TIMER)
OPENER(inotify_init, (void), (), TRACE_DESCRIPTOR_NOTIFY)
OPENER(inotify_init1, (int flags), (flags), TRACE_DESCRIPTOR_NOTIFY)

// With a descriptor of its own it only changes that one.
HOOK(descriptor, int, signalfd, (int descriptor, const sigset_t *mask, int flags),
     (descriptor, mask, flags)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  const int result = real_signalfd(descriptor, mask, flags);
  if (descriptor == -1) descriptor_opened(&origin, result, TRACE_DESCRIPTOR_SIGNAL, -1);
  return result;
}

#define PAIR_OPENER(name, parameters, arguments, what)                                             \
  HOOK(descriptor, int, name, parameters, arguments) {                                             \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    const int result = real_##name arguments;                                                      \
    if (result == 0) {                                                                             \
      descriptor_opened(&origin, ends[0], what, ends[1]);                                          \
      descriptor_opened(&origin, ends[1], what, ends[0]);                                          \
    }                                                                                              \
    return result;                                                                                 \
  }

PAIR_OPENER(pipe, (int ends[2]), (ends), TRACE_DESCRIPTOR_PIPE)
PAIR_OPENER(pipe2, (int ends[2], int flags), (ends, flags), TRACE_DESCRIPTOR_PIPE)
PAIR_OPENER(socketpair, (int family, int type, int protocol, int ends[2]),
            (family, type, protocol, ends), TRACE_DESCRIPTOR_PAIR)

// ---- ends ----------------------------------------------------------------------------------

static bool has_record(int descriptor) {
  return descriptor_is_watched(descriptor) || descriptor_in(&descriptor_known, descriptor);
}

static void closed(const stacks_origin_t *origin, int descriptor) {
  lane_t *lane = lane_enter(origin, TRACE_CLOSE);
  descriptor_remove(&descriptor_watched, descriptor);
  descriptor_task_end(descriptor);
  descriptor_remove(&descriptor_known, descriptor);
  descriptor_remove(&descriptor_named, descriptor);
  descriptor_remove(&descriptor_listed, descriptor);
  descriptor_remove(&descriptor_parent, descriptor);
  descriptor_remove(&descriptor_refused, descriptor);
  descriptor_remove(&descriptor_fresh, descriptor);
  descriptor_unskip(descriptor);
  loop_sample_unregister(descriptor);
  if (!lane) return;
  lane_record0(lane, TRACE_CLOSE, 0, (unsigned)descriptor);
  lane_leave(lane);
}

// The mark goes before the call: after it the number may already be another's. close(2) frees the
// number whatever it returns, unless there was nothing to free.
HOOK(descriptor, int, close, (int descriptor), (descriptor)) {
  const bool recorded = has_record(descriptor);
  const bool noted = recorded || descriptor_is_skipped(descriptor) ||
                     (recorder_is_sampled && descriptor_in(&descriptor_unopened, descriptor));
  if (!noted || !process_is_recorded()) return real_close(descriptor);
  descriptor_discard(descriptor);
  if (!recorded) {
    descriptor_unskip(descriptor);
    return real_close(descriptor);
  }
  const stacks_origin_t origin = STACKS_ORIGIN();
  closed(&origin, descriptor);
  return real_close(descriptor);
}

static void closed_range(const stacks_origin_t *origin, unsigned first, unsigned last) {
  if (last >= DESCRIPTORS) last = DESCRIPTORS - 1;
  for (unsigned at = first; at <= last; at++) {
    const unsigned word = at / 64;
    if (at % 64 == 0 &&
        !(atomic_load_explicit(&descriptor_watched.words[word], memory_order_relaxed) |
          atomic_load_explicit(&descriptor_skipped.words[word], memory_order_relaxed) |
          atomic_load_explicit(&descriptor_unopened.words[word], memory_order_relaxed) |
          atomic_load_explicit(&descriptor_known.words[word], memory_order_relaxed))) {
      at |= 63;  // none of these
      continue;
    }
    descriptor_discard((int)at);
    if (has_record((int)at))
      closed(origin, (int)at);
    else
      descriptor_unskip((int)at);
  }
}

HOOK(descriptor, int, close_range, (unsigned first, unsigned last, int flags),
     (first, last, flags)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  // With other flags it refuses, or closes nothing yet.
  const bool closes = !(flags & ~(int)CLOSE_RANGE_UNSHARE) && first <= last;
  if (closes && process_is_recorded()) closed_range(&origin, first, last);
  return real_close_range(first, last, flags);
}

HOOK(descriptor, void, closefrom, (int first), (first)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  if (process_is_recorded()) closed_range(&origin, first < 0 ? 0 : (unsigned)first, DESCRIPTORS);
  real_closefrom(first);
}

// ---- copies --------------------------------------------------------------------------------

// One that has a copy: both are recorded whole.
static void keep_whole(const stacks_origin_t *origin, int descriptor) {
  descriptor_remove(&descriptor_fresh, descriptor);
  if (!descriptor_in(&descriptor_unopened, descriptor)) return;
  lane_t *lane = lane_enter(origin, TRACE_DESCRIPTOR_OPEN);
  if (!lane) return;
  descriptor_open_late(lane, descriptor);
  lane_leave(lane);
}

// What took the place of another descriptor has closed that one.
static void copied(const stacks_origin_t *origin, int descriptor, int copy) {
  if (copy < 0 || copy == descriptor || !process_is_recorded()) return;
  if (has_record(copy)) closed(origin, copy);
  descriptor_discard(copy);
  descriptor_unskip(copy);
  keep_whole(origin, descriptor);
  if (descriptor_is_skipped(descriptor)) {
    descriptor_skip(copy, descriptor_in(&descriptor_timed, descriptor));
    return;
  }
  descriptor_opened(origin, copy, TRACE_DESCRIPTOR_COPY, descriptor);
  if (descriptor_is_watched(descriptor)) descriptor_watch(copy);
}

#define COPIER(name, parameters, arguments)                                                        \
  HOOK(descriptor, int, name, parameters, arguments) {                                             \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    const int result = real_##name arguments;                                                      \
    copied(&origin, descriptor, result);                                                           \
    return result;                                                                                 \
  }

COPIER(dup, (int descriptor), (descriptor))
COPIER(dup2, (int descriptor, int copy), (descriptor, copy))
COPIER(dup3, (int descriptor, int copy, int flags), (descriptor, copy, flags))

#define CONTROLLER(name)                                                                           \
  HOOK_UNPROTOTYPED(descriptor, int, name, (int descriptor, int command, long argument),           \
                    (descriptor, command, argument)) {                                             \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    const int result = real_##name(descriptor, command, argument);                                 \
    if (command == F_SETFL && descriptor_is_skipped(descriptor))                                   \
      descriptor_note_flags(descriptor, argument);                                                 \
    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) copied(&origin, descriptor, result);     \
    return result;                                                                                 \
  }

CONTROLLER(fcntl)
CONTROLLER(fcntl64)

HOOK_ALIAS(__close, close)
HOOK_ALIAS(__dup2, dup2)
HOOK_ALIAS(__pipe, pipe)
HOOK_ALIAS(__fcntl, fcntl)
