// SPDX-License-Identifier: Apache-2.0
// What a lock's waits come from.
#include "analyzer/findings/contention.h"

static const site_total_t *most_of(const site_table_t *sites, bool elsewhere) {
  const site_total_t *most = NULL;
  for (uint32_t at = 0; at < sites->count; ++at) {
    const site_total_t *site = &sites->items[at];
    if (!site->stack || (elsewhere && !site->kind)) continue;
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

static contention_cause_t cause_of(const lock_t *lock, const contention_t *found) {
  uint64_t waits = lock->wait_ns.total;
  if (!lock->blamed_ns && !waits) return CONTENTION_NONE;
  if (found->block && found->block->waited_ns >= lock->blamed_ns / 2) return CONTENTION_BLOCKING;
  if (found->other && elsewhere_ns(&lock->holders) > waits / 2) return CONTENTION_ELSEWHERE;
  if (lock->reacquire_ns > lock->blamed_ns / 2) return CONTENTION_WOKEN;
  if (histogram_quantile(&lock->hold_ns, 0.5) >= CONTENTION_LONG_NS) return CONTENTION_LONG_HOLDS;
  if (lock->convoys.count) return CONTENTION_CONVOY;
  if (histogram_quantile(&lock->hold_ns, 0.99) >= CONTENTION_LONG_NS) return CONTENTION_SOME_HOLDS;
  return CONTENTION_OFTEN;
}

contention_t contention_judge(const lock_t *lock) {
  const site_total_t *site = most_of(&lock->blamed, false), *other = most_of(&lock->holders, true);
  const lock_block_t *block = lock->blocks.count ? &lock->blocks.items[0] : NULL;
  contention_t found = {.site = site ? site->stack : 0,
                        .site_ns = site ? site->total_ns : 0,
                        .block = block && block->waited_ns ? block : NULL,
                        .other = other ? other->kind : 0,
                        .other_site = other ? other->stack : 0};
  found.cause = cause_of(lock, &found);
  return found;
}
