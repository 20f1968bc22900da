// SPDX-License-Identifier: Apache-2.0
// What a lock's waits come from.
#include "analyzer/findings/contention.h"

// The site that held most of what the holders waited for themselves.
static const site_total_t *most_elsewhere(const site_table_t *sites) {
  const site_total_t *most = NULL;
  for (uint32_t at = 0; at < sites->count; ++at) {
    const site_total_t *site = &sites->items[at];
    if (!site->stack || !site->kind) continue;
    if (!most || site->total_ns > most->total_ns) most = site;
  }
  return most;
}

static uint64_t elsewhere_ns(const site_table_t *sites) {
  uint64_t sum = 0;
  for (uint32_t at = 0; at < sites->count; ++at)
    if (sites->items[at].kind) sum += sites->items[at].total_ns;
  return sum;
}

// A few short waits are what locks are for: nothing follows from them. A few long ones tell.
static bool is_worth_advice(const lock_t *lock) {
  uint64_t waits = lock->wait_ns.count + lock->reacquires;
  uint64_t least = waits < CONTENTION_ADVICE_WAITS ? CONTENTION_FEW_NS : CONTENTION_ADVICE_NS;
  return lock->blamed_ns >= least;
}

// Who holds it at the end has held it through most of all waits: its hold is in no histogram.
static bool is_still_held(const lock_t *lock, uint64_t end_ns) {
  const lock_holder_t *owner = lock->owner.thread ? &lock->owner : lock->readers;
  if (!lock_is_held(lock) || end_ns < owner->since_ns + CONTENTION_FEW_NS) return false;
  return lock->wait_ns.max >= CONTENTION_FEW_NS && lock->wait_ns.max > lock->hold_ns.max &&
         (end_ns - owner->since_ns) * 2 > lock->wait_ns.max &&
         lock->wait_ns.max * 2 > lock->wait_ns.total;
}

static contention_cause_t cause_of(const lock_t *lock, const contention_t *found, uint64_t end_ns) {
  uint64_t waits = lock->wait_ns.total;
  if (!is_worth_advice(lock)) return CONTENTION_NONE;
  if (is_still_held(lock, end_ns)) return CONTENTION_STILL_HELD;
  if (found->block && found->block->waited_ns >= lock->blamed_ns / 2) return CONTENTION_BLOCKING;
  if (found->other && elsewhere_ns(&lock->holders) > waits / 2) return CONTENTION_ELSEWHERE;
  if (lock->reacquire_ns > lock->blamed_ns / 2) return CONTENTION_WOKEN;
  if (histogram_quantile(&lock->hold_ns, 0.5) >= CONTENTION_LONG_NS) return CONTENTION_LONG_HOLDS;
  if (lock->convoys.count) return CONTENTION_CONVOY;
  if (histogram_quantile(&lock->hold_ns, 0.99) >= CONTENTION_LONG_NS) return CONTENTION_SOME_HOLDS;
  return CONTENTION_OFTEN;
}

contention_t contention_judge(const lock_t *lock, uint64_t end_ns) {
  const site_total_t *other = most_elsewhere(&lock->holders);
  const lock_block_t *block = lock->blocks.count ? &lock->blocks.items[0] : NULL;
  contention_t found = {.block = block && block->waited_ns ? block : NULL,
                        .other = other ? other->kind : 0,
                        .other_site = other ? other->stack : 0};
  found.cause = cause_of(lock, &found, end_ns);
  return found;
}
