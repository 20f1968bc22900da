// SPDX-License-Identifier: Apache-2.0
// Locks that were destroyed, or whose memory was given back, while they were in use, as findings:
// the first leg is who did it, the second one the user, where that is known.
#include "analyzer/findings/deadlocks_private.h"
#include "analyzer/models/array.h"

static deadlock_reason_t reason_of(const lock_misuse_t *misuse) {
  bool freed = misuse->end == LOCK_END_FREED;
  if (misuse->waits) return freed ? DEADLOCK_REASON_FREED_WAITED : DEADLOCK_REASON_DESTROYED_WAITED;
  if (misuse->refused) return DEADLOCK_REASON_DESTRUCTION_REFUSED;
  return freed ? DEADLOCK_REASON_FREED_HELD : DEADLOCK_REASON_DESTROYED_HELD;
}

static void fill_user(deadlock_leg_t *leg, const lock_misuse_t *misuse) {
  *leg = (deadlock_leg_t){.thread = misuse->user,
                          .thread_count = 1,
                          .count = misuse->count,
                          .first_ns = misuse->user_since_ns,
                          .last_ns = misuse->last_ns};
  if (misuse->waits) {
    leg->wants = misuse->lock;
    leg->wants_stack = misuse->user_stack;
    return;
  }
  leg->holds = misuse->lock;
  leg->holds_mode = misuse->mode;
  leg->holds_stack = misuse->user_stack;
}

static void add_misuse(deadlock_search_t *search, const lock_misuse_t *misuse) {
  deadlock_t *found = deadlock_add(search, DEADLOCK_HAZARD, DEADLOCK_KIND_DESTROYED,
                                   reason_of(misuse), misuse->user ? 2 : 1);
  found->merged = misuse->count;
  found->legs[0] = (deadlock_leg_t){.thread = misuse->by,
                                    .thread_count = 1,
                                    .wants = misuse->lock,
                                    .wants_stack = misuse->by_stack,
                                    .count = misuse->count,
                                    .first_ns = misuse->first_ns,
                                    .last_ns = misuse->last_ns};
  if (misuse->user) fill_user(&found->legs[1], misuse);
}

// Who waited for it is stuck behind who held it.
static bool add_to_known(deadlock_search_t *search, const lock_misuse_t *misuse) {
  for (size_t at = 0; misuse->waits && at < search->result->count; ++at) {
    deadlock_t *known = &search->result->items[at];
    if (known->kind != DEADLOCK_KIND_DESTROYED || known->legs[0].wants != misuse->lock) continue;
    known->bystanders =
        array_resize(known->bystanders, known->bystander_count + 1, sizeof *known->bystanders);
    known->bystanders[known->bystander_count++] =
        (deadlock_bystander_t){.thread = misuse->user,
                               .wants = misuse->lock,
                               .stack = misuse->user_stack,
                               .since_ns = misuse->user_since_ns};
    return true;
  }
  return false;
}

void misuse_search(deadlock_search_t *search) {
  const locks_t *locks = models_locks(search->models);
  for (unsigned waits = 0; waits < 2; ++waits)
    for (uint32_t at = 0; at < locks_misuse_count(locks); ++at) {
      const lock_misuse_t *misuse = locks_misuse(locks, at);
      if (misuse->waits == waits && !add_to_known(search, misuse)) add_misuse(search, misuse);
    }
}
