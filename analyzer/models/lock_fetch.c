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

enum { FEW = 256, AHEAD = 64, LINE = 64 };

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

static inline __attribute__((always_inline)) void fetch_behind(const lock_t *lock,
                                                               const reader_event_t *event) {
  if (lock->sites.last < lock->sites.count)
    __builtin_prefetch(&lock->sites.items[lock->sites.last]);
  __builtin_prefetch(lock->history);
  if (event->kind != TRACE_LOCK_RELEASE)
    dependency_places_fetch(&lock->places[event->thread % LOCK_PLACES]);
}

static inline __attribute__((always_inline)) void
fetch_history(const struct lock_history *history) {
  __builtin_prefetch(&history->holds[history->hold_count % history->hold_size]);
}

static void fetch(const locks_t *locks, const reader_event_t *events, size_t count) {
  found_t found[AHEAD];
  for (size_t i = 0; i < count; ++i)
    if (takes_or_releases(&events[i])) address_map_prefetch(&locks->by_address, events[i].words[0]);
  const uint32_t wanted = fetch_locks(locks, events, count, found);
  for (uint32_t at = 0; at < wanted; ++at) fetch_behind(found[at].lock, found[at].event);
  for (uint32_t at = 0; at < wanted; ++at)
    if (found[at].lock->history) fetch_history(found[at].lock->history);
}

void locks_fetch(const locks_t *locks, const reader_event_t *events, size_t count) {
  if (locks->by_address.count < FEW) return;
  for (size_t at = 0; at < count; at += AHEAD)
    fetch(locks, events + at, count - at < AHEAD ? count - at : AHEAD);
}
