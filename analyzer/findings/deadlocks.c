// SPDX-License-Identifier: Apache-2.0
// The list of deadlock findings: what the searches found, gravest first.
#include "analyzer/findings/deadlocks.h"

#include "analyzer/findings/deadlocks_private.h"
#include "analyzer/models/array.h"

#include <stdlib.h>
#include <xxhash.h>

enum { SITE_FRAMES = 2 };  // innermost frames that make stacks one call site

static const char *const verdict_names[] = {
#define VERDICT(name, key, text) key,
    DEADLOCK_VERDICT_TABLE(VERDICT)
#undef VERDICT
};
static const char *const verdict_meanings[] = {
#define VERDICT(name, key, text) text,
    DEADLOCK_VERDICT_TABLE(VERDICT)
#undef VERDICT
};
static const char *const kind_names[] = {
#define KIND(name, key) key,
    DEADLOCK_KIND_TABLE(KIND)
#undef KIND
};
static const char *const reason_texts[] = {
#define REASON(name, text) text,
    DEADLOCK_REASON_TABLE(REASON)
#undef REASON
};
static const char *const doubt_texts[] = {
#define DOUBT(name, text) text,
    DEADLOCK_DOUBT_TABLE(DOUBT)
#undef DOUBT
};

const char *deadlock_verdict_name(deadlock_verdict_t verdict) { return verdict_names[verdict]; }
const char *deadlock_verdict_meaning(deadlock_verdict_t verdict) {
  return verdict_meanings[verdict];
}
const char *deadlock_kind_name(deadlock_kind_t kind) { return kind_names[kind]; }
const char *deadlock_reason_text(deadlock_reason_t reason) { return reason_texts[reason]; }
const char *deadlock_doubt_text(deadlock_doubt_t doubt) { return doubt_texts[doubt]; }

deadlock_t *deadlock_add(deadlock_search_t *search, deadlock_verdict_t verdict,
                         deadlock_kind_t kind, deadlock_reason_t reason, uint32_t legs) {
  deadlocks_t *result = search->result;
  ARRAY_RESERVE(result->items, search->capacity, (uint32_t)result->count + 1);
  deadlock_t *added = &result->items[result->count++];
  *added = (deadlock_t){.id = (uint32_t)result->count,
                        .verdict = verdict,
                        .kind = kind,
                        .reason = reason,
                        .leg_count = legs,
                        .merged = 1};
  added->legs = array_zeroed(legs, sizeof *added->legs);
  return added;
}

void deadlock_note_held(const deadlock_search_t *search, deadlock_leg_t *leg) {
  const locks_t *locks = models_locks(search->models);
  uint32_t count = locks_held_count(locks, leg->thread);
  leg->also_holds = array_resize(NULL, count + 1, sizeof *leg->also_holds);
  for (uint32_t at = 0; at < count; ++at) {
    uint32_t lock = locks_held(locks, leg->thread, at);
    if (lock != leg->holds) leg->also_holds[leg->also_held++] = lock;
  }
}

void deadlock_add_bystander(const deadlock_search_t *search, deadlock_t *found, uint32_t thread) {
  const threads_t *threads = models_threads(search->models);
  const thread_pending_t *pending = &threads_get(threads, thread)->pending;
  found->bystanders =
      array_resize(found->bystanders, found->bystander_count + 1, sizeof *found->bystanders);
  deadlock_bystander_t *stuck = &found->bystanders[found->bystander_count++];
  *stuck = (deadlock_bystander_t){
      .thread = thread, .stack = pending->stack, .since_ns = pending->since_ns};
  if (pending->what == TRACE_PENDING_JOIN)
    stuck->wants_thread = threads_by_handle(threads, pending->object, false);
  if (pending->what == TRACE_PENDING_CONDITION || pending->what == TRACE_PENDING_BARRIER)
    stuck->condition = pending->object;
  const lock_t *lock = pending->what == TRACE_PENDING_LOCK
                           ? locks_at(models_locks(search->models), pending->object)
                           : NULL;
  if (lock) stuck->wants = lock->id;
}

// Those that happened in the middle of the trace, for requests with a limit are given up.
static void add_standoffs(deadlock_search_t *search) {
  const locks_t *locks = models_locks(search->models);
  for (uint32_t at = 0; at < locks_standoff_count(locks); ++at) {
    const lock_standoff_t *standoff = locks_standoff(locks, at);
    deadlock_t *found = deadlock_add(search, DEADLOCK_ACTUAL, DEADLOCK_KIND_LOCK_ORDER,
                                     DEADLOCK_REASON_WAIT_CYCLE, standoff->leg_count);
    found->over_ns = standoff->until_ns;
    found->merged = standoff->count;
    found->why_not_ruled_out = 1u << DEADLOCK_DOUBT_INDEX_OVER;
    for (uint32_t leg = 0; leg < standoff->leg_count; ++leg) {
      const lock_standoff_leg_t *seen = &standoff->legs[leg];
      found->legs[leg] = (deadlock_leg_t){.thread = seen->thread,
                                          .thread_count = 1,
                                          .holds = seen->holds,
                                          .holds_stack = seen->holds_stack,
                                          .wants = seen->wants,
                                          .wants_stack = seen->wants_stack,
                                          .count = standoff->count,
                                          .first_ns = seen->from_ns,
                                          .last_ns = standoff->until_ns};
    }
  }
}

uint64_t deadlock_site(const deadlock_search_t *search, uint32_t stack) {
  const reader_t *reader = models_reader(search->models);
  if (!reader || !stack) return stack;
  const reader_stack_t *frames = reader_stack(reader, stack);
  uint32_t count = frames->count < SITE_FRAMES ? frames->count : SITE_FRAMES;
  return XXH3_64bits(frames->frames, count * sizeof *frames->frames);
}

bool deadlock_holds_up(const deadlock_t *found) {
  return found->bystander_count || found->kind == DEADLOCK_KIND_POOL ||
         (found->kind == DEADLOCK_KIND_LIVELOCK && !found->over_ns);
}

// How a hazard stands: 0: somebody is stuck in or behind it, 1: not all of its waits ended, 2: all
// did.
static int hazard_rank(const deadlock_t *found) {
  if (found->verdict != DEADLOCK_HAZARD || deadlock_holds_up(found)) return 0;
  return found->signalled < found->legs[0].count ? 1 : 2;
}

// Gravest first; otherwise in the order they were found, which their ids still say.
static int compare_gravity(const void *left, const void *right) {
  const deadlock_t *a = left, *b = right;
  if (a->verdict != b->verdict) return a->verdict < b->verdict ? -1 : 1;
  if (hazard_rank(a) != hazard_rank(b)) return hazard_rank(a) - hazard_rank(b);
  if (a->legs[0].first_ns != b->legs[0].first_ns)
    return a->legs[0].first_ns < b->legs[0].first_ns ? -1 : 1;
  return a->id < b->id ? -1 : a->id > b->id;
}

deadlocks_t *deadlocks_find(const models_t *models, bool strict_order) {
  deadlock_search_t search = {.models = models,
                              .strict_order = strict_order,
                              .result = array_zeroed(1, sizeof(deadlocks_t))};
  deadlocks_t *result = search.result;
  wait_for_search(&search);
  standstill_search(&search);
  add_standoffs(&search);
  lock_order_search(&search);
  livelocks_search(&search);
  misuse_search(&search);
  hazards_search(&search);
  if (result->count) qsort(result->items, result->count, sizeof *result->items, compare_gravity);
  for (size_t at = 0; at < result->count; ++at) result->items[at].id = (uint32_t)at + 1;
  return result;
}

static void free_item(deadlock_t *item) {
  for (uint32_t leg = 0; leg < item->leg_count; ++leg) free(item->legs[leg].also_holds);
  free(item->legs);
  free(item->bystanders);
  free(item->schedule);
}

static void take_out(deadlocks_t *deadlocks, size_t index) {
  free_item(&deadlocks->items[index]);
  --deadlocks->count;
  for (size_t at = index; at < deadlocks->count; ++at) {
    deadlocks->items[at] = deadlocks->items[at + 1];
    deadlocks->items[at].id = (uint32_t)at + 1;
  }
}

void deadlocks_suppress(deadlocks_t *deadlocks, size_t index) {
  take_out(deadlocks, index);
  ++deadlocks->suppressed;
}

static bool is_joint(const deadlock_t *deadlock, const reader_t *reader) {
  uint32_t part = reader_part_of_thread(reader, deadlock->legs[0].thread);
  for (uint32_t leg = 1; leg < deadlock->leg_count; ++leg)
    if (reader_part_of_thread(reader, deadlock->legs[leg].thread) != part) return true;
  return deadlock->ended_thread && reader_part_of_thread(reader, deadlock->ended_thread) != part;
}

void deadlocks_keep_joint(deadlocks_t *deadlocks, const reader_t *reader) {
  deadlocks->handed_over = deadlocks->fresh = 0;
  for (size_t at = deadlocks->count; at-- > 0;) {
    const deadlock_t *deadlock = &deadlocks->items[at];
    bool benign = deadlock->verdict == DEADLOCK_BENIGN;
    deadlock_reason_t reason = deadlock->reason;
    if (!is_joint(deadlock, reader)) {
      take_out(deadlocks, at);
      continue;
    }
    deadlocks->handed_over += benign && reason == DEADLOCK_REASON_HANDED_OVER;
    deadlocks->fresh += benign && reason == DEADLOCK_REASON_FRESH;
  }
}

void deadlocks_free(deadlocks_t *deadlocks) {
  if (!deadlocks) return;
  for (size_t at = 0; at < deadlocks->count; ++at) free_item(&deadlocks->items[at]);
  free(deadlocks->items);
  free(deadlocks);
}

size_t deadlocks_count(const deadlocks_t *deadlocks, deadlock_verdict_t verdict) {
  size_t count = 0;
  for (size_t at = 0; at < deadlocks->count; ++at) count += deadlocks->items[at].verdict == verdict;
  return count;
}
