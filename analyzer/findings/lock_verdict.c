// SPDX-License-Identifier: Apache-2.0
// Whether a cycle of dependencies can deadlock:
//   READERS        no: somewhere wanted and held modes do not exclude each other
//   GATE           no: two of them hold one more lock that keeps them apart
//   SINGLE_THREAD  no: they cannot be done by as many different threads
//   ORDERED        no: create and join keep every choice of threads apart
// and POTENTIAL otherwise. Findings that are one bug are merged.
#include "analyzer/findings/lock_order.h"
#include "analyzer/models/array.h"

#include <xxhash.h>

enum {
  FINDINGS_MAX = 1000,
  SITE_FRAMES = 2,  // innermost frames that make stacks one call site
};

// ---- what rules a cycle out --------------------------------------------------------------------

const dependency_lock_t *order_held(const dependency_t *entry, uint32_t lock) {
  for (uint32_t at = 0; at < entry->held_count; ++at)
    if (entry->held[at].lock == lock) return &entry->held[at];
  return NULL;
}

bool order_modes_exclude(const dependency_lock_t *a, const dependency_lock_t *b) {
  return a->mode == LOCK_MODE_EXCLUSIVE || b->mode == LOCK_MODE_EXCLUSIVE;
}

// The lock that both hold in modes that exclude each other, 0: none.
uint32_t order_common_gate(const dependency_t *a, const dependency_t *b) {
  for (uint32_t at = 0; at < a->held_count; ++at) {
    const dependency_lock_t *held = order_held(b, a->held[at].lock);
    if (held && order_modes_exclude(held, &a->held[at])) return held->lock;
  }
  return 0;
}

static bool may_meet(const order_search_t *order, const dependency_occurrence_t *a,
                     const dependency_occurrence_t *b, bool ordered_too) {
  if (a->thread == b->thread) return false;
  return ordered_too || (!dependencies_ordered(order->dependencies, a, b) &&
                         !dependencies_ordered(order->dependencies, b, a));
}

static bool fits(const order_search_t *order, uint32_t at, bool ordered_too) {
  for (uint32_t other = 0; other < at; ++other)
    if (!may_meet(order, order->actors[other], order->actors[at], ordered_too)) return false;
  return true;
}

// Backtracking without recursion over at most eight choices each.
bool order_find_actors(order_search_t *order, uint32_t count, bool ordered_too) {
  uint32_t *choices = order->choices;
  choices[0] = 0;
  for (uint32_t at = 0; at < count;) {
    const dependency_t *entry = order_entry(order, order->chain[at]);
    bool found = false;
    while (!found && choices[at] < entry->occurrence_count) {
      order->actors[at] = &entry->occurrences[choices[at]++];
      found = fits(order, at, ordered_too);
    }
    if (++order->steps > order->steps_max) return false;
    if (found) {
      if (++at < count) choices[at] = 0;
    } else if (at-- == 0) {
      return false;
    }
  }
  return true;
}

static bool modes_exclude_all(const order_search_t *order) {
  for (uint32_t at = 0; at < order->length; ++at) {
    const dependency_t *entry = order_entry(order, order->chain[at]);
    const dependency_t *next = order_entry(order, order->chain[(at + 1) % order->length]);
    if (!order_modes_exclude(&entry->wanted, order_held(next, entry->wanted.lock))) return false;
  }
  return true;
}

static uint32_t gate_of_chain(const order_search_t *order) {
  for (uint32_t a = 0; a < order->length; ++a)
    for (uint32_t b = a + 1; b < order->length; ++b) {
      uint32_t gate = order_common_gate(order_entry(order, order->chain[a]),
                                        order_entry(order, order->chain[b]));
      if (gate) return gate;
    }
  return 0;
}

// Sets *reason and returns the verdict of the whole chain.
static deadlock_verdict_t judge(order_search_t *order, deadlock_reason_t *reason) {
  order->gate = 0;
  *reason = DEADLOCK_REASON_READERS;
  if (!modes_exclude_all(order)) return DEADLOCK_BENIGN;
  *reason = DEADLOCK_REASON_GATE;
  order->gate = gate_of_chain(order);
  if (order->gate) return DEADLOCK_BENIGN;
  *reason = DEADLOCK_REASON_OPPOSITE_ORDER;
  if (order_find_actors(order, order->length, false)) return DEADLOCK_POTENTIAL;
  bool possible = order_find_actors(order, order->length, true);
  *reason = possible ? DEADLOCK_REASON_ORDERED : DEADLOCK_REASON_SINGLE_THREAD;
  return DEADLOCK_BENIGN;
}

// ---- one bug is one finding --------------------------------------------------------------------

static uint64_t site_of(const order_search_t *order, uint32_t stack) {
  const reader_t *reader = models_reader(order->search->models);
  if (!reader || !stack) return stack;
  const reader_stack_t *frames = reader_stack(reader, stack);
  uint32_t count = frames->count < SITE_FRAMES ? frames->count : SITE_FRAMES;
  return XXH3_64bits(frames->frames, count * sizeof *frames->frames);
}

static uint64_t class_of(const order_search_t *order, uint32_t lock) {
  const lock_t *found = locks_get(models_locks(order->search->models), lock);
  return found ? lock_class(found) : lock;
}

static uint64_t leg_hash(const order_search_t *order, const dependency_lock_t *held,
                         const dependency_lock_t *wanted) {
  uint64_t parts[5] = {class_of(order, held->lock), class_of(order, wanted->lock),
                       site_of(order, held->stack), site_of(order, wanted->stack),
                       (uint64_t)held->mode << 1 | wanted->mode};
  return XXH3_64bits(parts, sizeof parts);
}

static const dependency_lock_t *leg_held(const order_search_t *order, uint32_t at) {
  uint32_t before = order->chain[(at + order->length - 1) % order->length];
  return order_held(order_entry(order, order->chain[at]), order_entry(order, before)->wanted.lock);
}

// The same for a cycle wherever it is entered.
static uint64_t merge_key(const order_search_t *order, deadlock_reason_t reason) {
  uint64_t sum = reason * UINT64_C(0x9e3779b97f4a7c15);
  for (uint32_t at = 0; at < order->length; ++at)
    sum += leg_hash(order, leg_held(order, at), &order_entry(order, order->chain[at])->wanted);
  return sum | 1;
}

static bool chain_wants(const order_search_t *order, uint32_t lock) {
  for (uint32_t at = 0; at < order->length; ++at)
    if (order_entry(order, order->chain[at])->wanted.lock == lock) return true;
  return false;
}

// True where a finding already ties a part of these locks, so that this cycle adds nothing: one
// that is graver, or as grave and shorter.
static bool covers(const order_search_t *order, const deadlock_t *known) {
  bool graver =
      known->verdict == DEADLOCK_ACTUAL || (!order->strict && known->verdict == DEADLOCK_POTENTIAL);
  if (known->leg_count < 2 || known->leg_count > order->length - !graver) return false;
  for (uint32_t leg = 0; leg < known->leg_count; ++leg)
    if (!known->legs[leg].wants || !chain_wants(order, known->legs[leg].wants)) return false;
  return true;
}

static bool is_covered(const order_search_t *order) {
  const deadlocks_t *result = order->search->result;
  for (size_t at = 0; at < result->count; ++at)
    if (covers(order, &result->items[at])) return true;
  return false;
}

static void count_again(deadlock_t *known, const order_search_t *order) {
  ++known->merged;
  for (uint32_t at = 0; at < known->leg_count && at < order->length; ++at) {
    const dependency_t *entry = order_entry(order, order->chain[at]);
    if (entry->last_ns > known->legs[at].last_ns) known->legs[at].last_ns = entry->last_ns;
  }
}

static void fill_leg(const order_search_t *order, deadlock_leg_t *leg, uint32_t at) {
  const dependency_t *entry = order_entry(order, order->chain[at]);
  const dependency_lock_t *held = leg_held(order, at);
  *leg = (deadlock_leg_t){.thread = order->actors[at]->thread,
                          .thread_count = entry->thread_count,
                          .holds = held->lock,
                          .holds_mode = (lock_mode_t)held->mode,
                          .holds_stack = held->stack,
                          .wants = entry->wanted.lock,
                          .wants_mode = (lock_mode_t)entry->wanted.mode,
                          .wants_stack = entry->wanted.stack,
                          .timed = entry->timed,
                          .count = entry->count,
                          .first_ns = entry->first_ns,
                          .last_ns = entry->last_ns};
  leg->also_holds = array_resize(NULL, entry->held_count, sizeof *leg->also_holds);
  for (uint32_t other = 0; other < entry->held_count; ++other)
    if (entry->held[other].lock != held->lock)
      leg->also_holds[leg->also_held++] = entry->held[other].lock;
}

static uint32_t doubts_of(const deadlock_t *found) {
  uint32_t doubts = 1u << DEADLOCK_DOUBT_INDEX_THREADS | 1u << DEADLOCK_DOUBT_INDEX_NO_GATE |
                    1u << DEADLOCK_DOUBT_INDEX_MODES | 1u << DEADLOCK_DOUBT_INDEX_CONCURRENT;
  for (uint32_t at = 0; at < found->leg_count; ++at)
    if (found->legs[at].timed) return doubts | 1u << DEADLOCK_DOUBT_INDEX_BOUNDED;
  return doubts | 1u << DEADLOCK_DOUBT_INDEX_UNBOUNDED;
}

static deadlock_kind_t kind_of(const order_search_t *order) {
  for (uint32_t at = 0; at < order->length; ++at) {
    const lock_t *lock = locks_get(models_locks(order->search->models),
                                   order_entry(order, order->chain[at])->wanted.lock);
    if (lock && (lock->bits & TRACE_LOCK_WHAT) == TRACE_LOCK_RWLOCK) return DEADLOCK_KIND_RWLOCK;
  }
  return DEADLOCK_KIND_LOCK_ORDER;
}

static void report(order_search_t *order, deadlock_verdict_t verdict, deadlock_reason_t reason) {
  uint64_t *known = address_map_put(&order->found, merge_key(order, reason));
  if (*known) {
    count_again(&order->search->result->items[*known - 1], order);
    return;
  }
  if (order->search->result->count >= FINDINGS_MAX) {
    order->search->result->search_cut = true;
    return;
  }
  if (verdict == DEADLOCK_BENIGN && !order_find_actors(order, order->length, true))
    for (uint32_t at = 0; at < order->length; ++at)
      order->actors[at] = &order_entry(order, order->chain[at])->occurrences[0];
  deadlock_t *found = deadlock_add(order->search, verdict, kind_of(order), reason, order->length);
  for (uint32_t at = 0; at < order->length; ++at) fill_leg(order, &found->legs[at], at);
  found->gate = order->gate;
  if (verdict == DEADLOCK_POTENTIAL) found->why_not_ruled_out = doubts_of(found);
  *known = order->search->result->count;
}

bool order_close_cycle(order_search_t *order) {
  deadlock_reason_t reason;
  ++order->search->result->cycles_examined;
  deadlock_verdict_t verdict = judge(order, &reason);
  if (order->steps > order->steps_max) return false;  // cut short: the verdict is none
  if ((verdict == DEADLOCK_BENIGN) == order->strict) return false;
  if (!is_covered(order)) report(order, verdict, reason);
  return true;
}
