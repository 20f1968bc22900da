// SPDX-License-Identifier: Apache-2.0
// Blame: every nanosecond of a wait is charged to the site that held the lock then; and where that
// holder itself waited for another lock, to the site that held that one, and so on.
//
// Waits are read in order of their ends, so those of a holder are charged before those for what it
// holds: each thread keeps whom its newest waits were charged to, and a chain is one look at that.
// Holders at the same time (readers) share: each is charged its part of a time, the first of them
// what does not divide. What lies between a release and the next hold is the hand-over (stack 0).
#include "analyzer/models/array.h"
#include "analyzer/models/lock_history.h"

#include <stdlib.h>

enum { CHARGES_MAX = 64, SHARERS_MAX = 64 };

// A wait on its way to those who are charged. Pieces are found from its end to its beginning.
typedef struct {
  locks_t *locks;
  lock_t *lock;
  uint32_t waiter;
  uint64_t from, until;  // what is not charged yet
  uint64_t charged_ns;   // to somebody who was seen
  bool known_only;       // what nobody is seen to have held is not charged
  uint32_t sharers, share;
  lock_charge_t pieces[CHARGES_MAX];
  uint32_t count;
} bill_t;

static uint64_t part_of(const bill_t *bill, uint64_t ns) {
  uint64_t part = ns / bill->sharers;
  return bill->share ? part : part + ns % bill->sharers;
}

// A lock that is named in another's table stays known.
static lock_t *charged_lock(locks_t *locks, uint32_t id) {
  lock_t *lock = (lock_t *)locks_get(locks, id);
  if (lock && !lock->charged_by_others) {
    lock->charged_by_others = true;
    ++lock->references;
  }
  return lock;
}

static void add_piece(bill_t *bill, uint32_t id, uint32_t stack, uint64_t from, uint64_t until) {
  if (!bill->share && bill->count < CHARGES_MAX)
    bill->pieces[bill->count++] = (lock_charge_t){id, stack, from, until};
}

static void charge_piece(bill_t *bill, uint32_t id, uint32_t stack, uint64_t from, uint64_t until) {
  lock_t *lock = bill->lock, *other = id == lock->id ? NULL : charged_lock(bill->locks, id);
  if (other) lock = other;
  uint64_t ns = part_of(bill, until - from);
  site_table_add(&bill->lock->holders, lock == bill->lock ? 0 : lock->id, stack, ns);
  site_table_add(&lock->blamed, 0, stack, ns);
  lock->blamed_ns += ns;
  bill->charged_ns += ns;
  add_piece(bill, lock->id, stack, from, until);
}

static void charge_nobody(bill_t *bill, uint64_t from, uint64_t until) {
  if (bill->known_only || until <= from) return;
  site_table_add(&bill->lock->holders, 0, 0, until - from);
  site_table_add(&bill->lock->blamed, 0, 0, until - from);
  bill->lock->blamed_ns += until - from;
  add_piece(bill, bill->lock->id, 0, from, until);
}

// The holder of from..until is charged, but for what it waited itself.
static void charge_hold(bill_t *bill, const past_hold_t *hold, uint64_t from, uint64_t until) {
  const lock_charges_t *charges =
      hold->thread < bill->locks->charge_capacity ? &bill->locks->charges[hold->thread] : NULL;
  uint64_t first = charges ? history_oldest(charges->count, LOCK_CHARGES) : 0;
  for (uint64_t at = charges ? charges->count : 0; at-- > first && until > from;) {
    const lock_charge_t *on = &charges->items[at % LOCK_CHARGES];
    if (on->until <= from) break;
    if (on->from >= until) continue;
    uint64_t end = on->until < until ? on->until : until;
    uint64_t begin = on->from > from ? on->from : from;
    if (until > end) charge_piece(bill, bill->lock->id, hold->stack, end, until);
    charge_piece(bill, on->lock, on->stack, begin, end);
    until = begin;
  }
  if (until > from) charge_piece(bill, bill->lock->id, hold->stack, from, until);
}

// Somebody waited while the holder was in a call that blocks.
static void count_blocked(const bill_t *bill, const past_hold_t *hold, uint64_t from,
                          uint64_t until) {
  const lock_blocked_t *blocked = &hold->blocked;
  if (!blocked->row || blocked->row > bill->lock->blocks.count) return;
  if (blocked->from > from) from = blocked->from;
  if (blocked->until < until) until = blocked->until;
  if (until <= from) return;
  lock_block_t *row = &bill->lock->blocks.items[blocked->row - 1];
  ++row->waits;
  row->waited_ns += until - from;
}

// ---- one holder at a time ----------------------------------------------------------------------

// Charges what `hold` covers of what is left, which then ends before it. False: nothing is left.
static bool charge(bill_t *bill, const past_hold_t *hold) {
  uint64_t begin = hold->from > bill->from ? hold->from : bill->from;
  uint64_t end = hold->until < bill->until ? hold->until : bill->until;
  if (end <= begin) return bill->until > bill->from;
  charge_nobody(bill, end, bill->until);
  charge_hold(bill, hold, begin, end);
  count_blocked(bill, hold, begin, end);
  bill->until = begin;
  return begin > bill->from;
}

static past_hold_t present_hold(const bill_t *bill, const lock_holder_t *holder) {
  const held_lock_t *held = lock_find_held(bill->locks, bill->lock, holder->thread);
  return (past_hold_t){holder->stack, holder->thread, holder->since_ns, bill->until,
                       held ? held->blocked : (lock_blocked_t){0}};
}

// Backwards through who holds it now and who held it before, until the wait is accounted for.
static void charge_in_turn(bill_t *bill) {
  struct lock_history *history = bill->lock->history;
  const lock_holder_t *owner = &bill->lock->owner;
  if (owner->thread && owner->thread != bill->waiter) {
    past_hold_t hold = present_hold(bill, owner);
    if (!charge(bill, &hold)) return;
  }
  uint64_t first = history_oldest(history->hold_count, history->hold_size);
  for (uint64_t at = history->hold_count; at-- > first;) {
    const past_hold_t *hold = &history->holds[at % history->hold_size];
    if (hold->until <= bill->from) break;
    if (hold->thread != bill->waiter && !charge(bill, hold)) return;
    if (at == first && first) history_grow_holds(history);
  }
  charge_nobody(bill, bill->from, bill->until);
}

// ---- several at a time -------------------------------------------------------------------------

typedef struct {
  past_hold_t holds[SHARERS_MAX];
  uint32_t count;
} sharers_t;

static void add_sharer(const bill_t *bill, sharers_t *sharers, past_hold_t hold) {
  if (hold.from < bill->from) hold.from = bill->from;
  if (hold.until > bill->until) hold.until = bill->until;
  if (hold.thread && hold.thread != bill->waiter && hold.from < hold.until &&
      sharers->count < SHARERS_MAX)
    sharers->holds[sharers->count++] = hold;
}

static void find_sharers(const bill_t *bill, sharers_t *sharers) {
  const lock_t *lock = bill->lock;
  struct lock_history *history = lock->history;
  add_sharer(bill, sharers, present_hold(bill, &lock->owner));
  for (uint32_t at = 0; at < lock->reader_count; ++at)
    add_sharer(bill, sharers, present_hold(bill, &lock->readers[at]));
  uint64_t first = history_oldest(history->hold_count, history->hold_size);
  for (uint64_t at = history->hold_count; at-- > first;) {
    if (history->holds[at % history->hold_size].until <= bill->from) return;
    add_sharer(bill, sharers, history->holds[at % history->hold_size]);
    if (at == first && first) history_grow_holds(history);
  }
}

// The last moment before `until` at which a hold begins or ends.
static uint64_t last_change(const sharers_t *sharers, uint64_t from, uint64_t until) {
  uint64_t last = from;
  for (uint32_t at = 0; at < sharers->count; ++at) {
    const past_hold_t *hold = &sharers->holds[at];
    if (hold->from < until && hold->from > last) last = hold->from;
    if (hold->until < until && hold->until > last) last = hold->until;
  }
  return last;
}

static void charge_shared(bill_t *bill, const sharers_t *sharers, uint64_t from, uint64_t until) {
  bill->sharers = bill->share = 0;
  for (uint32_t at = 0; at < sharers->count; ++at)
    bill->sharers += sharers->holds[at].from <= from && sharers->holds[at].until >= until;
  if (!bill->sharers) charge_nobody(bill, from, until);
  for (uint32_t at = 0; at < sharers->count; ++at)
    if (sharers->holds[at].from <= from && sharers->holds[at].until >= until) {
      charge_hold(bill, &sharers->holds[at], from, until);
      ++bill->share;
    }
}

static void charge_together(bill_t *bill) {
  sharers_t sharers = {.count = 0};
  find_sharers(bill, &sharers);
  for (uint32_t at = 0; at < sharers.count; ++at)
    count_blocked(bill, &sharers.holds[at], bill->from, bill->until);
  while (bill->until > bill->from) {
    uint64_t from = last_change(&sharers, bill->from, bill->until);
    charge_shared(bill, &sharers, from, bill->until);
    bill->until = from;
  }
}

// ---- the whole ---------------------------------------------------------------------------------

// In order of time, as those of earlier waits.
static void keep_charges(locks_t *locks, const bill_t *bill) {
  ARRAY_RESERVE(locks->charges, locks->charge_capacity, bill->waiter + 1);
  lock_charges_t *charges = &locks->charges[bill->waiter];
  if (!charges->items) charges->items = array_zeroed(LOCK_CHARGES, sizeof *charges->items);
  for (uint32_t at = bill->count; at-- > 0;)
    charges->items[charges->count++ % LOCK_CHARGES] = bill->pieces[at];
}

uint64_t lock_charge(locks_t *locks, lock_t *lock, uint32_t waiter, uint64_t from, uint64_t until,
                     bool known_only) {
  bill_t bill;
  bill.locks = locks;
  bill.lock = lock;
  bill.waiter = waiter;
  bill.from = from;
  bill.until = until;
  bill.charged_ns = 0;
  bill.known_only = known_only;
  bill.sharers = 1;
  bill.share = bill.count = 0;
  if ((lock->bits & TRACE_LOCK_WHAT) == TRACE_LOCK_RWLOCK)
    charge_together(&bill);
  else
    charge_in_turn(&bill);
  keep_charges(locks, &bill);
  return bill.charged_ns;
}

void lock_charges_free(locks_t *locks) {
  for (uint32_t thread = 0; thread < locks->charge_capacity; ++thread)
    free(locks->charges[thread].items);
  free(locks->charges);
}
