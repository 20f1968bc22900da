// SPDX-License-Identifier: Apache-2.0
// Who holds which lock: acquire, release, and the lock order that follows from both.
#include "analyzer/models/array.h"
#include "analyzer/models/locks_private.h"

#include <stdlib.h>

bool lock_has_owner(const lock_t *lock) {
  switch (lock->bits & TRACE_LOCK_WHAT) {
  case TRACE_LOCK_MUTEX:
  case TRACE_LOCK_RWLOCK:
  case TRACE_LOCK_SPIN:
  case TRACE_LOCK_ONCE:
  case TRACE_LOCK_FILE:
    return true;
  case TRACE_LOCK_SEMAPHORE:
    return lock->owned;
  default:
    return false;
  }
}

bool lock_is_contention(const lock_t *lock) {
  bool semaphore = (lock->bits & TRACE_LOCK_WHAT) == TRACE_LOCK_SEMAPHORE;
  return lock_has_owner(lock) && (!semaphore || lock->holds);
}

held_locks_t *lock_held_by(locks_t *locks, uint32_t thread) {
  ARRAY_RESERVE(locks->held, locks->held_capacity, thread + 1);
  return &locks->held[thread];
}

static held_lock_t *find_held(const held_locks_t *held, const lock_t *lock) {
  for (uint32_t at = held->count; at-- > 0;)
    if (held->items[at].lock == lock) return &held->items[at];
  return NULL;
}

static void remove_held(held_locks_t *held, held_lock_t *gone) {
  held_lock_t *end = held->items + --held->count;
  for (; gone < end; ++gone) *gone = gone[1];
}

// ---- holders of a lock -------------------------------------------------------------------------

static void remove_holder(lock_holder_t *holders, uint32_t *count, uint32_t thread) {
  for (uint32_t at = 0; at < *count; ++at) {
    if (holders[at].thread != thread) continue;
    holders[at] = holders[--*count];
    return;
  }
}

// The newest of the displaced holders takes the place that becomes free.
static void remove_owner(lock_t *lock, uint32_t thread) {
  if (lock->owner.thread != thread) {
    remove_holder(lock->displaced, &lock->displaced_count, thread);
    return;
  }
  lock->owner = (lock_holder_t){0};
  if (lock->displaced_count) lock->owner = lock->displaced[--lock->displaced_count];
}

static void remove_from_lock(lock_t *lock, uint32_t thread, lock_mode_t mode) {
  if (mode == LOCK_MODE_SHARED)
    remove_holder(lock->readers, &lock->reader_count, thread);
  else
    remove_owner(lock, thread);
}

static void take_from_thread(locks_t *locks, const lock_t *lock, uint32_t thread) {
  held_locks_t *held = lock_held_by(locks, thread);
  held_lock_t *entry = find_held(held, lock);
  if (entry) remove_held(held, entry);
}

// Acquired while another thread seems to hold it: its release stands later in the merged order, or
// was lost; or it died holding a robust mutex, which gives the lock away.
static void displace_owner(locks_t *locks, lock_t *lock, uint32_t bits) {
  if (!lock->owner.thread) return;
  if (bits & TRACE_LOCK_OWNER_DIED) {
    take_from_thread(locks, lock, lock->owner.thread);
    return;
  }
  ARRAY_RESERVE(lock->displaced, lock->displaced_capacity, lock->displaced_count + 1);
  lock->displaced[lock->displaced_count++] = lock->owner;
}

static void add_to_lock(locks_t *locks, lock_t *lock, const lock_holder_t *holder, uint32_t bits) {
  if (bits & TRACE_LOCK_SHARED) {
    ARRAY_RESERVE(lock->readers, lock->reader_capacity, lock->reader_count + 1);
    lock->readers[lock->reader_count++] = *holder;
    return;
  }
  displace_owner(locks, lock, bits);
  lock->owner = *holder;
}

static lock_holder_t *holder_of(lock_t *lock, const held_lock_t *held, uint32_t thread) {
  if (held->mode == LOCK_MODE_EXCLUSIVE) return lock->owner.thread == thread ? &lock->owner : NULL;
  for (uint32_t at = 0; at < lock->reader_count; ++at)
    if (lock->readers[at].thread == thread) return &lock->readers[at];
  return NULL;
}

static void change_depth(lock_t *lock, held_lock_t *held, uint32_t thread, int change) {
  held->depth += (uint32_t)change;
  lock_holder_t *holder = holder_of(lock, held, thread);
  if (holder) holder->depth = held->depth;
}

// ---- events ------------------------------------------------------------------------------------

void lock_acquired(locks_t *locks, lock_t *lock, const reader_event_t *event, uint32_t weight) {
  uint32_t bits = (uint32_t)event->arg;
  held_locks_t *held = lock_held_by(locks, event->thread);
  held_lock_t *again = find_held(held, lock);
  if (again) {
    change_depth(lock, again, event->thread, 1);
    return;
  }
  lock_holder_t holder = {event->thread, event->stack, 1, event->timed, event->time};
  add_to_lock(locks, lock, &holder, bits);
  ARRAY_RESERVE(held->items, held->capacity, held->count + 1);
  held->items[held->count++] =
      (held_lock_t){.lock = lock,
                    .stack = event->stack,
                    .depth = 1,
                    .mode = bits & TRACE_LOCK_SHARED ? LOCK_MODE_SHARED : LOCK_MODE_EXCLUSIVE,
                    .timed = event->timed,
                    .weight = weight,
                    .step = thread_order_acquire(dependencies_order(locks->dependencies),
                                                 event->thread, lock->id, bits & TRACE_LOCK_SHARED),
                    .since_ns = event->time,
                    .section = ++locks->sections};
}

static void end_hold(const locks_t *locks, lock_t *lock, const held_lock_t *held, uint32_t thread,
                     const reader_event_t *event) {
  lock->holds += held->weight;
  if (lock->contended || event->time >= held->since_ns + PATH_HOLD_LEAST_NS)
    critical_path_hold(locks->path, thread, lock->id, held->since_ns, event->time);
  if (held->timed && event->timed) {
    uint64_t hold = event->time > held->since_ns ? event->time - held->since_ns : 0;
    histogram_add_many(&lock->hold_ns, hold, held->weight);
    histogram_add_many(&lock_sites_at(&lock->sites, held->stack)->hold_ns, hold, held->weight);
  }
  lock_history_hold(lock, held, thread, event->time);
}

static void release_held(locks_t *locks, held_locks_t *held, held_lock_t *entry, uint32_t thread,
                         const reader_event_t *event) {
  lock_t *lock = entry->lock;
  if (entry->depth > 1) {
    change_depth(lock, entry, thread, -1);
    return;
  }
  end_hold(locks, lock, entry, thread, event);
  thread_order_release(dependencies_order(locks->dependencies), thread, entry->step);
  remove_from_lock(lock, thread, entry->mode);
  remove_held(held, entry);
}

// Kinds whose unlock by a thread that does not hold them fails with EPERM and changes nothing.
static bool checks_owner(uint32_t bits) {
  return bits & (TRACE_LOCK_RECURSIVE | TRACE_LOCK_ERRORCHECK | TRACE_LOCK_ROBUST);
}

// Legal for a plain mutex used as a signal, and for what was acquired before the record began.
static void release_foreign(locks_t *locks, lock_t *lock, const reader_event_t *event) {
  uint32_t holder = lock->owner.thread;
  if (!holder && lock->reader_count) holder = lock->readers[0].thread;
  held_locks_t *held = holder ? lock_held_by(locks, holder) : NULL;
  held_lock_t *entry = held ? find_held(held, lock) : NULL;
  if (!entry) {
    ++lock->released_unseen;
    return;
  }
  ++lock->released_by_other;
  if (!checks_owner(lock->bits)) release_held(locks, held, entry, holder, event);
}

void lock_not_alone(locks_t *locks, uint32_t thread, uint64_t time) {
  held_locks_t *held = lock_held_by(locks, thread);
  if (time > held->alone_ns) held->alone_ns = time;
}

// The lock lies in a block that was allocated since the thread last had to do with others, and
// nobody else has touched it: unless plain memory told of it, others cannot wait for it or hold it.
static bool is_fresh(const locks_t *locks, const lock_t *lock, uint32_t thread, uint64_t alone_ns) {
  if (!locks->reader || locks_are_sampled(locks) || !lock->block.size || lock->shared_by_threads ||
      lock->first_thread != thread)
    return false;
  return lock->block.allocated_ns > alone_ns &&
         lock->block.allocated_ns > reader_thread(locks->reader, thread)->started;
}

void lock_released(locks_t *locks, lock_t *lock, const reader_event_t *event) {
  lock_not_alone(locks, event->thread, event->time);
  held_locks_t *held = lock_held_by(locks, event->thread);
  held_lock_t *entry = find_held(held, lock);
  if (entry)
    release_held(locks, held, entry, event->thread, event);
  else
    release_foreign(locks, lock, event);
}

dependency_lock_t lock_dependency(const lock_t *lock, uint32_t stack, lock_mode_t mode) {
  return (dependency_lock_t){.lock = lock->id,
                             .stack = stack,
                             .mode = mode,
                             .recursive_readers = mode == LOCK_MODE_SHARED &&
                                                  !(lock->bits & TRACE_LOCK_WRITER_PREFERRED)};
}

void lock_requested(locks_t *locks, const lock_t *lock, uint32_t thread, uint32_t stack,
                    uint32_t bits, uint64_t time, bool pending) {
  const held_locks_t *held = lock_held_by(locks, thread);
  if (!held->count || find_held(held, lock)) return;
  dependency_lock_t others[DEPENDENCY_HELD_MAX];
  uint32_t first = held->count > DEPENDENCY_HELD_MAX ? held->count - DEPENDENCY_HELD_MAX : 0;
  for (uint32_t at = first; at < held->count; ++at) {
    const held_lock_t *item = &held->items[at];
    others[at - first] = lock_dependency(item->lock, item->stack, item->mode);
    others[at - first].fresh = is_fresh(locks, item->lock, thread, held->alone_ns);
  }
  lock_mode_t mode = bits & TRACE_LOCK_SHARED ? LOCK_MODE_SHARED : LOCK_MODE_EXCLUSIVE;
  dependency_lock_t wanted = lock_dependency(lock, stack, mode);
  wanted.fresh = is_fresh(locks, lock, thread, held->alone_ns);
  dependencies_add(locks->dependencies, thread, time, &wanted, bits & TRACE_LOCK_TIMED, pending,
                   others, held->count - first);
}

void lock_drop_holders(locks_t *locks, lock_t *lock) {
  if (lock->owner.thread) take_from_thread(locks, lock, lock->owner.thread);
  for (uint32_t at = 0; at < lock->displaced_count; ++at)
    take_from_thread(locks, lock, lock->displaced[at].thread);
  for (uint32_t at = 0; at < lock->reader_count; ++at)
    take_from_thread(locks, lock, lock->readers[at].thread);
  lock->owner = (lock_holder_t){0};
  lock->displaced_count = lock->reader_count = 0;
}

void lock_forget_thread(locks_t *locks, uint32_t thread) {
  held_locks_t *held = lock_held_by(locks, thread);
  for (uint32_t at = 0; at < held->count; ++at)
    remove_from_lock(held->items[at].lock, thread, held->items[at].mode);
  held->count = 0;
}

held_lock_t *lock_find_held(const locks_t *locks, const lock_t *lock, uint32_t thread) {
  return thread < locks->held_capacity ? find_held(&locks->held[thread], lock) : NULL;
}

bool lock_is_held_by(locks_t *locks, const lock_t *lock, uint32_t thread) {
  return find_held(lock_held_by(locks, thread), lock);
}

uint32_t locks_held_count(const locks_t *locks, uint32_t thread) {
  return thread < locks->held_capacity ? locks->held[thread].count : 0;
}

uint32_t locks_held(const locks_t *locks, uint32_t thread, uint32_t index) {
  return locks->held[thread].items[index].lock->id;
}

uint64_t locks_held_since(const locks_t *locks, uint32_t thread, uint32_t index) {
  return locks->held[thread].items[index].since_ns;
}
