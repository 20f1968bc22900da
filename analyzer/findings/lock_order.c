// SPDX-License-Identifier: Apache-2.0
// Looks for deadlocks that could happen: cycles of dependencies. All short ones, by search from
// every entry; of longer ones the shortest through a lock.
#include "analyzer/findings/lock_order.h"
#include "analyzer/models/array.h"

#include <stdlib.h>

enum {
  BENIGN_CYCLE_MAX = 3,  // longer ones that are ruled out are not listed
  RING_STARTS = 16,      // locks of a component from which a long cycle is looked for
};

static uint32_t dense_lock(const order_search_t *order, uint32_t lock) {
  const uint64_t *index = address_map_get(&order->lock_index, lock);
  return (uint32_t)*index - 1;
}

// ---- search ------------------------------------------------------------------------------------

// True where `candidate` may follow the first `depth` entries of the chain. Unless
// ruled_out_too, nothing rules the chain out so far.
static bool may_follow(order_search_t *order, uint32_t depth, uint32_t candidate) {
  const dependency_t *entry = order_entry(order, candidate);
  const dependency_t *last = order_entry(order, order->chain[depth - 1]);
  for (uint32_t at = 0; at < depth; ++at) {
    const dependency_t *before = order_entry(order, order->chain[at]);
    if (before->wanted.lock == entry->wanted.lock) return false;
    if (!order->ruled_out_too && order_common_gate(before, entry)) return false;
  }
  if (order->ruled_out_too) return true;
  if (!order_waits_for(order, &last->wanted, order_held(entry, last->wanted.lock))) return false;
  order->chain[depth] = candidate;
  return order_find_actors(order, depth + 1, ACTORS_CONCURRENT);
}

// Every cycle is found from its entry with the least index only. Depth is at most the length
// looked for, so recursion is shallow.
static void extend(order_search_t *order, uint32_t depth) {
  const dependency_t *last = order_entry(order, order->chain[depth - 1]);
  if (depth == order->length) {
    if (order_held(order_entry(order, order->chain[0]), last->wanted.lock))
      order_close_cycle(order);
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

static void search_lengths(order_search_t *order, bool ruled_out_too, uint32_t longest) {
  order->ruled_out_too = ruled_out_too;
  order->steps = 0;
  order->steps_max = DEADLOCK_STEPS_MAX;
  uint32_t count = dependencies_count(order->dependencies);
  for (order->length = 2; order->length <= longest; ++order->length)
    for (uint32_t first = 0; first < count && order->steps <= order->steps_max; ++first) {
      if (!in_cycle(order, order_entry(order, first))) continue;
      order->chain[0] = first;
      extend(order, 1);
    }
  if (order->steps > order->steps_max && !ruled_out_too) order->search->result->search_cut = true;
}

// ---- long cycles -------------------------------------------------------------------------------

// How a lock was reached by the search: from which lock, by which entry + 1 that wants it.
typedef struct {
  uint32_t from, entry;
} reached_t;

static void reach_locks(const order_search_t *order, uint32_t start, reached_t *reached) {
  uint32_t *queue = array_resize(NULL, order->lock_count + 1, sizeof *queue);
  uint32_t head = 0, tail = 0;
  queue[tail++] = start;
  while (head < tail && !reached[start].entry) {
    uint32_t lock = queue[head++];
    for (uint32_t at = order->holding.first[lock]; at < order->holding.first[lock + 1]; ++at) {
      uint32_t entry = order->holding.targets[at];
      uint32_t next = dense_lock(order, order_entry(order, entry)->wanted.lock);
      if (reached[next].entry || order->component[next] != order->component[start]) continue;
      reached[next] = (reached_t){lock, entry + 1};
      queue[tail++] = next;
    }
  }
  free(queue);
}

static void reverse_chain(order_search_t *order) {
  for (uint32_t at = 0; at < order->length / 2; ++at) {
    uint32_t swapped = order->chain[at];
    order->chain[at] = order->chain[order->length - 1 - at];
    order->chain[order->length - 1 - at] = swapped;
  }
}

// The shortest way from a lock back to itself, by breadth-first search inside its component. Sets
// the chain and its length; false where there is none within DEADLOCK_RING_MAX.
static bool find_ring(order_search_t *order, uint32_t start) {
  reached_t *reached = array_zeroed(order->lock_count, sizeof *reached);
  reach_locks(order, start, reached);
  order->length = 0;
  uint32_t lock = start;
  if (reached[start].entry) {
    do {
      order->chain[order->length++] = reached[lock].entry - 1;
      lock = reached[lock].from;
    } while (lock != start && order->length < DEADLOCK_RING_MAX);
  }
  bool closed = order->length && lock == start;
  reverse_chain(order);
  free(reached);
  return closed;
}

static void mark_found(const order_search_t *order, bool *done) {
  const deadlocks_t *result = order->search->result;
  for (size_t at = 0; at < result->count; ++at)
    for (uint32_t leg = 0; leg < result->items[at].leg_count; ++leg) {
      const uint64_t *index =
          address_map_get(&order->lock_index, result->items[at].legs[leg].wants);
      if (index) done[order->component[*index - 1]] = true;
    }
}

// Components in which no short cycle can deadlock may still have a long one, such as philosophers
// around a table.
static void search_rings(order_search_t *order) {
  bool *done = array_zeroed(order->lock_count, sizeof *done);
  uint8_t *starts = array_zeroed(order->lock_count, sizeof *starts);
  mark_found(order, done);
  order->ruled_out_too = false;
  order->steps = 0;
  for (uint32_t lock = 0; lock < order->lock_count; ++lock) {
    uint32_t component = order->component[lock];
    if (done[component] || starts[component] >= RING_STARTS) continue;
    ++starts[component];
    if (!find_ring(order, lock) || order->length <= DEADLOCK_CYCLE_MAX) continue;
    done[component] = order_close_cycle(order);
  }
  free(done);
  free(starts);
}

// ---- graph -------------------------------------------------------------------------------------

static void number_lock(order_search_t *order, uint32_t lock) {
  uint64_t *index = address_map_put(&order->lock_index, lock);
  if (!*index) *index = ++order->lock_count;
}

// Edges held -> wanted for the components, or held -> dependency for the search.
static graph_t make_graph(order_search_t *order, bool to_entries) {
  uint32_t count = dependencies_count(order->dependencies), total = 0;
  for (uint32_t at = 0; at < count; ++at) total += order_entry(order, at)->held_count;
  uint32_t *from = array_resize(NULL, (size_t)total * 2 + 1, sizeof *from), *to = from + total;
  uint32_t edges = 0;
  for (uint32_t at = 0; at < count; ++at) {
    const dependency_t *entry = order_entry(order, at);
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
    const dependency_t *entry = order_entry(&order, at);
    number_lock(&order, entry->wanted.lock);
    for (uint32_t held = 0; held < entry->held_count; ++held)
      number_lock(&order, entry->held[held].lock);
  }
  order.feasible =
      feasible_open(models_order(search->models), locks_limit(models_locks(search->models)));
  graph_t locks = make_graph(&order, false);
  order.component = graph_components(&locks);
  order.holding = make_graph(&order, true);
  order.chain = array_zeroed(DEADLOCK_RING_MAX, sizeof *order.chain);
  order.actors = array_zeroed(DEADLOCK_RING_MAX, sizeof *order.actors);
  order.choices = array_zeroed(DEADLOCK_RING_MAX, sizeof *order.choices);
  search_lengths(&order, false, DEADLOCK_CYCLE_MAX);
  search_rings(&order);
  search_lengths(&order, true, BENIGN_CYCLE_MAX);
  feasible_close(order.feasible);
  graph_free(&locks);
  graph_free(&order.holding);
  free(order.component);
  free(order.chain);
  free(order.actors);
  free(order.choices);
  address_map_clear(&order.lock_index);
  address_map_clear(&order.found);
}
