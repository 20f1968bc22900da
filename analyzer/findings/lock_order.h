// SPDX-License-Identifier: Apache-2.0
// The search for cycles of dependencies (lock_order.c) and its judgement of one (lock_verdict.c).
#ifndef ANALYZER_FINDINGS_LOCK_ORDER_H
#define ANALYZER_FINDINGS_LOCK_ORDER_H

#include "analyzer/findings/components.h"
#include "analyzer/findings/deadlocks_private.h"
#include "analyzer/findings/feasible.h"
#include "analyzer/models/address_map.h"

// A chain D1 .. Dn of dependencies, each of which wants what the next one holds; a cycle if the
// last wants what the first holds.
typedef struct {
  deadlock_search_t *search;
  const dependencies_t *dependencies;
  address_map_t lock_index;  // lock id -> 1 + dense index
  uint32_t lock_count;
  graph_t holding;      // dense lock -> dependencies that hold it, in a cycle
  uint32_t *component;  // of dense locks
  address_map_t found;  // merge key -> index in result + 1
  uint64_t steps, steps_max;
  bool ruled_out_too;                      // else only cycles that nothing rules out
  uint32_t length;                         // of the cycles looked for
  uint32_t *chain;                         // dependency indices, DEADLOCK_RING_MAX
  const dependency_occurrence_t **actors;  // who could do each
  uint32_t *choices;                       // which of its occurrences that is
  uint32_t gate;
  bool reordered;  // what was seen can be reordered so that all of the chain wait
  feasible_t *feasible;
} order_search_t;

// Which occurrences may be in one cycle: such as nothing that was seen orders; such as creation,
// joins, barriers and locks that guard whole threads do not keep apart; not even the guards; or any
// in different threads.
typedef enum { ACTORS_CONCURRENT, ACTORS_UNORDERED, ACTORS_UNGUARDED, ACTORS_ANY } actors_t;

static inline const dependency_t *order_entry(const order_search_t *order, uint32_t index) {
  return dependencies_get(order->dependencies, index);
}

// How the entry holds the lock, NULL: it does not.
const dependency_lock_t *order_held(const dependency_t *entry, uint32_t lock);
bool order_modes_exclude(const dependency_lock_t *a, const dependency_lock_t *b);
// A request waits for that hold: the modes exclude each other, or both are readers of a lock that
// lets waiting writers go first, and has writers.
bool order_waits_for(const order_search_t *order, const dependency_lock_t *wanted,
                     const dependency_lock_t *held);
// The lock that both hold in modes that exclude each other, 0: none.
uint32_t order_common_gate(const dependency_t *a, const dependency_t *b);
// Finds for the first `count` entries of the chain occurrences in pairwise different threads, as
// `actors` says. Sets actors.
bool order_find_actors(order_search_t *order, uint32_t count, actors_t actors);
// Notes in the finding which lock its actors passed on between their parts (lock_between.c).
void order_note_between(const order_search_t *order, deadlock_t *found);
// The chain is a cycle of `length`: judges and reports it. True where it is in the list now as what
// the search looks for.
bool order_close_cycle(order_search_t *order);

#endif
