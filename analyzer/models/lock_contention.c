// SPDX-License-Identifier: Apache-2.0
// Waits for a lock: how many at once, and whose holding they are charged to.
#include "analyzer/models/array.h"
#include "analyzer/models/locks_private.h"

#include <stdlib.h>

enum { RING_FIRST = 8, RING_MAX = 1024 };

typedef struct {
  uint32_t stack, thread;
  uint64_t from, until;
} past_hold_t;

// A wait that has ended, and how many were waiting just before it did.
typedef struct {
  uint64_t until;
  uint32_t waiters;
} past_wait_t;

// Rings of the newest: item i stands at i % size. They grow where looking back met their end.
struct lock_history {
  past_hold_t *holds;
  past_wait_t *waits;
  uint64_t hold_count, wait_count;
  uint32_t hold_size, wait_size;
};

static void remember(struct lock_history *history, const lock_holder_t *holder, uint64_t until) {
  history->holds[history->hold_count++ % history->hold_size] =
      (past_hold_t){holder->stack, holder->thread, holder->since_ns, until};
}

void lock_history_begin(lock_t *lock) {
  struct lock_history *history = array_zeroed(1, sizeof *history);
  history->hold_size = RING_FIRST;
  history->holds = array_zeroed(RING_FIRST, sizeof *history->holds);
  lock->history = history;
  if (lock->last_holder.thread) remember(history, &lock->last_holder, lock->last_hold_until);
}

void lock_history_free(lock_t *lock) {
  if (!lock->history) return;
  free(lock->history->holds);
  free(lock->history->waits);
  free(lock->history);
  lock->history = NULL;
}

void lock_history_hold(lock_t *lock, const held_lock_t *held, uint32_t thread, uint64_t until) {
  lock->last_holder =
      (lock_holder_t){.thread = thread, .stack = held->stack, .since_ns = held->since_ns};
  lock->last_hold_until = until;
  if (lock->history) remember(lock->history, &lock->last_holder, until);
}

static uint64_t oldest(uint64_t count, uint32_t size) { return count > size ? count - size : 0; }

static void grow_holds(struct lock_history *history) {
  if (history->hold_size >= RING_MAX) return;
  past_hold_t *grown = array_zeroed(history->hold_size * 2, sizeof *grown);
  for (uint64_t at = oldest(history->hold_count, history->hold_size); at < history->hold_count;
       ++at)
    grown[at % (history->hold_size * 2)] = history->holds[at % history->hold_size];
  free(history->holds);
  history->holds = grown;
  history->hold_size *= 2;
}

static void grow_waits(struct lock_history *history) {
  if (history->wait_size >= RING_MAX) return;
  uint32_t size = history->wait_size ? history->wait_size * 2 : RING_FIRST;
  past_wait_t *grown = array_zeroed(size, sizeof *grown);
  for (uint64_t at = oldest(history->wait_count, history->wait_size); at < history->wait_count;
       ++at)
    grown[at % size] = history->waits[at % history->wait_size];
  free(history->waits);
  history->waits = grown;
  history->wait_size = size;
}

// Charges the part of [from, *until) that `hold` covers to its site, and moves *until before it;
// what lies between the hold and *until is hand-over. False where nothing is left to charge.
static bool charge(lock_t *lock, const past_hold_t *hold, uint64_t from, uint64_t *until) {
  uint64_t begin = hold->from > from ? hold->from : from;
  uint64_t end = hold->until < *until ? hold->until : *until;
  if (end <= begin) return *until > from;
  if (*until > end) site_table_add(&lock->holders, 0, 0, *until - end);
  site_table_add(&lock->holders, 0, hold->stack, end - begin);
  *until = begin;
  return begin > from;
}

static bool charge_present(lock_t *lock, const lock_holder_t *holder, uint32_t waiter,
                           uint64_t from, uint64_t *until) {
  if (!holder->thread || holder->thread == waiter) return true;
  past_hold_t hold = {holder->stack, holder->thread, holder->since_ns, *until};
  return charge(lock, &hold, from, until);
}

// Backwards through who holds it now and who held it before, until the wait is accounted for.
static void charge_holders(lock_t *lock, uint32_t waiter, uint64_t from, uint64_t until) {
  struct lock_history *history = lock->history;
  if (!charge_present(lock, &lock->owner, waiter, from, &until)) return;
  for (uint32_t at = 0; at < lock->reader_count; ++at)
    if (!charge_present(lock, &lock->readers[at], waiter, from, &until)) return;
  uint64_t first = oldest(history->hold_count, history->hold_size);
  for (uint64_t at = history->hold_count; at-- > first;) {
    const past_hold_t *hold = &history->holds[at % history->hold_size];
    if (hold->until <= from) break;
    if (hold->thread != waiter && !charge(lock, hold, from, &until)) return;
    if (at == first && first) grow_holds(history);
  }
  if (until > from) site_table_add(&lock->holders, 0, 0, until - from);
}

// Waits are read in order of their ends. Just before the end of one, all were waiting that began
// before it and end after it; those are counted as they come.
static void count_waiters(lock_t *lock, uint64_t from, uint64_t until) {
  struct lock_history *history = lock->history;
  if (!history->wait_size) grow_waits(history);
  uint64_t first = oldest(history->wait_count, history->wait_size), at = history->wait_count;
  for (; at > first; --at) {
    past_wait_t *wait = &history->waits[(at - 1) % history->wait_size];
    if (wait->until <= from) break;
    if (++wait->waiters > lock->max_waiters) lock->max_waiters = wait->waiters;
  }
  if (at == first && history->wait_count >= history->wait_size) grow_waits(history);
  history->waits[history->wait_count++ % history->wait_size] = (past_wait_t){until, 1};
  if (!lock->max_waiters) lock->max_waiters = 1;
}

void lock_waited(lock_t *lock, uint32_t thread, uint32_t stack, uint64_t from, uint64_t until) {
  uint64_t wait = until > from ? until - from : 0;
  histogram_add(&lock->wait_ns, wait);
  site_table_add(&lock->waiters, 0, stack, wait);
  if (!lock->history) lock_history_begin(lock);
  count_waiters(lock, from, until);
  if (wait) charge_holders(lock, thread, from, until);
}

// The last hold that ended during the wait, whoever came in between.
static const past_hold_t *last_release(const lock_t *lock, uint32_t waiter, uint64_t from,
                                       uint64_t until) {
  const struct lock_history *history = lock->history;
  uint64_t first = oldest(history->hold_count, history->hold_size);
  for (uint64_t at = history->hold_count; at-- > first;) {
    const past_hold_t *hold = &history->holds[at % history->hold_size];
    if (hold->until < from) return NULL;
    if (hold->until <= until && hold->thread != waiter) return hold;
  }
  return NULL;
}

void lock_woken(locks_t *locks, const lock_t *lock, const reader_event_t *event) {
  uint64_t from = event->words[1] < event->time ? event->time - event->words[1] : 0;
  bool posted = (lock->bits & TRACE_LOCK_WHAT) == TRACE_LOCK_SEMAPHORE;
  const past_hold_t *hold = posted ? NULL : last_release(lock, event->thread, from, event->time);
  if (!hold) return;
  if (lock->contended == 1)  // from now on holds are noted as they end
    critical_path_hold(locks->path, hold->thread, lock->id, hold->from, hold->until);
  wakers_add(locks->wakers, &(wakeup_t){.how = WAKE_LOCK,
                                        .waker = hold->thread,
                                        .woken = event->thread,
                                        .stack = hold->stack,
                                        .object = lock->address,
                                        .lock = lock->id,
                                        .from = from,
                                        .woke = hold->until,
                                        .until = event->time});
}
