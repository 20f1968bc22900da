// SPDX-License-Identifier: Apache-2.0
// Locks that are about to be taken or released, fetched ahead. A program with thousands of them
// takes them all over its memory, and so do its lock, its sites and its newest holds here: one
// after the other, each would be a miss of every cache. In stages, for a place is only known when
// what names it has come. Always inline: gcc 12 drops calls of functions that only prefetch.
#include "analyzer/models/lock_history.h"

typedef struct {
  const lock_t *lock;
  const reader_event_t *event;
} found_t;

enum { FEW = 256, AHEAD = 64, LINE = 64, NESTED = 8 };

// What a thread will hold after some of the events to come, probably.
typedef struct {
  uint32_t thread, count;
  const lock_t *locks[NESTED];
  dependency_lock_t items[NESTED];
} foreseen_t;

static bool takes_or_releases(const reader_event_t *event) {
  return event->kind == TRACE_LOCK_ACQUIRE || event->kind == TRACE_LOCK_RELEASE ||
         event->kind == TRACE_LOCK_WAIT;
}

static uint32_t fetch_locks(const locks_t *locks, const reader_event_t *events, size_t count,
                            found_t found[AHEAD]) {
  uint32_t wanted = 0;
  for (size_t i = 0; i < count; ++i) {
    lock_t *const *lock = takes_or_releases(&events[i])
                              ? address_map_get(&locks->by_address, events[i].words[0])
                              : NULL;
    if (!lock) continue;
    for (size_t at = 0; at < offsetof(lock_t, readers); at += LINE)
      __builtin_prefetch((const char *)*lock + at);
    found[wanted++] = (found_t){*lock, &events[i]};
  }
  return wanted;
}

static inline __attribute__((always_inline)) void fetch_behind(const lock_t *lock) {
  if (lock->sites.last < lock->sites.count)
    __builtin_prefetch(&lock->sites.items[lock->sites.last]);
  __builtin_prefetch(lock->history);
}

static inline __attribute__((always_inline)) void
fetch_history(const struct lock_history *history) {
  __builtin_prefetch(&history->holds[history->hold_count % history->hold_size]);
}

// ---- dependencies ------------------------------------------------------------------------------

static lock_mode_t mode_of(const reader_event_t *event) {
  return event->arg & TRACE_LOCK_SHARED ? LOCK_MODE_SHARED : LOCK_MODE_EXCLUSIVE;
}

// From what the thread holds now. Of more than NESTED locks nothing is foreseen.
static void foresee(const locks_t *locks, uint32_t thread, foreseen_t *foreseen) {
  const held_locks_t *held = thread < locks->held_capacity ? &locks->held[thread] : NULL;
  foreseen->thread = thread;
  foreseen->count = held && held->count <= NESTED ? held->count : 0;
  for (uint32_t at = 0; at < foreseen->count; ++at) {
    const held_lock_t *item = &held->items[at];
    foreseen->locks[at] = item->lock;
    foreseen->items[at] = lock_dependency(item->lock, item->stack, item->mode);
  }
}

static void foresee_acquire(foreseen_t *foreseen, const found_t *found,
                            const dependency_lock_t *wanted) {
  if (foreseen->count == NESTED) return;
  foreseen->locks[foreseen->count] = found->lock;
  foreseen->items[foreseen->count++] = *wanted;
}

static void foresee_release(foreseen_t *foreseen, const lock_t *lock) {
  for (uint32_t at = foreseen->count; at-- > 0;) {
    if (foreseen->locks[at] != lock) continue;
    for (--foreseen->count; at < foreseen->count; ++at) {
      foreseen->locks[at] = foreseen->locks[at + 1];
      foreseen->items[at] = foreseen->items[at + 1];
    }
    return;
  }
}

static uint32_t fetch_keys(const locks_t *locks, const found_t *found, uint32_t count,
                           uint64_t keys[AHEAD]) {
  foreseen_t foreseen = {0};
  uint32_t wanted_count = 0;
  for (uint32_t at = 0; at < count; ++at) {
    const reader_event_t *event = found[at].event;
    if (event->thread != foreseen.thread) foresee(locks, event->thread, &foreseen);
    if (event->kind == TRACE_LOCK_RELEASE) {
      foresee_release(&foreseen, found[at].lock);
      continue;
    }
    const dependency_lock_t wanted = lock_dependency(found[at].lock, event->stack, mode_of(event));
    if (foreseen.count && !(event->arg & TRACE_LOCK_TRY))
      keys[wanted_count++] =
          dependencies_fetch_key(locks->dependencies, &wanted, foreseen.items, foreseen.count);
    foresee_acquire(&foreseen, &found[at], &wanted);
  }
  return wanted_count;
}

static void fetch_dependencies(const locks_t *locks, const found_t *found, uint32_t count) {
  uint64_t keys[AHEAD];
  const dependency_t *entries[AHEAD];
  const uint32_t wanted = fetch_keys(locks, found, count, keys);
  for (uint32_t at = 0; at < wanted; ++at)
    entries[at] = dependencies_fetch_entry(locks->dependencies, keys[at]);
  for (uint32_t at = 0; at < wanted; ++at)
    if (entries[at]) dependency_fetch_occurrences(entries[at]);
}

static void fetch(const locks_t *locks, const reader_event_t *events, size_t count) {
  found_t found[AHEAD];
  for (size_t i = 0; i < count; ++i)
    if (takes_or_releases(&events[i])) address_map_prefetch(&locks->by_address, events[i].words[0]);
  const uint32_t wanted = fetch_locks(locks, events, count, found);
  for (uint32_t at = 0; at < wanted; ++at) fetch_behind(found[at].lock);
  for (uint32_t at = 0; at < wanted; ++at)
    if (found[at].lock->history) fetch_history(found[at].lock->history);
  fetch_dependencies(locks, found, wanted);
}

void locks_fetch(const locks_t *locks, const reader_event_t *events, size_t count) {
  if (locks->by_address.count < FEW) return;
  for (size_t at = 0; at < count; at += AHEAD)
    fetch(locks, events + at, count - at < AHEAD ? count - at : AHEAD);
}
