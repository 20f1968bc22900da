// SPDX-License-Identifier: Apache-2.0
// Waits on a condition while another lock is held: no cycle, but whoever would signal may need that
// lock. Where a thread is stuck in such a wait when the trace ends, those who wait for what it
// holds are named.
#include "analyzer/findings/deadlocks_private.h"
#include "analyzer/models/address_map.h"
#include "analyzer/models/array.h"

#include <stdlib.h>
#include <xxhash.h>

typedef struct {
  deadlock_search_t *search;
  const threads_t *threads;
  const locks_t *locks;
  bool running;
  address_map_t found;  // merge key -> index in result + 1
} hazards_t;

// What a thread was in the middle of; of a process that runs only what lasts.
static const thread_pending_t *pending_of(const hazards_t *hazards, uint32_t thread) {
  static const thread_pending_t nothing;
  const thread_account_t *account = threads_get(hazards->threads, thread);
  if (!account->seen || account->ended || (hazards->running && !account->quiet)) return &nothing;
  return &account->pending;
}

static bool thread_holds(const hazards_t *hazards, uint32_t thread, uint32_t lock) {
  for (uint32_t at = 0; at < locks_held_count(hazards->locks, thread); ++at)
    if (locks_held(hazards->locks, thread, at) == lock) return true;
  return false;
}

// A standstill on the condition is what the hazard has led to: it says what stays held.
static bool has_come_true(const hazards_t *hazards, const condition_hazard_t *hazard) {
  const deadlocks_t *result = hazards->search->result;
  for (size_t at = 0; at < result->count; ++at) {
    const deadlock_t *found = &result->items[at];
    for (uint32_t leg = 0; found->arrived && leg < found->leg_count; ++leg) {
      if (found->condition != hazard->condition || found->legs[leg].thread != hazard->thread)
        continue;
      found->legs[leg].holds = hazard->held;
      found->legs[leg].holds_stack = hazard->held_stack;
      return true;
    }
  }
  return false;
}

// ---- who is stuck ------------------------------------------------------------------------------

static void add_bystander(deadlock_t *found, uint32_t thread, uint32_t lock,
                          const thread_pending_t *pending) {
  found->bystanders =
      array_resize(found->bystanders, found->bystander_count + 1, sizeof *found->bystanders);
  found->bystanders[found->bystander_count++] = (deadlock_bystander_t){
      .thread = thread, .wants = lock, .stack = pending->stack, .since_ns = pending->since_ns};
}

static void add_bystanders(const hazards_t *hazards, deadlock_t *found, uint32_t held) {
  for (uint32_t thread = 1; thread < threads_limit(hazards->threads); ++thread) {
    const thread_pending_t *pending = pending_of(hazards, thread);
    const lock_t *lock =
        pending->what == TRACE_PENDING_LOCK ? locks_at(hazards->locks, pending->object) : NULL;
    if (lock && lock->id == held) add_bystander(found, thread, held, pending);
  }
}

// Names the thread that is in such a wait now, and who waits for what it holds.
static void note_stuck(const hazards_t *hazards, deadlock_t *found,
                       const condition_hazard_t *hazard) {
  if (found->bystander_count) return;
  for (uint32_t thread = 1; thread < threads_limit(hazards->threads); ++thread) {
    const thread_pending_t *pending = pending_of(hazards, thread);
    if (pending->what != TRACE_PENDING_CONDITION || pending->object != hazard->condition ||
        !thread_holds(hazards, thread, hazard->held))
      continue;
    add_bystanders(hazards, found, hazard->held);
    if (found->bystander_count) found->legs[0].thread = thread;
    return;
  }
}

// ---- one hazard is one finding -----------------------------------------------------------------

static uint64_t class_of(const hazards_t *hazards, uint32_t lock) {
  const lock_t *found = locks_get(hazards->locks, lock);
  return found ? lock_class(found) : lock;
}

static uint64_t merge_key(const hazards_t *hazards, const condition_hazard_t *hazard) {
  uint64_t parts[3] = {class_of(hazards, hazard->held),
                       deadlock_site(hazards->search, hazard->held_stack),
                       deadlock_site(hazards->search, hazard->stack)};
  return XXH3_64bits(parts, sizeof parts) | 1;
}

static void add_hazard(hazards_t *hazards, const condition_hazard_t *hazard) {
  deadlock_t *found = deadlock_add(hazards->search, DEADLOCK_HAZARD, DEADLOCK_KIND_CONDITION,
                                   DEADLOCK_REASON_WAITS_HOLDING, 1);
  found->condition = hazard->condition;
  found->signalled = hazard->signalled;
  found->legs[0] = (deadlock_leg_t){.thread = hazard->thread,
                                    .thread_count = 1,
                                    .holds = hazard->held,
                                    .holds_stack = hazard->held_stack,
                                    .wants = hazard->mutex,
                                    .wants_stack = hazard->stack,
                                    .count = hazard->count,
                                    .first_ns = hazard->first_ns,
                                    .last_ns = hazard->last_ns};
  note_stuck(hazards, found, hazard);
}

static void merge_hazard(const hazards_t *hazards, deadlock_t *known,
                         const condition_hazard_t *hazard) {
  deadlock_leg_t *leg = &known->legs[0];
  ++known->merged;
  known->signalled += hazard->signalled;
  leg->count += hazard->count;
  if (hazard->first_ns < leg->first_ns) leg->first_ns = hazard->first_ns;
  if (hazard->last_ns > leg->last_ns) leg->last_ns = hazard->last_ns;
  note_stuck(hazards, known, hazard);
}

void hazards_search(deadlock_search_t *search) {
  const reader_t *reader = models_reader(search->models);
  hazards_t hazards = {.search = search,
                       .threads = models_threads(search->models),
                       .locks = models_locks(search->models),
                       .running = reader && reader_summary(reader)->running};
  for (uint32_t at = 0; at < locks_hazard_count(hazards.locks); ++at) {
    const condition_hazard_t *hazard = locks_hazard(hazards.locks, at);
    if (has_come_true(&hazards, hazard)) continue;
    uint64_t *known = address_map_put(&hazards.found, merge_key(&hazards, hazard));
    if (*known) {
      merge_hazard(&hazards, &search->result->items[*known - 1], hazard);
      continue;
    }
    add_hazard(&hazards, hazard);
    *known = search->result->count;
  }
  address_map_clear(&hazards.found);
}
