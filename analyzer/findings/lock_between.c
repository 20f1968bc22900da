// SPDX-License-Identifier: Apache-2.0
// A lock that one thread of a cycle held after its part, and another one then, before its own:
// where a flag under that lock makes the second wait for the first, the cycle cannot happen. What a
// flag says is not recorded; so this is a hint, and rules out nothing.
#include "analyzer/findings/lock_order.h"

enum { STEPS_MAX = 1 << 16 };  // of a thread that are looked at

static bool is_of_cycle(const order_search_t *order, uint32_t lock) {
  for (uint32_t at = 0; at < order->length; ++at)
    if (order_entry(order, order->chain[at])->wanted.lock == lock) return true;
  return false;
}

// When the actor acquired each lock first behind its point, + 1.
static void note_after(const order_search_t *order, const dependency_occurrence_t *actor,
                       address_map_t *after) {
  const thread_order_t *threads = models_order(order->search->models);
  uint32_t from = actor->moment.position, limit = thread_order_steps(threads, actor->thread);
  if (from < limit && limit - from > STEPS_MAX) limit = from + STEPS_MAX;
  for (uint32_t at = from; at < limit; ++at) {
    const order_step_t *step = thread_order_step(threads, actor->thread, at);
    if (!step->lock || is_of_cycle(order, step->lock)) continue;
    uint64_t *when = address_map_put(after, step->lock);
    if (!*when) *when = (uint64_t)step->when + 1;
  }
}

// The newest such lock that the actor acquired later than that, before its point. 0: none.
static uint32_t find_before(const order_search_t *order, const dependency_occurrence_t *actor,
                            const address_map_t *after) {
  const thread_order_t *threads = models_order(order->search->models);
  uint32_t position = actor->moment.position;
  uint32_t first = position > STEPS_MAX ? position - STEPS_MAX : 0;
  for (uint32_t at = position; at-- > first;) {
    const order_step_t *step = thread_order_step(threads, actor->thread, at);
    const uint64_t *when = step->lock ? address_map_get(after, step->lock) : NULL;
    if (when && *when <= step->when) return step->lock;
  }
  return 0;
}

void order_note_between(const order_search_t *order, deadlock_t *found) {
  for (uint32_t first = 0; first < order->length && !found->between; ++first) {
    address_map_t after = {0};
    if (order->actors[first]->moment.position == ORDER_UNKNOWN) continue;
    note_after(order, order->actors[first], &after);
    for (uint32_t then = 0; then < order->length && !found->between; ++then) {
      if (then == first || order->actors[then]->moment.position == ORDER_UNKNOWN) continue;
      found->between = find_before(order, order->actors[then], &after);
      found->between_first = first;
      found->between_then = then;
    }
    address_map_clear(&after);
  }
}
