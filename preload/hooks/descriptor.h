// SPDX-License-Identifier: Apache-2.0
// What is known of descriptors, as sets of their numbers.
//   watched  is, or was, in an epoll set or a poll, or was accepted from one that is, or was
//            connected, or is a pipe, pair or eventfd: what is read and written there is recorded
//   known    its beginning was recorded: so is its end
//   named    its name was recorded
//   listed   an epoll instance of which it was recorded what is in it
//   skipped  a connection out of the sample (loop_sample.h): nothing of it is recorded
//   timed    of these one whose calls may block, which is recorded where they do
//   untold   of these one that the program opened and no loop has met: it is not counted
//   fresh    a socket of which it is not decided whether it is in the sample
//   unopened of these one whose beginning is not recorded, unless it is in the sample
//   opened_out a connection out of the sample that the program opened itself
//   parent   a listener that has given a connection: the first is in the sample
//   refused  a listener of which it is recorded that an accept found nothing
//   tasks    is registered with an epoll instance, where INSPECT_MAX_TASKS limits how many are kept
#ifndef PRELOAD_HOOKS_DESCRIPTOR_H
#define PRELOAD_HOOKS_DESCRIPTOR_H

#include "preload/hooks/hooks.h"
#include "preload/lock_sample.h"

enum { DESCRIPTORS = 1 << 20 };  // numbers beyond are always watched
typedef struct {
  _Atomic uint64_t words[DESCRIPTORS / 64];
} descriptor_set_t;
extern descriptor_set_t descriptor_watched, descriptor_known, descriptor_named, descriptor_listed;
extern descriptor_set_t descriptor_tasks;
extern descriptor_set_t descriptor_skipped, descriptor_timed, descriptor_parent;
extern descriptor_set_t descriptor_untold, descriptor_fresh, descriptor_unopened;
extern descriptor_set_t descriptor_opened_out, descriptor_refused;

static inline uint64_t descriptor_bit(int descriptor) { return UINT64_C(1) << (descriptor % 64); }

static inline bool descriptor_in(const descriptor_set_t *set, int descriptor) {
  if (descriptor < 0) return false;
  if (descriptor >= DESCRIPTORS) return true;
  return atomic_load_explicit(&set->words[descriptor / 64], memory_order_relaxed) &
         descriptor_bit(descriptor);
}

// Returns whether it was in the set already.
static inline bool descriptor_add(descriptor_set_t *set, int descriptor) {
  if (descriptor < 0 || descriptor >= DESCRIPTORS || descriptor_in(set, descriptor))
    return descriptor >= DESCRIPTORS || descriptor_in(set, descriptor);
  return atomic_fetch_or_explicit(&set->words[descriptor / 64], descriptor_bit(descriptor),
                                  memory_order_relaxed) &
         descriptor_bit(descriptor);
}

static inline void descriptor_remove(descriptor_set_t *set, int descriptor) {
  if (descriptor < 0 || descriptor >= DESCRIPTORS || !descriptor_in(set, descriptor)) return;
  atomic_fetch_and_explicit(&set->words[descriptor / 64], ~descriptor_bit(descriptor),
                            memory_order_relaxed);
}

static inline bool descriptor_is_watched(int descriptor) {
  return descriptor_in(&descriptor_watched, descriptor);
}
static inline bool descriptor_watch(int descriptor) {
  return descriptor_add(&descriptor_watched, descriptor);
}
static inline void descriptor_unwatch(int descriptor) {
  descriptor_remove(&descriptor_watched, descriptor);
}

static inline bool descriptor_is_skipped(int descriptor) {
  return unlikely(recorder_is_sampled) && (unsigned)descriptor < DESCRIPTORS &&
         descriptor_in(&descriptor_skipped, descriptor);
}
// It is out of the sample until it ends. `blocks`: calls on it may.
void descriptor_skip(int descriptor, bool blocks);
// Its number means another from now on. Nothing where it was in the sample.
void descriptor_unskip(int descriptor);
// A fresh socket is recorded after all, or is no fresh one any more: its beginning is in the record
// from here on. With the lane entered.
void descriptor_open_late(lane_t *lane, int descriptor);
// A fresh socket whose beginning is not recorded is gone.
void descriptor_discard(int descriptor);
// Whether calls on one that is skipped may block, by what the kernel says of it; by `flags`
// (F_SETFL).
void descriptor_look_whether_it_blocks(int descriptor);
void descriptor_note_flags(int descriptor, long flags);

// A forked child begins with no name recorded, and no epoll instance listed. Called once, before
// anything is recorded; without it (before Linux 4.14) what a child has inherited has no name in
// its trace, and is no task of it.
void descriptor_start(void);

// A descriptor is about to be registered with an epoll instance. False where as many are kept as
// INSPECT_MAX_TASKS allows: nothing is to be recorded of this one until it ends.
bool descriptor_task_begin(int descriptor);
// It is closed, or was not registered after all.
void descriptor_task_end(int descriptor);
// Whether what happens to it is recorded.
bool descriptor_is_task(int descriptor);

// A descriptor came to be; `other` as DESCRIPTOR_OPEN has it, -1: none. Nothing for a negative one.
// `errno` untouched.
void descriptor_opened(const stacks_origin_t *origin, int descriptor, unsigned what, int other);

#endif
