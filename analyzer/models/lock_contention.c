// SPDX-License-Identifier: Apache-2.0
// Waits for a lock: how many at once, and whose holding they are charged to.
#include "analyzer/models/array.h"
#include "analyzer/models/lock_history.h"

#include <stdlib.h>

// Calls that take longer are noted as blocking while a lock is held.
#define LEAST_BLOCK_NS UINT64_C(10000)

static void remember(struct lock_history *history, const lock_holder_t *holder, uint64_t until,
                     const lock_blocked_t *blocked) {
  history->holds[history->hold_count++ % history->hold_size] =
      (past_hold_t){holder->stack, holder->thread, holder->since_ns, until, *blocked};
}

void lock_history_begin(lock_t *lock) {
  struct lock_history *history = array_zeroed(1, sizeof *history);
  history->hold_size = HISTORY_FIRST;
  history->holds = array_zeroed(HISTORY_FIRST, sizeof *history->holds);
  lock->history = history;
  if (lock->last_holder.thread)
    remember(history, &lock->last_holder, lock->last_hold_until, &lock->last_blocked);
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
  lock->last_blocked = held->blocked;
  if (lock->history) remember(lock->history, &lock->last_holder, until, &held->blocked);
}

void history_grow_holds(struct lock_history *history) {
  if (history->hold_size >= HISTORY_MAX) return;
  past_hold_t *grown = array_zeroed(history->hold_size * 2, sizeof *grown);
  for (uint64_t at = history_oldest(history->hold_count, history->hold_size);
       at < history->hold_count; ++at)
    grown[at % (history->hold_size * 2)] = history->holds[at % history->hold_size];
  free(history->holds);
  history->holds = grown;
  history->hold_size *= 2;
}

static void grow_waits(struct lock_history *history) {
  if (history->wait_size >= HISTORY_MAX) return;
  uint32_t size = history->wait_size ? history->wait_size * 2 : HISTORY_FIRST;
  past_wait_t *grown = array_zeroed(size, sizeof *grown);
  for (uint64_t at = history_oldest(history->wait_count, history->wait_size);
       at < history->wait_count; ++at)
    grown[at % size] = history->waits[at % history->wait_size];
  free(history->waits);
  history->waits = grown;
  history->wait_size = size;
}

// Waits are read in order of their ends. Just before the end of one, all were waiting that began
// before it and end after it; those are counted as they come.
static void count_waiters(lock_t *lock, uint64_t from, uint64_t until) {
  struct lock_history *history = lock->history;
  if (!history->wait_size) grow_waits(history);
  uint64_t first = history_oldest(history->wait_count, history->wait_size),
           at = history->wait_count;
  for (; at > first; --at) {
    past_wait_t *wait = &history->waits[(at - 1) % history->wait_size];
    if (wait->until <= from) break;
    if (++wait->waiters > lock->max_waiters) lock->max_waiters = wait->waiters;
  }
  if (at == first && history->wait_count >= history->wait_size) grow_waits(history);
  history->waits[history->wait_count++ % history->wait_size] = (past_wait_t){until, 1};
  if (!lock->max_waiters) lock->max_waiters = 1;
}

// ---- convoys -----------------------------------------------------------------------------------

void lock_end_convoy(lock_t *lock) {
  struct lock_history *history = lock->history;
  if (!history) return;
  if (history->run >= LOCK_CONVOY_HANDOVERS) {
    lock_convoys_t *convoys = &lock->convoys;
    ++convoys->count;
    convoys->handovers += history->run;
    convoys->total_ns += history->ends[0] - history->run_from;
    if (history->run > convoys->longest) {
      convoys->longest = history->run;
      convoys->longest_from = history->run_from;
      convoys->longest_until = history->ends[0];
    }
  }
  history->run = 0;
}

// Waits end as the lock is handed over. When the one before the last got it, the last one and this
// one waited already: so it goes on.
static void note_handover(lock_t *lock, uint64_t from, uint64_t until) {
  struct lock_history *history = lock->history;
  if (from < history->ends[1]) {
    if (!history->run++) history->run_from = history->ends[1];
  } else {
    lock_end_convoy(lock);
  }
  history->ends[1] = history->ends[0];
  history->ends[0] = until;
}

// ---- waits -------------------------------------------------------------------------------------

void lock_waited(locks_t *locks, lock_t *lock, uint32_t thread, uint32_t stack, uint64_t from,
                 uint64_t until) {
  uint64_t wait = until > from ? until - from : 0;
  histogram_add(&lock->wait_ns, wait);
  histogram_add(&lock_sites_at(&lock->sites, stack)->wait_ns, wait);
  site_table_add(&lock->waiters, 0, stack, wait);
  if (!lock->history) lock_history_begin(lock);
  count_waiters(lock, from, until);
  note_handover(lock, from, until);
  if (wait) lock_charge(locks, lock, thread, from, until, false);
}

void lock_blocking_step(locks_t *locks, const reader_event_t *event) {
  if (event->kind == TRACE_LOCK_ACQUIRE || event->kind == TRACE_LOCK_RELEASE) return;
  uint64_t duration;
  thread_state_t state = threads_wait(event, &duration);
  if (duration < LEAST_BLOCK_NS || !state || state == THREAD_STATE_LOCK) return;
  if (event->kind == TRACE_LOCK_WAIT || event->kind == TRACE_LOCK_FAIL) return;
  uint32_t count = locks_held_count(locks, event->thread);
  for (uint32_t at = 0; at < count; ++at) {
    held_lock_t *held = &locks->held[event->thread].items[at];
    uint32_t row = lock_blocks_at(&held->lock->blocks, held->stack, event->stack, state);
    if (!row) continue;
    lock_block_t *block = &held->lock->blocks.items[row - 1];
    ++block->count;
    block->total_ns += duration;
    if (duration > block->max_ns) block->max_ns = duration;
    if (duration > held->blocked.until - held->blocked.from)
      held->blocked = (lock_blocked_t){row, event->time - duration, event->time};
  }
}

// ---- wake-ups ----------------------------------------------------------------------------------

// The last hold that ended during the wait, whoever came in between.
static const past_hold_t *last_release(const lock_t *lock, uint32_t waiter, uint64_t from,
                                       uint64_t until) {
  const struct lock_history *history = lock->history;
  uint64_t first = history_oldest(history->hold_count, history->hold_size);
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
  if (lock->contended == 1 && hold->until < hold->from + PATH_HOLD_LEAST_NS)  // not noted so far
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
