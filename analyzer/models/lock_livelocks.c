// SPDX-License-Identifier: Apache-2.0
// Livelocks: threads that each hold a lock, try the one that the next of them holds, fail, perhaps
// give up their own for a moment, and try again, thousands of times.
//
// A thread's failures in a row, with the same lock in hand, are a streak; it ends when the thread
// gets the lock. Streaks that go on at one time and close a circle are a livelock. Whoever tries a
// lock that others merely hold long is in none, nor is who tries it now and then.
#include "analyzer/models/array.h"
#include "analyzer/models/locks_private.h"

#include <errno.h>
#include <stdlib.h>

enum { TRIES_LEAST = 1000, LIVELOCKS_MAX = 64 };
#define PERIOD_MOST_NS UINT64_C(1000000)

static lock_streak_t *streak_of(locks_t *locks, uint32_t thread) {
  ARRAY_RESERVE(locks->streaks, locks->streak_capacity, thread + 1);
  return &locks->streaks[thread];
}

// ---- livelocks ---------------------------------------------------------------------------------

typedef struct {
  const locks_t *locks;
  uint32_t path[LOCK_STANDOFF_LEGS];  // threads: each wants what the next one holds
  uint32_t count;
} circle_t;

static const lock_streak_t *streak_at(const circle_t *circle, uint32_t at) {
  return &circle->locks->streaks[circle->path[at]];
}

static bool is_long(const lock_streak_t *streak) {
  return streak->leg.count >= TRIES_LEAST &&
         (streak->leg.last_ns - streak->leg.first_ns) / streak->leg.count <= PERIOD_MOST_NS;
}

// Half of the first one's streak at least was at the same time.
static bool is_together(const lock_streak_t *first, const lock_streak_t *other) {
  uint64_t from = first->leg.first_ns, until = first->leg.last_ns;
  uint64_t both_from = other->leg.first_ns > from ? other->leg.first_ns : from;
  uint64_t both_until = other->leg.last_ns < until ? other->leg.last_ns : until;
  return both_until > both_from && (both_until - both_from) >= (until - from) / 2;
}

static bool may_follow(const circle_t *circle, uint32_t thread) {
  const lock_streak_t *streak = &circle->locks->streaks[thread];
  if (!is_long(streak) || streak->leg.holds != streak_at(circle, circle->count - 1)->leg.wants ||
      !is_together(streak_at(circle, 0), streak))
    return false;
  for (uint32_t at = 0; at < circle->count; ++at)
    if (circle->path[at] == thread) return false;
  return true;
}

// Depth is at most LOCK_STANDOFF_LEGS.
static bool find_circle(circle_t *circle) {
  uint32_t wants = streak_at(circle, circle->count - 1)->leg.wants;
  if (circle->count > 1 && streak_at(circle, 0)->leg.holds == wants) return true;
  if (circle->count == LOCK_STANDOFF_LEGS) return false;
  for (uint32_t thread = 1; thread < circle->locks->streak_capacity; ++thread) {
    if (!may_follow(circle, thread)) continue;
    circle->path[circle->count++] = thread;
    if (find_circle(circle)) return true;
    --circle->count;
  }
  return false;
}

static uint64_t key_of(const circle_t *circle) {
  uint64_t key = 0;
  for (uint32_t at = 0; at < circle->count; ++at) {
    const lock_streak_t *streak = streak_at(circle, at);
    key +=
        (uint64_t)streak->leg.wants_stack * UINT64_C(0x9e3779b97f4a7c15) ^ streak->leg.holds_stack;
  }
  return key;
}

static lock_livelock_t *livelock_of(locks_t *locks, const circle_t *circle) {
  uint64_t key = key_of(circle);
  for (uint32_t at = 0; at < locks->livelock_count; ++at)
    if (locks->livelocks[at].key == key && locks->livelocks[at].leg_count == circle->count)
      return &locks->livelocks[at];
  if (locks->livelock_count == LIVELOCKS_MAX) return NULL;
  ARRAY_RESERVE(locks->livelocks, locks->livelock_capacity, locks->livelock_count + 1);
  lock_livelock_t *livelock = &locks->livelocks[locks->livelock_count++];
  *livelock = (lock_livelock_t){.key = key, .leg_count = circle->count};
  return livelock;
}

static void reference(locks_t *locks, uint32_t id) {
  lock_t *lock = (lock_t *)locks_get(locks, id);
  if (lock) ++lock->references;
}

static void note(locks_t *locks, const circle_t *circle) {
  lock_livelock_t *livelock = livelock_of(locks, circle);
  if (!livelock) return;
  ++livelock->count;
  livelock->over_ns = 0;
  for (uint32_t at = 0; at < circle->count; ++at) {
    lock_streak_t *streak = &locks->streaks[circle->path[at]];
    if (livelock->count == 1) {
      livelock->legs[at] = streak->leg;
      reference(locks, streak->leg.wants);
    }
    streak->livelock = (uint32_t)(livelock - locks->livelocks) + 1;
    streak->place = at;
  }
}

// ---- streaks -----------------------------------------------------------------------------------

// Of several livelocks of the same threads at the same places the longest is told.
static void tell(locks_t *locks, const lock_streak_t *streak, uint64_t over_ns) {
  if (!streak->livelock) return;
  lock_livelock_t *livelock = &locks->livelocks[streak->livelock - 1];
  if (streak->leg.count >= livelock->legs[streak->place].count)
    livelock->legs[streak->place] = streak->leg;
  if (over_ns && !livelock->over_ns) livelock->over_ns = over_ns;
}

static void begin(locks_t *locks, lock_streak_t *streak, const reader_event_t *event,
                  const held_lock_t *held, uint32_t wants) {
  tell(locks, streak, event->time);
  *streak = (lock_streak_t){.leg = {.thread = event->thread,
                                    .wants = wants,
                                    .wants_stack = event->stack,
                                    .holds = held->lock->id,
                                    .holds_stack = held->stack,
                                    .first_ns = event->time}};
}

void lock_livelock_failed(locks_t *locks, const lock_t *lock, const reader_event_t *event,
                          uint32_t weight) {
  const held_locks_t *held = lock_held_by(locks, event->thread);
  if (!held->count || trace_unzigzag(event->words[2]) != -EBUSY) return;
  const held_lock_t *newest = &held->items[held->count - 1];
  lock_streak_t *streak = streak_of(locks, event->thread);
  if (streak->leg.wants != lock->id || streak->leg.holds != newest->lock->id)
    begin(locks, streak, event, newest, lock->id);
  uint64_t before = streak->leg.count;
  streak->leg.count += weight;
  streak->leg.last_ns = event->time;
  if (streak->livelock || before / TRIES_LEAST == streak->leg.count / TRIES_LEAST) return;
  circle_t circle = {.locks = locks, .path = {event->thread}, .count = 1};
  if (is_long(streak) && find_circle(&circle)) note(locks, &circle);
}

void lock_livelock_acquired(locks_t *locks, const lock_t *lock, const reader_event_t *event) {
  if (event->thread >= locks->streak_capacity) return;
  lock_streak_t *streak = &locks->streaks[event->thread];
  if (streak->leg.wants != lock->id) return;
  const held_locks_t *held = lock_held_by(locks, event->thread);
  if (!held->count) return;  // it begins with the other one this time
  tell(locks, streak, event->time);
  *streak = (lock_streak_t){0};
}

void lock_livelock_finish(locks_t *locks) {
  for (uint32_t thread = 0; thread < locks->streak_capacity; ++thread)
    tell(locks, &locks->streaks[thread], 0);
}

void lock_livelock_close(locks_t *locks) {
  free(locks->streaks);
  free(locks->livelocks);
}

uint32_t locks_livelock_count(const locks_t *locks) { return locks->livelock_count; }

const lock_livelock_t *locks_livelock(const locks_t *locks, uint32_t index) {
  return &locks->livelocks[index];
}
