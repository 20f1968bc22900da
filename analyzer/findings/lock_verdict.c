// SPDX-License-Identifier: Apache-2.0
// Whether a cycle of dependencies can deadlock:
//   READERS        no: somewhere wanted and held modes do not exclude each other
//   FRESH          no: one of the locks was known to its thread alone
//   GATE           no: two of them hold one more lock that keeps them apart
//   GUARDED        no: a lock is held around the whole life of one of their threads
//   SINGLE_THREAD  no: they cannot be done by as many different threads
//   ORDERED        no: create, join and barriers keep every choice of threads apart
//   HANDED_OVER    no: hand-overs do, this time
// and otherwise FEASIBLE, if a reordering of what was seen hangs, or POTENTIAL. Findings that are
// one bug are merged.
#include "analyzer/findings/lock_order.h"
#include "analyzer/models/array.h"

#include <stdlib.h>
#include <xxhash.h>

enum {
  FINDINGS_MAX = 1000,
  REORDERINGS_MAX = 64,  // choices of occurrences that are tried
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

static uint64_t writers_of(const order_search_t *order, uint32_t lock) {
  const lock_t *found = locks_get(models_locks(order->search->models), lock);
  return found ? found->writers : 0;
}

bool order_waits_for(const order_search_t *order, const dependency_lock_t *wanted,
                     const dependency_lock_t *held) {
  if (order_modes_exclude(wanted, held)) return true;
  return !wanted->recursive_readers && writers_of(order, wanted->lock);
}

static bool are_ordered(const order_search_t *order, const dependency_occurrence_t *a,
                        const dependency_occurrence_t *b, order_strength_t strength) {
  const thread_order_t *threads = models_order(order->search->models);
  return thread_order_precedes(threads, &a->moment, &b->moment, strength) ||
         thread_order_precedes(threads, &b->moment, &a->moment, strength);
}

static bool guard_excludes(const lock_guard_t *guard, const lock_guard_t *other) {
  return other->kept && other->lock == guard->lock && other->owner != guard->owner &&
         (guard->mode == LOCK_MODE_EXCLUSIVE || other->mode == LOCK_MODE_EXCLUSIVE);
}

// True where the guard keeps what its owner and the owner's threads do from the entry in `thread`:
// that holds the lock, or lives in a section of it, which must be another one.
static bool keeps_apart(const locks_t *locks, const lock_guard_t *guard, const dependency_t *entry,
                        uint32_t thread) {
  if (!guard->kept || guard->owner == thread) return false;
  const dependency_lock_t *held = order_held(entry, guard->lock);
  if (held && (guard->mode == LOCK_MODE_EXCLUSIVE || held->mode == LOCK_MODE_EXCLUSIVE))
    return true;
  const lock_guard_t *others;
  uint32_t count = locks_guards(locks, thread, &others);
  for (uint32_t at = 0; at < count; ++at)
    if (guard_excludes(guard, &others[at])) return true;
  return false;
}

// The lock around the life of actor `a` that keeps it from actor `b`, 0: none.
static uint32_t guard_against(const order_search_t *order, uint32_t a, uint32_t b) {
  const locks_t *locks = models_locks(order->search->models);
  const lock_guard_t *guards;
  uint32_t count = locks_guards(locks, order->actors[a]->thread, &guards);
  for (uint32_t at = 0; at < count; ++at)
    if (keeps_apart(locks, &guards[at], order_entry(order, order->chain[b]),
                    order->actors[b]->thread))
      return guards[at].lock;
  return 0;
}

static uint32_t guard_between(const order_search_t *order, uint32_t a, uint32_t b) {
  uint32_t guard = guard_against(order, a, b);
  return guard ? guard : guard_against(order, b, a);
}

static bool may_meet(const order_search_t *order, uint32_t first, uint32_t second,
                     actors_t actors) {
  const dependency_occurrence_t *a = order->actors[first], *b = order->actors[second];
  if (a->thread == b->thread) return false;
  switch (actors) {
  case ACTORS_CONCURRENT:
    return !are_ordered(order, a, b, ORDER_THIS_RUN) && !guard_between(order, first, second);
  case ACTORS_UNORDERED:
    return !are_ordered(order, a, b, ORDER_ALWAYS) && !guard_between(order, first, second);
  case ACTORS_UNGUARDED:
    return !are_ordered(order, a, b, ORDER_ALWAYS);
  case ACTORS_ANY:
    break;
  }
  return true;
}

static bool fits(const order_search_t *order, uint32_t at, actors_t actors) {
  for (uint32_t other = 0; other < at; ++other)
    if (!may_meet(order, other, at, actors)) return false;
  return true;
}

// Backtracking without recursion over at most eight choices each, from what `choices` says on.
static bool choose_actors(order_search_t *order, uint32_t at, uint32_t count, actors_t actors) {
  uint32_t *choices = order->choices;
  while (at < count) {
    const dependency_t *entry = order_entry(order, order->chain[at]);
    bool found = false;
    while (!found && choices[at] < entry->occurrence_count) {
      order->actors[at] = &entry->occurrences[choices[at]++];
      found = fits(order, at, actors);
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

bool order_find_actors(order_search_t *order, uint32_t count, actors_t actors) {
  order->choices[0] = 0;
  return choose_actors(order, 0, count, actors);
}

static bool next_actors(order_search_t *order, actors_t actors) {
  return choose_actors(order, order->length - 1, order->length, actors);
}

static bool all_wait(const order_search_t *order, bool behind_writers) {
  for (uint32_t at = 0; at < order->length; ++at) {
    const dependency_lock_t *wanted = &order_entry(order, order->chain[at])->wanted;
    const dependency_lock_t *held =
        order_held(order_entry(order, order->chain[(at + 1) % order->length]), wanted->lock);
    if (!(behind_writers ? order_waits_for(order, wanted, held)
                         : order_modes_exclude(wanted, held)))
      return false;
  }
  return true;
}

static const dependency_lock_t *leg_held(const order_search_t *order, uint32_t at) {
  uint32_t before = order->chain[(at + order->length - 1) % order->length];
  return order_held(order_entry(order, order->chain[at]), order_entry(order, before)->wanted.lock);
}

// Where both locks of a leg are new, nothing that others know is held against them: how they came
// to know both is not seen.
static bool any_fresh(const order_search_t *order) {
  for (uint32_t at = 0; at < order->length; ++at)
    if (order_entry(order, order->chain[at])->wanted.fresh != leg_held(order, at)->fresh)
      return true;
  return false;
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

static uint32_t guard_of_chain(const order_search_t *order) {
  for (uint32_t a = 0; a < order->length; ++a)
    for (uint32_t b = a + 1; b < order->length; ++b) {
      uint32_t guard = guard_between(order, a, b);
      if (guard) return guard;
    }
  return 0;
}

static bool any_timed(const order_search_t *order) {
  for (uint32_t at = 0; at < order->length; ++at)
    if (order_entry(order, order->chain[at])->timed) return true;
  return false;
}

static const lock_t *wanted_of_kind(const order_search_t *order, uint32_t what) {
  for (uint32_t at = 0; at < order->length; ++at) {
    const lock_t *lock = locks_get(models_locks(order->search->models),
                                   order_entry(order, order->chain[at])->wanted.lock);
    if (lock && (lock->bits & TRACE_LOCK_WHAT) == what) return lock;
  }
  return NULL;
}

// A semaphore of the chain was posted by one who had not waited for it: it never was a lock.
static bool has_handover(const order_search_t *order) {
  for (uint32_t at = 0; at < order->length; ++at) {
    const lock_t *lock = locks_get(models_locks(order->search->models),
                                   order_entry(order, order->chain[at])->wanted.lock);
    if (lock && !lock->owned) return true;
  }
  return false;
}

static bool can_reorder(order_search_t *order, order_member_t *points) {
  for (uint32_t at = 0; at < order->length; ++at)
    points[at] = (order_member_t){order->actors[at]->thread, order->actors[at]->moment.position};
  return feasible_points(order->feasible, points, order->length);
}

// Tries the choices of occurrences one after the other; the actors are those of the one that can,
// else of the first.
static bool find_reordering(order_search_t *order) {
  order_member_t *points = array_resize(NULL, order->length, sizeof *points);
  bool found = false;
  uint32_t tried = 0;
  do {
    found = can_reorder(order, points);
  } while (!found && ++tried < REORDERINGS_MAX && next_actors(order, ACTORS_CONCURRENT));
  free(points);
  if (!found) order_find_actors(order, order->length, ACTORS_CONCURRENT);
  return found;
}

// Nothing rules the chain out.
static deadlock_verdict_t judge_possible(order_search_t *order, deadlock_reason_t *reason) {
  *reason = DEADLOCK_REASON_OPPOSITE_ORDER;
  if (wanted_of_kind(order, TRACE_LOCK_SEMAPHORE)) *reason = DEADLOCK_REASON_SEMAPHORES;
  if (!all_wait(order, false)) *reason = DEADLOCK_REASON_WRITER_BETWEEN;
  if (*reason != DEADLOCK_REASON_OPPOSITE_ORDER) return DEADLOCK_POTENTIAL;
  order->reordered = find_reordering(order);
  return order->reordered && !any_timed(order) ? DEADLOCK_FEASIBLE : DEADLOCK_POTENTIAL;
}

// Sets *reason and returns the verdict of the whole chain.
static deadlock_verdict_t judge(order_search_t *order, deadlock_reason_t *reason) {
  order->gate = 0;
  order->reordered = false;
  *reason = DEADLOCK_REASON_READERS;
  if (!all_wait(order, true)) return DEADLOCK_BENIGN;
  *reason = DEADLOCK_REASON_GATE;
  order->gate = gate_of_chain(order);
  if (order->gate) return DEADLOCK_BENIGN;
  bool concurrent = order_find_actors(order, order->length, ACTORS_CONCURRENT);
  *reason = DEADLOCK_REASON_FRESH;
  if (concurrent && any_fresh(order)) return DEADLOCK_BENIGN;
  if (concurrent) return order->ruled_out_too ? DEADLOCK_POTENTIAL : judge_possible(order, reason);
  *reason = DEADLOCK_REASON_HANDED_OVER;
  if (order_find_actors(order, order->length, ACTORS_UNORDERED)) return DEADLOCK_BENIGN;
  *reason = DEADLOCK_REASON_GUARDED;
  if (order_find_actors(order, order->length, ACTORS_UNGUARDED)) {
    order->gate = guard_of_chain(order);
    return DEADLOCK_BENIGN;
  }
  bool possible = order_find_actors(order, order->length, ACTORS_ANY);
  *reason = possible ? DEADLOCK_REASON_ORDERED : DEADLOCK_REASON_SINGLE_THREAD;
  return DEADLOCK_BENIGN;
}

// ---- one bug is one finding --------------------------------------------------------------------

static uint64_t class_of(const order_search_t *order, uint32_t lock) {
  const lock_t *found = locks_get(models_locks(order->search->models), lock);
  return found ? lock_class(found) : lock;
}

static uint64_t leg_hash(const order_search_t *order, const dependency_lock_t *held,
                         const dependency_lock_t *wanted) {
  uint64_t parts[5] = {class_of(order, held->lock), class_of(order, wanted->lock),
                       deadlock_site(order->search, held->stack),
                       deadlock_site(order->search, wanted->stack),
                       (uint64_t)held->mode << 1 | wanted->mode};
  return XXH3_64bits(parts, sizeof parts);
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
  bool graver = known->verdict == DEADLOCK_ACTUAL ||
                (order->ruled_out_too && known->verdict != DEADLOCK_BENIGN &&
                 known->why_not_ruled_out >> DEADLOCK_DOUBT_INDEX_CONCURRENT & 1);
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

static uint32_t doubts_of(const order_search_t *order, const deadlock_t *found) {
  bool timed = any_timed(order);
  uint32_t doubts = 1u << DEADLOCK_DOUBT_INDEX_THREADS | 1u << DEADLOCK_DOUBT_INDEX_NO_GATE |
                    1u << DEADLOCK_DOUBT_INDEX_MODES | 1u << DEADLOCK_DOUBT_INDEX_CONCURRENT;
  doubts |= timed ? 1u << DEADLOCK_DOUBT_INDEX_BOUNDED : 1u << DEADLOCK_DOUBT_INDEX_UNBOUNDED;
  if (order->reordered)
    return doubts | (timed ? 1u << DEADLOCK_DOUBT_INDEX_REORDERED_BOUNDED
                           : 1u << DEADLOCK_DOUBT_INDEX_REORDERED);
  return found->reason == DEADLOCK_REASON_OPPOSITE_ORDER
             ? doubts | 1u << DEADLOCK_DOUBT_INDEX_NOT_REORDERED
             : doubts;
}

static deadlock_kind_t kind_of(const order_search_t *order) {
  if (wanted_of_kind(order, TRACE_LOCK_RWLOCK)) return DEADLOCK_KIND_RWLOCK;
  if (wanted_of_kind(order, TRACE_LOCK_SEMAPHORE)) return DEADLOCK_KIND_SEMAPHORE;
  return DEADLOCK_KIND_LOCK_ORDER;
}

// Place of the leg's hold among the steps of all threads: the newest acquisition of the lock before
// the leg's point.
static uint32_t when_taken(const order_search_t *order, const deadlock_t *found, uint32_t at) {
  const thread_order_t *threads = models_order(order->search->models);
  uint32_t thread = order->actors[at]->thread;
  for (uint32_t index = order->actors[at]->moment.position; index-- > 0;) {
    const order_step_t *step = thread_order_step(threads, thread, index);
    if (step->lock == found->legs[at].holds) return step->when;
  }
  return 0;
}

// The reordering runs its steps in the order they were recorded in; then all ask.
static void fill_schedule(const order_search_t *order, deadlock_t *found) {
  uint32_t count = found->leg_count;
  uint32_t *when = array_resize(NULL, count, sizeof *when);
  found->schedule = array_resize(NULL, (size_t)count * 2, sizeof *found->schedule);
  for (uint32_t leg = 0; leg < count; ++leg) {
    when[leg] = when_taken(order, found, leg);
    uint32_t at = leg;
    for (; at > 0 && when[found->schedule[at - 1].leg] > when[leg]; --at)
      found->schedule[at] = found->schedule[at - 1];
    found->schedule[at] = (deadlock_step_t){.leg = leg};
  }
  for (uint32_t leg = 0; leg < count; ++leg)
    found->schedule[count + leg] = (deadlock_step_t){found->schedule[leg].leg, true};
  free(when);
}

static void choose_any_actors(order_search_t *order) {
  if (order_find_actors(order, order->length, ACTORS_ANY)) return;
  for (uint32_t at = 0; at < order->length; ++at)
    order->actors[at] = &order_entry(order, order->chain[at])->occurrences[0];
}

// Those that are ruled out by what may be otherwise another time.
static void note_benign(deadlocks_t *result, deadlock_reason_t reason) {
  result->handed_over += reason == DEADLOCK_REASON_HANDED_OVER;
  result->fresh += reason == DEADLOCK_REASON_FRESH;
}

static void report(order_search_t *order, deadlock_verdict_t verdict, deadlock_reason_t reason) {
  uint64_t *known = address_map_put(&order->found, merge_key(order, reason));
  deadlocks_t *result = order->search->result;
  if (*known) {
    count_again(&result->items[*known - 1], order);
    return;
  }
  if (result->count >= FINDINGS_MAX) {
    result->search_cut = true;
    return;
  }
  bool ruled_out = verdict == DEADLOCK_BENIGN;
  if (ruled_out) choose_any_actors(order);
  if (ruled_out && order->search->strict_order) verdict = DEADLOCK_POTENTIAL;
  deadlock_t *found = deadlock_add(order->search, verdict, kind_of(order), reason, order->length);
  for (uint32_t at = 0; at < order->length; ++at) fill_leg(order, &found->legs[at], at);
  found->gate = locks_get(models_locks(order->search->models), order->gate) ? order->gate : 0;
  if (!ruled_out)
    found->why_not_ruled_out = doubts_of(order, found);
  else if (verdict == DEADLOCK_POTENTIAL)
    found->why_not_ruled_out = 1u << DEADLOCK_DOUBT_INDEX_STRICT;
  else
    note_benign(result, reason);
  if (order->reordered) fill_schedule(order, found);
  if (!ruled_out && order->length <= DEADLOCK_CYCLE_MAX) order_note_between(order, found);
  *known = result->count;
}

bool order_close_cycle(order_search_t *order) {
  deadlock_reason_t reason;
  ++order->search->result->cycles_examined;
  if (has_handover(order)) return false;
  deadlock_verdict_t verdict = judge(order, &reason);
  if (order->steps > order->steps_max) return false;  // cut short: the verdict is none
  if ((verdict == DEADLOCK_BENIGN) != order->ruled_out_too) return false;
  if (!is_covered(order)) report(order, verdict, reason);
  return true;
}
