// SPDX-License-Identifier: Apache-2.0
// Threads that try each other's locks and get nowhere, as findings.
#include "analyzer/findings/deadlocks_private.h"

static void fill_leg(deadlock_leg_t *leg, const lock_tries_t *tries) {
  *leg = (deadlock_leg_t){.thread = tries->thread,
                          .thread_count = 1,
                          .holds = tries->holds,
                          .holds_stack = tries->holds_stack,
                          .wants = tries->wants,
                          .wants_stack = tries->wants_stack,
                          .count = tries->count,
                          .first_ns = tries->first_ns,
                          .last_ns = tries->last_ns};
}

void livelocks_search(deadlock_search_t *search) {
  const locks_t *locks = models_locks(search->models);
  for (uint32_t at = 0; at < locks_livelock_count(locks); ++at) {
    const lock_livelock_t *livelock = locks_livelock(locks, at);
    deadlock_t *found = deadlock_add(search, DEADLOCK_HAZARD, DEADLOCK_KIND_LIVELOCK,
                                     DEADLOCK_REASON_TRIES, livelock->leg_count);
    found->over_ns = livelock->over_ns;
    found->merged = livelock->count;
    for (uint32_t leg = 0; leg < livelock->leg_count; ++leg)
      fill_leg(&found->legs[leg], &livelock->legs[leg]);
  }
}
