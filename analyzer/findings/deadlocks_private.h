// SPDX-License-Identifier: Apache-2.0
// What the searches for deadlocks share: the list they add to.
#ifndef ANALYZER_FINDINGS_DEADLOCKS_PRIVATE_H
#define ANALYZER_FINDINGS_DEADLOCKS_PRIVATE_H

#include "analyzer/findings/deadlocks.h"

typedef struct {
  const models_t *models;
  bool strict_order;
  deadlocks_t *result;
  uint32_t capacity;
} deadlock_search_t;

// A new finding at the end of the list with `legs` empty legs. Valid until the next one.
deadlock_t *deadlock_add(deadlock_search_t *search, deadlock_verdict_t verdict,
                         deadlock_kind_t kind, deadlock_reason_t reason, uint32_t legs);
// Sets the leg's also_holds to what the thread holds at the end, without `except`.
void deadlock_note_held(const deadlock_search_t *search, deadlock_leg_t *leg);

// ACTUAL ones: from who waits for whom when the trace ends (wait_for.c).
void wait_for_search(deadlock_search_t *search);
// ACTUAL ones without a cycle, and barriers for which too few are left (standstill.c). After the
// search above.
void standstill_search(deadlock_search_t *search);
// A pool whose workers wait for jobs of their own pool (pool_waits.c); true: found. `standstill`:
// every thread waits for another one.
bool pool_waits_search(deadlock_search_t *search, bool running, bool standstill);
// The thread waits, and is none of the finding's own.
void deadlock_add_bystander(const deadlock_search_t *search, deadlock_t *found, uint32_t thread);
// Equal for stacks that are one call site when findings are merged.
uint64_t deadlock_site(const deadlock_search_t *search, uint32_t stack);
// HAZARDs: waits on conditions while another lock is held (hazards.c). Last.
void hazards_search(deadlock_search_t *search);
// HAZARDs: locks that are tried in vain in turns (livelocks.c), or end in use (misuse.c).
void livelocks_search(deadlock_search_t *search);
void misuse_search(deadlock_search_t *search);
// POTENTIAL and BENIGN ones: from cycles of dependencies (lock_order.c).
void lock_order_search(deadlock_search_t *search);

#endif
