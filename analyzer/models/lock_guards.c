// SPDX-License-Identifier: Apache-2.0
// Locks that guard whole threads: whoever creates a thread and joins it inside one section of a
// lock keeps all that the thread does inside that section.
//
// A thread is given what its creator holds then, and what guards the creator. A guard is kept where
// its owner joins the thread in the same section, or somebody does of whom that is true.
#include "analyzer/models/array.h"
#include "analyzer/models/locks_private.h"

#include <stdlib.h>

enum { GUARDS_MAX = 8, CHAIN_MAX = 10000 };

static const thread_guards_t *guards_find(const locks_t *locks, uint32_t thread) {
  static const thread_guards_t none;
  return thread < locks->guards_capacity ? &locks->guards[thread] : &none;
}

static thread_guards_t *guards_of(locks_t *locks, uint32_t thread) {
  ARRAY_RESERVE(locks->guards, locks->guards_capacity, thread + 1);
  return &locks->guards[thread];
}

// ---- creation ----------------------------------------------------------------------------------

static bool may_guard(const held_lock_t *held) {
  uint32_t what = held->lock->bits & TRACE_LOCK_WHAT;
  return what == TRACE_LOCK_MUTEX || what == TRACE_LOCK_RWLOCK || what == TRACE_LOCK_SPIN;
}

static thread_guards_t guards_given(locks_t *locks, uint32_t creator) {
  const thread_guards_t *own = guards_find(locks, creator);
  const held_locks_t *held = lock_held_by(locks, creator);
  thread_guards_t given = {0};
  if (!held->count && !own->count) return given;
  given.items = array_resize(NULL, GUARDS_MAX, sizeof *given.items);
  for (uint32_t at = held->count; at-- > 0 && given.count < GUARDS_MAX;)
    if (may_guard(&held->items[at]))
      given.items[given.count++] = (lock_guard_t){.lock = held->items[at].lock->id,
                                                  .owner = creator,
                                                  .mode = held->items[at].mode,
                                                  .section = held->items[at].section};
  for (uint32_t at = 0; at < own->count && given.count < GUARDS_MAX; ++at) {
    given.items[given.count] = own->items[at];
    given.items[given.count++].kept = false;
  }
  return given;
}

static void give(thread_guards_t *to, const thread_guards_t *given) {
  free(to->items);
  *to = *given;
}

void lock_guards_create(locks_t *locks, uint32_t creator, uint32_t created, uint64_t handle) {
  thread_guards_t given = guards_given(locks, creator);
  thread_guards_t *waiting = address_map_get(&locks->guards_waiting, handle);
  if (!created && (given.count || waiting))
    give(address_map_put(&locks->guards_waiting, handle), &given);
  else if (created && given.count)
    give(guards_of(locks, created), &given);
  else
    free(given.items);
}

void lock_guards_start(locks_t *locks, uint32_t thread, uint64_t handle) {
  thread_guards_t given;
  if (!address_map_remove(&locks->guards_waiting, handle, &given)) return;
  if (given.count)
    give(guards_of(locks, thread), &given);
  else
    free(given.items);
}

// ---- join --------------------------------------------------------------------------------------

static bool in_section(const locks_t *locks, const lock_guard_t *guard) {
  const held_locks_t *held = &locks->held[guard->owner];
  for (uint32_t at = 0; at < held->count; ++at)
    if (held->items[at].section == guard->section) return true;
  return false;
}

void lock_guards_join(locks_t *locks, uint32_t joiner, uint32_t joined) {
  if (joined >= locks->guards_capacity || !locks->guards[joined].count) return;
  thread_guards_t *guards = &locks->guards[joined];
  guards->joined_by = joiner;
  for (uint32_t at = 0; at < guards->count; ++at)
    if (guards->items[at].owner == joiner && in_section(locks, &guards->items[at]))
      guards->items[at].kept = true;
}

static const lock_guard_t *same_guard(const thread_guards_t *guards, const lock_guard_t *guard) {
  for (uint32_t at = 0; at < guards->count; ++at)
    if (guards->items[at].section == guard->section) return &guards->items[at];
  return NULL;
}

// Whoever joined it ended inside the section, too.
static bool is_kept(const locks_t *locks, const thread_guards_t *guards,
                    const lock_guard_t *guard) {
  for (uint32_t steps = 0; guard && !guard->kept; ++steps) {
    if (!guards->joined_by || guards->joined_by == guard->owner || steps == CHAIN_MAX) return false;
    guards = guards_find(locks, guards->joined_by);
    guard = same_guard(guards, guard);
  }
  return guard;
}

void lock_guards_finish(locks_t *locks) {
  for (uint32_t thread = 0; thread < locks->guards_capacity; ++thread) {
    thread_guards_t *guards = &locks->guards[thread];
    for (uint32_t at = 0; at < guards->count; ++at)
      guards->items[at].kept = is_kept(locks, guards, &guards->items[at]);
  }
}

void lock_guards_free(locks_t *locks) {
  size_t position = 0;
  uint64_t handle;
  for (thread_guards_t *waiting;
       (waiting = address_map_next(&locks->guards_waiting, &position, &handle));)
    free(waiting->items);
  address_map_clear(&locks->guards_waiting);
  for (uint32_t thread = 0; thread < locks->guards_capacity; ++thread)
    free(locks->guards[thread].items);
  free(locks->guards);
}

uint32_t locks_guards(const locks_t *locks, uint32_t thread, const lock_guard_t **guards) {
  *guards = guards_find(locks, thread)->items;
  return guards_find(locks, thread)->count;
}
