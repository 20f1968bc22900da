// SPDX-License-Identifier: Apache-2.0
// Locks that were destroyed, or whose memory was given back, while they were in use.
//
// Of a plain mutex libc itself says so: its destruction is refused, and a failure follows in the
// same thread. Else it follows from who held the lock then. Events without a stamp stand no later
// than they happened, so a destruction may be read too early: unless it is stamped, or the holder's
// own, it must have been over, by a later stamp of its thread, when the lock was released.
#include "analyzer/models/array.h"
#include "analyzer/models/locks_private.h"

#include <errno.h>
#include <stdlib.h>

enum { MISUSES_MAX = 256 };

static bool may_be_misused(const lock_t *lock) {
  uint32_t what = lock->bits & TRACE_LOCK_WHAT;
  if (lock->bits & TRACE_LOCK_PROCESS_SHARED) return false;  // goes on in other processes
  return what == TRACE_LOCK_MUTEX || what == TRACE_LOCK_RWLOCK || what == TRACE_LOCK_SPIN;
}

static bool says_itself(const lock_t *lock) {
  return (lock->bits & TRACE_LOCK_WHAT) == TRACE_LOCK_MUTEX && !(lock->bits & TRACE_LOCK_ROBUST);
}

// ---- what is found -----------------------------------------------------------------------------

static uint64_t class_of(const locks_t *locks, uint32_t id) {
  const lock_t *lock = locks_get(locks, id);
  return lock ? lock_class(lock) : id;
}

static bool is_same(const locks_t *locks, const lock_misuse_t *a, const lock_misuse_t *b) {
  return a->end == b->end && a->waits == b->waits && a->by_stack == b->by_stack &&
         a->user_stack == b->user_stack && class_of(locks, a->lock) == class_of(locks, b->lock);
}

static void note(locks_t *locks, const lock_misuse_t *misuse) {
  for (uint32_t at = 0; at < locks->misuse_count; ++at) {
    lock_misuse_t *known = &locks->misuses[at];
    if (!is_same(locks, known, misuse)) continue;
    ++known->count;
    known->last_ns = misuse->last_ns;
    return;
  }
  if (locks->misuse_count == MISUSES_MAX) return;
  ARRAY_RESERVE(locks->misuses, locks->misuse_capacity, locks->misuse_count + 1);
  locks->misuses[locks->misuse_count++] = *misuse;
  lock_t *lock = (lock_t *)locks_get(locks, misuse->lock);
  if (lock) ++lock->references;
}

static lock_misuse_t describe(const lock_t *lock, const reader_event_t *event, lock_end_t end) {
  return (lock_misuse_t){.lock = lock->id,
                         .end = end,
                         .by = event->thread,
                         .by_stack = end == LOCK_END_DESTROYED ? event->stack : 0,
                         .first_ns = event->time,
                         .last_ns = event->time,
                         .count = 1};
}

static void set_user(lock_misuse_t *misuse, const lock_holder_t *holder, lock_mode_t mode) {
  misuse->user = holder->thread;
  misuse->user_stack = holder->stack;
  misuse->user_since_ns = holder->since_ns;
  misuse->mode = mode;
}

// ---- destructions that libc refuses ------------------------------------------------------------

// Whether it is refused, the thread's next event of a lock tells.
static void defer(locks_t *locks, const lock_t *lock, const reader_event_t *event) {
  lock_misuse_t misuse = describe(lock, event, LOCK_END_DESTROYED);
  set_user(&misuse, &lock->owner, LOCK_MODE_EXCLUSIVE);
  ARRAY_RESERVE(locks->destroying, locks->destroying_capacity, locks->destroying_count + 1);
  locks->destroying[locks->destroying_count++] = misuse;
}

static bool is_refusal(const reader_event_t *event) {
  return event->kind == TRACE_LOCK_FAIL && !(event->arg & TRACE_LOCK_TRY) && !event->words[1] &&
         (event->arg & TRACE_LOCK_WHAT) == TRACE_LOCK_MUTEX &&
         trace_unzigzag(event->words[2]) == -EBUSY;
}

void lock_misuse_settle(locks_t *locks, const reader_event_t *event) {
  for (uint32_t at = 0; at < locks->destroying_count; ++at) {
    lock_misuse_t misuse = locks->destroying[at];
    if (misuse.by != event->thread) continue;
    locks->destroying[at] = locks->destroying[--locks->destroying_count];
    lock_t *lock = (lock_t *)locks_get(locks, misuse.lock);
    misuse.refused = is_refusal(event) && lock && lock->address == event->words[0];
    if (misuse.refused)
      note(locks, &misuse);
    else if (lock && lock->end == LOCK_END_NONE)
      lock_end(locks, lock, LOCK_END_DESTROYED, misuse.last_ns, event);
    return;
  }
}

// By whom it was held is not known: since before the record, or by who waits for a condition.
void lock_misuse_refused(locks_t *locks, const lock_t *lock, const reader_event_t *event) {
  if (!is_refusal(event) || lock->owner.thread) return;
  lock_misuse_t misuse = describe(lock, event, LOCK_END_DESTROYED);
  misuse.refused = true;
  note(locks, &misuse);
}

// ---- destructions of what is held --------------------------------------------------------------

static bool is_over(const locks_t *locks, const lock_misuse_t *misuse) {
  return threads_get(locks->threads, misuse->by)->last_event_ns > misuse->last_ns;
}

// The holder had it before: what it did afterwards was read already.
static bool held_before(const locks_t *locks, const lock_holder_t *holder) {
  return holder->timed ||
         threads_get(locks->threads, holder->thread)->last_event_ns > holder->since_ns;
}

static void suspect(locks_t *locks, const lock_t *lock, const reader_event_t *event, lock_end_t end,
                    const lock_holder_t *holder, lock_mode_t mode) {
  if (!holder->thread) return;
  bool own = holder->thread == event->thread;
  if (!own && !held_before(locks, holder)) return;
  lock_suspect_t found = {describe(lock, event, end), lock->address};
  set_user(&found.misuse, holder, mode);
  if (own || event->timed) {
    note(locks, &found.misuse);
    return;
  }
  ARRAY_RESERVE(locks->suspects, locks->suspect_capacity, locks->suspect_count + 1);
  locks->suspects[locks->suspect_count++] = found;
}

static void suspect_holders(locks_t *locks, const lock_t *lock, const reader_event_t *event,
                            lock_end_t end) {
  suspect(locks, lock, event, end, &lock->owner, LOCK_MODE_EXCLUSIVE);
  for (uint32_t at = 0; at < lock->reader_count; ++at)
    suspect(locks, lock, event, end, &lock->readers[at], LOCK_MODE_SHARED);
}

bool lock_misuse_destroy(locks_t *locks, lock_t *lock, const reader_event_t *event) {
  if (!lock_is_held(lock) || !may_be_misused(lock)) return false;
  if (says_itself(lock)) {
    defer(locks, lock, event);
    return true;
  }
  suspect_holders(locks, lock, event, LOCK_END_DESTROYED);
  return false;
}

void lock_misuse_free(locks_t *locks, const lock_t *lock, const reader_event_t *event) {
  if (lock_is_held(lock) && may_be_misused(lock))
    suspect_holders(locks, lock, event, LOCK_END_FREED);
}

void lock_misuse_released(locks_t *locks, const reader_event_t *event) {
  for (uint32_t at = locks->suspect_count; at-- > 0;) {
    lock_suspect_t found = locks->suspects[at];
    if (found.misuse.user != event->thread || found.address != event->words[0]) continue;
    locks->suspects[at] = locks->suspects[--locks->suspect_count];
    if (is_over(locks, &found.misuse)) note(locks, &found.misuse);
  }
}

// ---- destructions of what somebody waits for ---------------------------------------------------

void lock_misuse_waited(locks_t *locks, const lock_t *lock, const lock_wait_t *wait) {
  const lock_former_t *former = address_map_get(&locks->generations, lock->address);
  if (!former || !may_be_misused(lock) || former->by == wait->thread) return;
  if (former->end != LOCK_END_DESTROYED && former->end != LOCK_END_FREED) return;
  lock_misuse_t misuse = {.lock = locks_get(locks, former->lock) ? former->lock : lock->id,
                          .end = former->end,
                          .waits = true,
                          .user = wait->thread,
                          .user_stack = wait->stack,
                          .user_since_ns = wait->from_ns,
                          .by = former->by,
                          .by_stack = former->by_stack,
                          .first_ns = former->at_ns,
                          .last_ns = former->at_ns,
                          .count = 1};
  if (wait->from_ns >= former->at_ns || wait->until_ns <= former->at_ns) return;
  if (wait->pending || former->timed || is_over(locks, &misuse)) note(locks, &misuse);
}

// ---- end ---------------------------------------------------------------------------------------

// What was not released until the end was held all the while.
void lock_misuse_finish(locks_t *locks) {
  for (uint32_t at = 0; at < locks->suspect_count; ++at)
    if (!threads_get(locks->threads, locks->suspects[at].misuse.user)->lost)
      note(locks, &locks->suspects[at].misuse);
  locks->suspect_count = 0;
}

void lock_misuse_close(locks_t *locks) {
  free(locks->misuses);
  free(locks->suspects);
  free(locks->destroying);
}

uint32_t locks_misuse_count(const locks_t *locks) { return locks->misuse_count; }

const lock_misuse_t *locks_misuse(const locks_t *locks, uint32_t index) {
  return &locks->misuses[index];
}
