// SPDX-License-Identifier: Apache-2.0
// Condition variables: waits and signals, and waits that keep another lock from everybody else.
#include "analyzer/models/array.h"
#include "analyzer/models/locks_private.h"

#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

static condition_t *condition_of(locks_t *locks, uint64_t address) {
  condition_t **place = address_map_put(&locks->conditions, address);
  if (*place) return *place;
  condition_t *condition = *place = array_zeroed(1, sizeof *condition);
  condition->address = address;
  ARRAY_RESERVE(locks->condition_list, locks->condition_capacity, locks->condition_count + 1);
  return locks->condition_list[locks->condition_count++] = condition;
}

static uint64_t hazard_key(const held_lock_t *held, uint32_t mutex, uint32_t stack) {
  uint64_t parts[3] = {lock_class(held->lock), mutex, (uint64_t)stack << 32 | held->stack};
  return XXH3_64bits(parts, sizeof parts) | 1;
}

static condition_hazard_t *hazard_of(locks_t *locks, uint64_t key) {
  uint64_t *index = address_map_put(&locks->hazard_keys, key);
  if (!*index) {
    ARRAY_RESERVE(locks->hazards, locks->hazard_capacity, locks->hazard_count + 1);
    *index = ++locks->hazard_count;
  }
  return &locks->hazards[*index - 1];
}

// Shared holds count as well: a writer that must pass them to signal never will.
static void note_hazard(locks_t *locks, uint32_t thread, const held_lock_t *held, lock_t *mutex,
                        uint64_t condition, uint32_t stack, uint64_t time, bool signalled) {
  uint64_t class_of_mutex = lock_class(mutex);
  condition_hazard_t *hazard =
      hazard_of(locks, hazard_key(held, (uint32_t)(class_of_mutex >> 32), stack));
  if (!hazard->count++) {
    *hazard = (condition_hazard_t){.thread = thread,
                                   .held = held->lock->id,
                                   .held_stack = held->stack,
                                   .mutex = mutex->id,
                                   .stack = stack,
                                   .condition = condition,
                                   .count = 1,
                                   .first_ns = time};
    ++held->lock->references;
    ++mutex->references;
  }
  hazard->last_ns = time;
  hazard->signalled += signalled;
}

// Whoever signals may post it: nothing is kept from him.
static bool is_semaphore(const lock_t *lock) {
  return (lock->bits & TRACE_LOCK_WHAT) == TRACE_LOCK_SEMAPHORE;
}

static void check_hazard(locks_t *locks, uint32_t thread, uint64_t condition, uint64_t mutex,
                         uint32_t stack, uint64_t time, bool signalled) {
  const held_locks_t *held = lock_held_by(locks, thread);
  lock_t *lock = (lock_t *)locks_at(locks, mutex);
  for (uint32_t at = 0; lock && at < held->count; ++at)
    if (held->items[at].lock != lock && !is_semaphore(held->items[at].lock))
      note_hazard(locks, thread, &held->items[at], lock, condition, stack, time, signalled);
}

static void step_wait(locks_t *locks, const reader_event_t *event) {
  condition_t *condition = condition_of(locks, event->words[0]);
  uint64_t wait = event->words[2];
  locks->waited_with = (lock_t *)locks_at(locks, event->words[1]);
  ++condition->waits;
  if (event->arg && trace_unzigzag(event->arg) == -ETIMEDOUT) ++condition->timeouts;
  histogram_add(&condition->wait_ns, wait);
  site_table_add(&condition->waiters, 0, event->stack, wait);
  check_hazard(locks, event->thread, event->words[0], event->words[1], event->stack,
               wait < event->time ? event->time - wait : 0, !event->arg);
}

void lock_condition_step(locks_t *locks, const reader_event_t *event) {
  if (!event->words[0]) return;
  if (event->kind == TRACE_COND_WAIT) {
    step_wait(locks, event);
    return;
  }
  condition_t *condition = condition_of(locks, event->words[0]);
  condition->last_signal_ns = event->time;
  condition->last_signal_stack = event->stack;
  if (event->arg)
    ++condition->broadcasts;
  else
    ++condition->signals;
}

void locks_condition_woken(locks_t *locks, const wakeup_t *wakeup) {
  condition_t *condition = condition_of(locks, wakeup->object);
  lock_t *mutex = locks->waited_with;
  uint64_t held_by_others = 0, after = wakeup->until - wakeup->woke;
  if (mutex && mutex->history)
    held_by_others = lock_charge(locks, mutex, wakeup->woken, wakeup->woke, wakeup->until, true);
  if (held_by_others) {
    ++mutex->reacquires;
    mutex->reacquire_ns += held_by_others;
  }
  histogram_add(&condition->signal_ns, wakeup->woke - wakeup->from);
  histogram_add(&condition->mutex_ns, held_by_others);
  condition->latency_ns += after - held_by_others;
  site_table_add(&condition->signallers, 0, wakeup->stack, after);
}

void lock_condition_pending(locks_t *locks, uint32_t thread, const thread_pending_t *pending,
                            uint64_t end_ns) {
  if (!pending->object) return;
  condition_t *condition = condition_of(locks, pending->object);
  uint64_t wait = end_ns > pending->since_ns ? end_ns - pending->since_ns : 0;
  ++condition->waits;
  histogram_add(&condition->wait_ns, wait);
  site_table_add(&condition->waiters, 0, pending->stack, wait);
  check_hazard(locks, thread, pending->object, pending->second, pending->stack, pending->since_ns,
               false);
}

void lock_conditions_free(locks_t *locks) {
  for (uint32_t at = 0; at < locks->condition_count; ++at) {
    histogram_clear(&locks->condition_list[at]->wait_ns);
    histogram_clear(&locks->condition_list[at]->signal_ns);
    histogram_clear(&locks->condition_list[at]->mutex_ns);
    site_table_clear(&locks->condition_list[at]->waiters);
    site_table_clear(&locks->condition_list[at]->signallers);
    free(locks->condition_list[at]);
  }
  address_map_clear(&locks->conditions);
  address_map_clear(&locks->hazard_keys);
  free(locks->condition_list);
  free(locks->hazards);
}

const condition_t *locks_condition_at(const locks_t *locks, uint64_t address) {
  condition_t **condition = address_map_get(&locks->conditions, address);
  return condition ? *condition : NULL;
}

uint32_t locks_condition_count(const locks_t *locks) { return locks->condition_count; }

const condition_t *locks_condition(const locks_t *locks, uint32_t index) {
  return locks->condition_list[index];
}

uint32_t locks_hazard_count(const locks_t *locks) { return locks->hazard_count; }

const condition_hazard_t *locks_hazard(const locks_t *locks, uint32_t index) {
  return &locks->hazards[index];
}
