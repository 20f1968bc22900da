// SPDX-License-Identifier: Apache-2.0
// Deadlocks that a time limit ended: two threads that waited at one moment, each for what the other
// held. When the first of them gives up, what it wanted and held is remembered for a while; whose
// wait ends next is asked whether it was the other one.
#include "analyzer/models/array.h"
#include "analyzer/models/locks_private.h"

#include <stdlib.h>

static bool holds(const held_locks_t *held, const lock_t *lock, uint32_t *stack) {
  for (uint32_t at = 0; at < held->count; ++at) {
    if (held->items[at].lock != lock || held->items[at].mode != LOCK_MODE_EXCLUSIVE) continue;
    *stack = held->items[at].stack;
    return true;
  }
  return false;
}

// Of the same locks at the same sites there is one, with a count.
static lock_standoff_t *standoff_of(locks_t *locks, const lock_standoff_t *wanted) {
  for (uint32_t at = 0; at < locks->standoff_count; ++at) {
    lock_standoff_t *known = &locks->standoffs[at];
    if (known->legs[0].wants == wanted->legs[0].wants &&
        known->legs[1].wants == wanted->legs[1].wants &&
        known->legs[0].wants_stack == wanted->legs[0].wants_stack &&
        known->legs[1].wants_stack == wanted->legs[1].wants_stack)
      return known;
  }
  if (locks->standoff_count == LOCK_STANDOFFS_MAX) return NULL;
  ARRAY_RESERVE(locks->standoffs, locks->standoff_capacity, locks->standoff_count + 1);
  return &locks->standoffs[locks->standoff_count++];
}

static void note(locks_t *locks, const gave_up_t *first, const gave_up_holds_t *kept,
                 const lock_standoff_leg_t *second) {
  lock_standoff_t found = {.legs = {first->leg, *second}, .until_ns = first->until_ns, .count = 1};
  found.legs[0].holds = second->wants;
  found.legs[0].holds_stack = kept->stack;
  lock_standoff_t *known = standoff_of(locks, &found);
  if (!known) return;
  if (known->count) {
    ++known->count;
    return;
  }
  *known = found;
  for (unsigned leg = 0; leg < 2; ++leg) {
    lock_t *lock = (lock_t *)locks_get(locks, found.legs[leg].wants);
    if (lock) ++lock->references;
  }
}

// The other one of `first`, if this wait is.
static void compare(locks_t *locks, const gave_up_t *first, const lock_t *lock,
                    const lock_standoff_leg_t *leg, uint64_t until) {
  lock_standoff_leg_t second = *leg;
  const lock_t *wanted = locks_get(locks, first->leg.wants);
  if (first->leg.thread == leg->thread || first->until_ns <= leg->from_ns ||
      until <= first->leg.from_ns || !wanted)
    return;
  if (!holds(lock_held_by(locks, leg->thread), wanted, &second.holds_stack)) return;
  second.holds = wanted->id;
  for (uint32_t at = 0; at < first->held_count; ++at)
    if (first->held[at].lock == lock->id) note(locks, first, &first->held[at], &second);
}

static void remember(locks_t *locks, const lock_standoff_leg_t *leg, uint64_t until) {
  gave_up_t *place = &locks->gave_up[locks->gave_up_next++ % LOCK_GAVE_UP];
  const held_locks_t *held = lock_held_by(locks, leg->thread);
  *place = (gave_up_t){.leg = *leg, .until_ns = until};
  for (uint32_t at = held->count; at-- > 0 && place->held_count < LOCK_GAVE_UP_HELD;)
    if (held->items[at].mode == LOCK_MODE_EXCLUSIVE)
      place->held[place->held_count++] =
          (gave_up_holds_t){held->items[at].lock->id, held->items[at].stack};
}

void lock_standoff_step(locks_t *locks, const lock_t *lock, const reader_event_t *event,
                        bool gave_up) {
  if (event->arg & TRACE_LOCK_SHARED || !lock_held_by(locks, event->thread)->count) return;
  uint64_t wait = event->words[1];
  lock_standoff_leg_t leg = {.thread = event->thread,
                             .wants = lock->id,
                             .wants_stack = event->stack,
                             .from_ns = wait < event->time ? event->time - wait : 0};
  for (unsigned at = 0; at < LOCK_GAVE_UP; ++at)
    if (locks->gave_up[at].leg.thread) compare(locks, &locks->gave_up[at], lock, &leg, event->time);
  if (gave_up) remember(locks, &leg, event->time);
}

uint32_t locks_standoff_count(const locks_t *locks) { return locks->standoff_count; }

const lock_standoff_t *locks_standoff(const locks_t *locks, uint32_t index) {
  return &locks->standoffs[index];
}
