// SPDX-License-Identifier: Apache-2.0
// Deadlocks that could happen: chains of dependencies D1 .. Dn in which each wants what the next
// one holds and the last wants what the first holds. Such a cycle is
//   READERS        if somewhere wanted and held modes do not exclude each other
//   GATE           if two of them hold one more lock that keeps them apart
//   SINGLE_THREAD  if they cannot be done by as many different threads
//   ORDERED        if create and join keep every choice of threads apart
// and POTENTIAL otherwise.
#include "analyzer/findings/components.h"
#include "analyzer/findings/deadlocks_private.h"
#include "analyzer/models/address_map.h"
#include "analyzer/models/array.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
  BENIGN_CYCLE_MAX = 3,  // longer ones that are ruled out are not listed
  FINDINGS_MAX = 1000,
  SITE_FRAMES = 2,  // innermost frames that make stacks one call site
};

typedef struct {
  deadlock_search_t *search;
  const dependencies_t *dependencies;
  address_map_t lock_index;  // lock id -> 1 + dense index
  uint32_t lock_count;
  graph_t holding;      // dense lock -> dependencies that hold it and can be in a cycle
  uint32_t *component;  // of dense locks
  address_map_t found;  // merge key -> index in result + 1
  uint64_t steps, steps_max;
  bool strict;                                                // only cycles that nothing rules out
  uint32_t length;                                            // of the cycles looked for
  uint32_t chain[DEADLOCK_CYCLE_MAX];                         // dependency indices
  const dependency_occurrence_t *actors[DEADLOCK_CYCLE_MAX];  // who could do each
  uint32_t gate;
} order_search_t;

static const dependency_t *entry_at(const order_search_t *order, uint32_t index) {
  return dependencies_get(order->dependencies, index);
}

static uint32_t dense_lock(const order_search_t *order, uint32_t lock) {
  const uint64_t *index = address_map_get(&order->lock_index, lock);
  return (uint32_t)*index - 1;
}

// ---- what rules a cycle out --------------------------------------------------------------------

static const dependency_lock_t *held_in(const dependency_t *entry, uint32_t lock) {
  for (uint32_t at = 0; at < entry->held_count; ++at)
    if (entry->held[at].lock == lock) return &entry->held[at];
  return NULL;
}

static bool modes_exclude(const dependency_lock_t *a, const dependency_lock_t *b) {
  return a->mode == LOCK_MODE_EXCLUSIVE || b->mode == LOCK_MODE_EXCLUSIVE;
}

// The lock that both hold in modes that exclude each other, 0: none.
static uint32_t common_gate(const dependency_t *a, const dependency_t *b) {
  for (uint32_t at = 0; at < a->held_count; ++at) {
    const dependency_lock_t *held = held_in(b, a->held[at].lock);
    if (held && modes_exclude(held, &a->held[at])) return held->lock;
  }
  return 0;
}

static bool may_meet(const order_search_t *order, const dependency_occurrence_t *a,
                     const dependency_occurrence_t *b, bool ordered_too) {
  if (a->thread == b->thread) return false;
  return ordered_too || (!dependencies_ordered(order->dependencies, a, b) &&
                         !dependencies_ordered(order->dependencies, b, a));
}

// Finds for entries [0, count) of the chain occurrences in pairwise different threads that, unless
// `ordered_too`, are not ordered. Backtracking without recursion over at most eight choices each.
static bool find_actors(order_search_t *order, uint32_t count, bool ordered_too) {
  uint32_t choice[DEADLOCK_CYCLE_MAX] = {0};
  for (uint32_t at = 0; at < count;) {
    const dependency_t *entry = entry_at(order, order->chain[at]);
    bool fits = false;
    for (; !fits && choice[at] < entry->occurrence_count; ++choice[at]) {
      order->actors[at] = &entry->occurrences[choice[at]];
      fits = true;
      for (uint32_t other = 0; fits && other < at; ++other)
        fits = may_meet(order, order->actors[other], order->actors[at], ordered_too);
      ++order->steps;
    }
    if (fits) {
      if (++at < count) choice[at] = 0;
    } else if (at-- == 0) {
      return false;
    }
  }
  return true;
}

static bool modes_exclude_all(const order_search_t *order) {
  for (uint32_t at = 0; at < order->length; ++at) {
    const dependency_t *entry = entry_at(order, order->chain[at]);
    const dependency_t *next = entry_at(order, order->chain[(at + 1) % order->length]);
    if (!modes_exclude(&entry->wanted, held_in(next, entry->wanted.lock))) return false;
  }
  return true;
}

static uint32_t gate_of_chain(const order_search_t *order) {
  for (uint32_t a = 0; a < order->length; ++a)
    for (uint32_t b = a + 1; b < order->length; ++b) {
      uint32_t gate =
          common_gate(entry_at(order, order->chain[a]), entry_at(order, order->chain[b]));
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
  if (find_actors(order, order->length, false)) return DEADLOCK_POTENTIAL;
  bool possible = find_actors(order, order->length, true);
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
  return held_in(entry_at(order, order->chain[at]), entry_at(order, before)->wanted.lock);
}

// The same for a cycle wherever it is entered.
static uint64_t merge_key(const order_search_t *order, deadlock_reason_t reason) {
  uint64_t sum = reason * UINT64_C(0x9e3779b97f4a7c15);
  for (uint32_t at = 0; at < order->length; ++at)
    sum += leg_hash(order, leg_held(order, at), &entry_at(order, order->chain[at])->wanted);
  return sum | 1;
}

static bool chain_wants(const order_search_t *order, uint32_t lock) {
  for (uint32_t at = 0; at < order->length; ++at)
    if (entry_at(order, order->chain[at])->wanted.lock == lock) return true;
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
    const dependency_t *entry = entry_at(order, order->chain[at]);
    if (entry->last_ns > known->legs[at].last_ns) known->legs[at].last_ns = entry->last_ns;
  }
}

static void fill_leg(const order_search_t *order, deadlock_leg_t *leg, uint32_t at) {
  const dependency_t *entry = entry_at(order, order->chain[at]);
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
                                   entry_at(order, order->chain[at])->wanted.lock);
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
  if (verdict == DEADLOCK_BENIGN && !find_actors(order, order->length, true))
    for (uint32_t at = 0; at < order->length; ++at)
      order->actors[at] = &entry_at(order, order->chain[at])->occurrences[0];
  deadlock_t *found = deadlock_add(order->search, verdict, kind_of(order), reason, order->length);
  for (uint32_t at = 0; at < order->length; ++at) fill_leg(order, &found->legs[at], at);
  found->gate = order->gate;
  if (verdict == DEADLOCK_POTENTIAL) found->why_not_ruled_out = doubts_of(found);
  *known = order->search->result->count;
}

static void close_cycle(order_search_t *order) {
  deadlock_reason_t reason;
  ++order->search->result->cycles_examined;
  deadlock_verdict_t verdict = judge(order, &reason);
  if ((verdict == DEADLOCK_BENIGN) == order->strict || is_covered(order)) return;
  report(order, verdict, reason);
}

// ---- search ------------------------------------------------------------------------------------

// True where `candidate` may follow the first `depth` entries of the chain. Strictly: nothing rules
// the chain out so far.
static bool may_follow(order_search_t *order, uint32_t depth, uint32_t candidate) {
  const dependency_t *entry = entry_at(order, candidate);
  const dependency_t *last = entry_at(order, order->chain[depth - 1]);
  for (uint32_t at = 0; at < depth; ++at) {
    const dependency_t *before = entry_at(order, order->chain[at]);
    if (before->wanted.lock == entry->wanted.lock) return false;
    if (order->strict && common_gate(before, entry)) return false;
  }
  if (!order->strict) return true;
  if (!modes_exclude(&last->wanted, held_in(entry, last->wanted.lock))) return false;
  order->chain[depth] = candidate;
  return find_actors(order, depth + 1, false);
}

// Every cycle is found from its entry with the least index only. Depth is at most the length
// looked for, so recursion is shallow.
static void extend(order_search_t *order, uint32_t depth) {
  const dependency_t *last = entry_at(order, order->chain[depth - 1]);
  if (depth == order->length) {
    if (held_in(entry_at(order, order->chain[0]), last->wanted.lock)) close_cycle(order);
    return;
  }
  uint32_t lock = dense_lock(order, last->wanted.lock);
  for (uint32_t at = order->holding.first[lock]; at < order->holding.first[lock + 1]; ++at) {
    if (++order->steps > order->steps_max) return;
    uint32_t candidate = order->holding.targets[at];
    if (candidate <= order->chain[0] || !may_follow(order, depth, candidate)) continue;
    order->chain[depth] = candidate;
    extend(order, depth + 1);
  }
}

static bool in_cycle(const order_search_t *order, const dependency_t *entry) {
  uint32_t wanted = order->component[dense_lock(order, entry->wanted.lock)];
  for (uint32_t at = 0; at < entry->held_count; ++at)
    if (order->component[dense_lock(order, entry->held[at].lock)] == wanted) return true;
  return false;
}

static void search_lengths(order_search_t *order, bool strict, uint32_t longest) {
  order->strict = strict;
  order->steps = 0;
  order->steps_max = DEADLOCK_STEPS_MAX;
  uint32_t count = dependencies_count(order->dependencies);
  for (order->length = 2; order->length <= longest; ++order->length)
    for (uint32_t first = 0; first < count && order->steps <= order->steps_max; ++first) {
      if (!in_cycle(order, entry_at(order, first))) continue;
      order->chain[0] = first;
      extend(order, 1);
    }
  if (order->steps > order->steps_max && strict) order->search->result->search_cut = true;
}

static void number_lock(order_search_t *order, uint32_t lock) {
  uint64_t *index = address_map_put(&order->lock_index, lock);
  if (!*index) *index = ++order->lock_count;
}

// Edges held -> wanted for the components, or held -> dependency for the search.
static graph_t make_graph(order_search_t *order, bool to_entries) {
  uint32_t count = dependencies_count(order->dependencies), total = 0;
  for (uint32_t at = 0; at < count; ++at) total += entry_at(order, at)->held_count;
  uint32_t *from = array_resize(NULL, (size_t)total * 2 + 1, sizeof *from), *to = from + total;
  uint32_t edges = 0;
  for (uint32_t at = 0; at < count; ++at) {
    const dependency_t *entry = entry_at(order, at);
    if (to_entries && !in_cycle(order, entry)) continue;
    for (uint32_t held = 0; held < entry->held_count; ++held, ++edges) {
      from[edges] = dense_lock(order, entry->held[held].lock);
      to[edges] = to_entries ? at : dense_lock(order, entry->wanted.lock);
    }
  }
  graph_t graph = graph_make(order->lock_count, from, to, edges);
  free(from);
  return graph;
}

void lock_order_search(deadlock_search_t *search) {
  order_search_t order = {.search = search, .dependencies = models_dependencies(search->models)};
  uint32_t count = dependencies_count(order.dependencies);
  if (!count) return;
  for (uint32_t at = 0; at < count; ++at) {
    const dependency_t *entry = entry_at(&order, at);
    number_lock(&order, entry->wanted.lock);
    for (uint32_t held = 0; held < entry->held_count; ++held)
      number_lock(&order, entry->held[held].lock);
  }
  graph_t locks = make_graph(&order, false);
  order.component = graph_components(&locks);
  order.holding = make_graph(&order, true);
  search_lengths(&order, true, DEADLOCK_CYCLE_MAX);
  search_lengths(&order, false, BENIGN_CYCLE_MAX);
  graph_free(&locks);
  graph_free(&order.holding);
  free(order.component);
  address_map_clear(&order.lock_index);
  address_map_clear(&order.found);
}
