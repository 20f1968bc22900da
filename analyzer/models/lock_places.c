// SPDX-License-Identifier: Apache-2.0
// Process-shared locks: one lock may be met at several addresses, of one process or of many. What
// it is, is the file and place behind them.
#include "analyzer/models/array.h"
#include "analyzer/models/locks_private.h"

#include <stdlib.h>
#include <xxhash.h>

static lock_place_t *place_at(const locks_t *locks, uint64_t address) {
  return locks->place_keys.count ? address_map_get(&locks->place_keys, address) : NULL;
}

static lock_t *lock_of(const locks_t *locks, uint64_t key) {
  lock_t **lock = address_map_get(&locks->places, key);
  return lock ? *lock : NULL;
}

lock_t *lock_place_find(locks_t *locks, uint64_t address) {
  const lock_place_t *place = place_at(locks, address);
  lock_t *lock = place ? lock_of(locks, place->key) : NULL;
  if (!lock) return NULL;
  ARRAY_RESERVE(lock->aliases, lock->alias_capacity, lock->alias_count + 1);
  lock->aliases[lock->alias_count++] = address;
  return *(lock_t **)address_map_put(&locks->by_address, address) = lock;
}

void lock_place_take(locks_t *locks, lock_t *lock) {
  const lock_place_t *place = place_at(locks, lock->address);
  if (!place) return;
  lock->place = place->key;
  lock->inode = place->inode;
  lock->offset = place->offset;
  *(lock_t **)address_map_put(&locks->places, place->key) = lock;
}

void lock_place_leave(locks_t *locks, lock_t *lock) {
  if (lock->place && lock_of(locks, lock->place) == lock)
    address_map_remove(&locks->places, lock->place, NULL);
  for (uint32_t at = 0; at < lock->alias_count; ++at)
    address_map_remove(&locks->by_address, lock->aliases[at], NULL);
  lock->alias_count = 0;
}

// What was met at `address` before it was known what lies there is the lock `other`.
static void join_locks(locks_t *locks, lock_t *lock, lock_t *other, uint64_t time) {
  uint64_t address = lock->address;
  if (!other->init_stack) other->init_stack = lock->init_stack;
  lock_end(locks, lock, LOCK_END_NONE, time, NULL);
  lock_place_find(locks, address);
}

void lock_place_step(locks_t *locks, const reader_event_t *event) {
  uint64_t address = event->words[0], parts[3] = {event->arg, event->words[1], event->words[2]};
  if (!address || !event->words[1]) return;
  lock_place_t *place = address_map_put(&locks->place_keys, address);
  *place = (lock_place_t){XXH3_64bits(parts, sizeof parts) | 1, event->words[1], event->words[2]};
  lock_t **known = address_map_get(&locks->by_address, address),
         *other = lock_of(locks, place->key);
  if (!known || (*known)->place) return;
  if (other && !lock_is_held(*known))
    join_locks(locks, *known, other, event->time);
  else if (!other)
    lock_place_take(locks, *known);
}
