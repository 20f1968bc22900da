// SPDX-License-Identifier: Apache-2.0
// Deadlocks that a time limit ended: threads that waited at one moment, each for what the next one
// held. When the first of them gives up, what it wanted and held is remembered for a while, and so
// is what those do whose waits had begun before and end later: the last one closes the circle.
#include "analyzer/models/array.h"
#include "analyzer/models/locks_private.h"

#include <stdlib.h>

// ---- findings ----------------------------------------------------------------------------------

static bool is_same(const lock_standoff_t *a, const lock_standoff_t *b) {
  if (a->leg_count != b->leg_count) return false;
  for (uint32_t leg = 0; leg < a->leg_count; ++leg)
    if (a->legs[leg].wants != b->legs[leg].wants ||
        a->legs[leg].wants_stack != b->legs[leg].wants_stack)
      return false;
  return true;
}

// Of the same locks at the same sites there is one, with a count.
static lock_standoff_t *standoff_of(locks_t *locks, const lock_standoff_t *wanted) {
  for (uint32_t at = 0; at < locks->standoff_count; ++at)
    if (is_same(&locks->standoffs[at], wanted)) return &locks->standoffs[at];
  if (locks->standoff_count == LOCK_STANDOFFS_MAX) return NULL;
  ARRAY_RESERVE(locks->standoffs, locks->standoff_capacity, locks->standoff_count + 1);
  return &locks->standoffs[locks->standoff_count++];
}

static void note(locks_t *locks, const lock_standoff_t *found) {
  lock_standoff_t *known = standoff_of(locks, found);
  if (!known) return;
  if (known->count) {
    ++known->count;
    return;
  }
  *known = *found;
  for (uint32_t leg = 0; leg < found->leg_count; ++leg) {
    lock_t *lock = (lock_t *)locks_get(locks, found->legs[leg].wants);
    if (lock) ++lock->references;
  }
}

// ---- search ------------------------------------------------------------------------------------

// Waits that were under way at the moment at which `path[0]` gave up; each wants what the next one
// holds.
typedef struct {
  const locks_t *locks;
  const ended_wait_t *last;  // the wait that ended just now
  const ended_wait_t *path[LOCK_STANDOFF_LEGS];
  uint32_t count;
} circle_t;

static const ended_hold_t *hold_of(const ended_wait_t *wait, uint32_t lock) {
  for (uint32_t at = 0; at < wait->held_count; ++at)
    if (wait->held[at].lock == lock) return &wait->held[at];
  return NULL;
}

static bool may_follow(const circle_t *circle, const ended_wait_t *wait) {
  uint64_t moment = circle->path[0]->until_ns;
  if (!wait->leg.thread || wait->leg.from_ns >= moment || wait->until_ns < moment) return false;
  for (uint32_t at = 0; at < circle->count; ++at)
    if (circle->path[at]->leg.thread == wait->leg.thread) return false;
  return hold_of(wait, circle->path[circle->count - 1]->leg.wants);
}

static bool is_closed(const circle_t *circle) {
  bool has_last = false;
  for (uint32_t at = 0; at < circle->count; ++at) has_last |= circle->path[at] == circle->last;
  return has_last && hold_of(circle->path[0], circle->path[circle->count - 1]->leg.wants);
}

// Depth is at most LOCK_STANDOFF_LEGS.
static bool find_circle(circle_t *circle) {
  if (is_closed(circle)) return true;
  if (circle->count == LOCK_STANDOFF_LEGS) return false;
  for (uint32_t at = 0; at <= LOCK_ENDED_WAITS; ++at) {
    const ended_wait_t *next =
        at == LOCK_ENDED_WAITS ? circle->last : &circle->locks->ended_waits[at];
    if (!may_follow(circle, next)) continue;
    circle->path[circle->count++] = next;
    if (find_circle(circle)) return true;
    --circle->count;
  }
  return false;
}

static void note_circle(locks_t *locks, const circle_t *circle) {
  lock_standoff_t found = {
      .leg_count = circle->count, .until_ns = circle->path[0]->until_ns, .count = 1};
  for (uint32_t at = 0; at < circle->count; ++at) {
    uint32_t before = circle->path[(at + circle->count - 1) % circle->count]->leg.wants;
    found.legs[at] = circle->path[at]->leg;
    found.legs[at].holds = before;
    found.legs[at].holds_stack = hold_of(circle->path[at], before)->stack;
  }
  note(locks, &found);
}

// ---- events ------------------------------------------------------------------------------------

static ended_wait_t describe(locks_t *locks, const lock_t *lock, const reader_event_t *event,
                             bool gave_up) {
  uint64_t wait = event->words[1];
  const held_locks_t *held = lock_held_by(locks, event->thread);
  ended_wait_t ended = {.leg = {.thread = event->thread,
                                .wants = lock->id,
                                .wants_stack = event->stack,
                                .from_ns = wait < event->time ? event->time - wait : 0},
                        .until_ns = event->time,
                        .gave_up = gave_up};
  for (uint32_t at = held->count; at-- > 0 && ended.held_count < LOCK_ENDED_HELD;)
    if (held->items[at].mode == LOCK_MODE_EXCLUSIVE)
      ended.held[ended.held_count++] =
          (ended_hold_t){held->items[at].lock->id, held->items[at].stack};
  return ended;
}

void lock_standoff_step(locks_t *locks, const lock_t *lock, const reader_event_t *event,
                        bool gave_up) {
  if (event->arg & TRACE_LOCK_SHARED || !lock_held_by(locks, event->thread)->count) return;
  if (!gave_up && !locks->ended_next) return;
  ended_wait_t ended = describe(locks, lock, event, gave_up);
  bool keep = gave_up;
  for (unsigned at = 0; at < LOCK_ENDED_WAITS; ++at) {
    const ended_wait_t *first = &locks->ended_waits[at];
    if (!first->gave_up || first->until_ns <= ended.leg.from_ns) continue;
    keep = true;
    circle_t circle = {.locks = locks, .last = &ended, .path = {first}, .count = 1};
    if (find_circle(&circle)) note_circle(locks, &circle);
  }
  if (keep) locks->ended_waits[locks->ended_next++ % LOCK_ENDED_WAITS] = ended;
}

uint32_t locks_standoff_count(const locks_t *locks) { return locks->standoff_count; }

const lock_standoff_t *locks_standoff(const locks_t *locks, uint32_t index) {
  return &locks->standoffs[index];
}
