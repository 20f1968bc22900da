// SPDX-License-Identifier: Apache-2.0
// The decisions, and the locks that a thread holds.
#include "preload/lock_sample.h"

#include "preload/lock_memory.h"
#include "preload/settings.h"

#include <string.h>

bool recorder_is_sampled, lock_sample_looks;
uint32_t lock_epochs[LOCK_EPOCHS];
uint32_t lock_conditions_met;
static sampled_line_t edges[LOCK_EDGE_LINES];
static uint64_t conditions[LOCK_CONDITIONS];  // their mutexes; the newest at a place counts

void lock_sample_begin(lane_t *lane, uint64_t salt) {
  lock_sample_t *sample = lane->locks;
  if (!sample) return;
  // Generations are counted by lane; orders are in one table for all.
  sample->salt = lock_hash(salt ^ (uint64_t)(lane->index + 1) << 32);
  sample->count = 0;
  sample->contexts[0] = sample->salt;
  if (!sample->sampler.random && settings.sampling > 0)
    sample->sampler.left = sampler_trials(&sample->sampler, settings.sampling) + 1;
}

void lock_sample_end_epoch(uint64_t object) {
  if (recorder_is_sampled) __atomic_fetch_add(lock_epoch(object), 1, __ATOMIC_RELAXED);
}

static uint64_t *condition_place(uint64_t mutex) {
  return &conditions[mutex >> 3 & (LOCK_CONDITIONS - 1)];
}

static bool has_condition(uint64_t mutex) {
  return __atomic_load_n(condition_place(mutex), __ATOMIC_RELAXED) == mutex;
}

void lock_sample_note_condition(uint64_t mutex) {
  if (!recorder_is_sampled || has_condition(mutex)) return;
  __atomic_store_n(condition_place(mutex), mutex, __ATOMIC_RELAXED);
  __atomic_fetch_add(&lock_conditions_met, 1, __ATOMIC_RELAXED);
}

static uint32_t epoch_of(uint64_t object) {
  return __atomic_load_n(lock_epoch(object), __ATOMIC_RELAXED);
}

// Whether the next hold is drawn.
static bool is_drawn(lock_sample_t *sample) {
  if (likely(sampler_passes(&sample->sampler, 1))) return false;
  sample->sampler.left = INT64_MAX;
  if (settings.sampling <= 0) return false;
  sample->sampler.left = sampler_trials(&sample->sampler, settings.sampling) + 1;
  return true;
}

bool lock_sample_draws_failure(lane_t *lane, uint32_t *bits) {
  if (!lane->locks) return true;
  if (!is_drawn(lane->locks)) return false;
  *bits |= TRACE_LOCK_DRAWN;
  return true;
}

// ---- what is held ------------------------------------------------------------------------------

static bool is_semaphore(uint32_t bits) { return (bits & TRACE_LOCK_WHAT) == TRACE_LOCK_SEMAPHORE; }

static lock_held_t *find_held(lock_sample_t *sample, uint64_t object) {
  for (uint32_t at = sample->count; at-- > 0;)
    if (sample->held[at].object == object) return &sample->held[at];
  return NULL;
}

// What was acquired after it is held in another context from now on.
static void remove_held(lock_sample_t *sample, lock_held_t *held) {
  const lock_held_t *end = &sample->held[sample->count--];
  memmove(held, held + 1, (size_t)(end - held - 1) * sizeof *held);
  for (uint32_t at = (uint32_t)(held - sample->held); at < sample->count; at++)
    sample->contexts[at + 1] =
        lock_passing_key(sample->contexts[at], sample->held[at].object, sample->held[at].ip);
}

// What has gone behind the thread's back.
static void drop_void(lock_sample_t *sample) {
  for (uint32_t at = sample->count; at-- > 0;)
    if (sample->held[at].epoch != epoch_of(sample->held[at].object))
      remove_held(sample, &sample->held[at]);
}

static lock_held_t *push(lock_sample_t *sample, const stacks_origin_t *origin, uint32_t bits,
                         uint64_t object) {
  if (sample->count == LOCK_HELD) return NULL;
  const uint64_t context = sample->contexts[sample->count];
  lock_held_t *held = &sample->held[sample->count++];
  *held =
      (lock_held_t){.object = object, .ip = origin->ip, .bits = bits, .epoch = epoch_of(object)};
  sample->contexts[sample->count] = lock_passing_key(context, object, origin->ip);
  return held;
}

// A semaphore that is waited for again by who has not posted it hands something over: nobody holds
// such a one.
void lock_sample_note(lane_t *lane, const stacks_origin_t *origin, uint32_t bits, uint64_t object,
                      uint32_t stack) {
  lock_memory_note(object);
  lock_sample_t *sample = lane->locks;
  if (!sample) return;
  lock_held_t *known = is_semaphore(bits) ? find_held(sample, object) : NULL;
  if (known) {
    remove_held(sample, known);
    return;
  }
  lock_held_t *held = push(sample, origin, bits, object);
  if (!held) return;
  held->stack = stack;
  held->recorded = true;
}

void lock_sample_drop(lane_t *lane, uint64_t object) {
  lock_held_t *held = lane->locks ? find_held(lane->locks, object) : NULL;
  if (held) remove_held(lane->locks, held);
}

// ---- call sites --------------------------------------------------------------------------------

static uint64_t *site_place(lock_sample_t *sample, uint64_t ip) {
  return &sample->sites[lock_place(lock_hash(ip), LOCK_KNOWN)];
}

static uint64_t site_key(const lock_sample_t *sample, uint64_t ip) {
  return lock_hash(ip ^ sample->salt) & LOCK_SITE_KEY;
}

// The word of the site, which begins anew where another one had its place.
static uint64_t *site_of(lock_sample_t *sample, uint64_t ip) {
  uint64_t *place = site_place(sample, ip);
  const uint64_t key = site_key(sample, ip);
  if ((*place & LOCK_SITE_KEY) != key) *place = key;
  return place;
}

// ---- recording ---------------------------------------------------------------------------------

static void forget_passing(lock_sample_t *sample, const lock_held_t *held) {
  const uint64_t key = sample->contexts[held - sample->held + 1];
  uint64_t *place = lock_passing_place(sample, key);
  if ((*place ^ key) <= 1) *place = 0;
}

// What was held before anybody knew that it matters is recorded late, without a time of its own.
// Where its stack was not taken, its innermost frame is known, and the site has its stacks taken
// from now on.
static void record_late(lane_t *lane, lock_held_t *held) {
  lock_memory_note(held->object);
  if (held->bits & TRACE_LOCK_PROCESS_SHARED) lane_note_shared(lane, held->object);
  const bool stands =
      held->stack && held->numbering == (stacks_numbering(lane->stacks) & LOCK_NUMBERING);
  if (!stands) {
    *site_of(lane->locks, held->ip) |= LOCK_SITE_OUTER;
    forget_passing(lane->locks, held);
    held->stack = lane_stack_frame(lane, held->ip);
  }
  lane_write(lane, TRACE_LOCK_ACQUIRE, held->stack, held->bits | TRACE_LOCK_FOR_ORDER, false, 0, 1,
             held->object, 0, 0);
  held->recorded = true;
}

void lock_sample_flush(lane_t *lane) {
  lock_sample_t *sample = lane->locks;
  if (!sample || sample->count == 0) return;
  drop_void(sample);
  for (uint32_t at = 0; at < sample->count; at++)
    if (!sample->held[at].recorded) record_late(lane, &sample->held[at]);
}

static void record_now(lane_t *lane, const stacks_origin_t *origin, uint32_t bits,
                       uint64_t object) {
  lock_sample_flush(lane);
  if (bits & TRACE_LOCK_PROCESS_SHARED) lane_note_shared(lane, object);
  // The stacks of timings may be spared; all others are for the graph.
  const bool timing = (bits & TRACE_LOCK_DRAWN || has_condition(object)) && lane->locks->count == 0;
  uint32_t stack = timing ? lane_stack_lock(lane, origin, object) : lane_stack_take(lane, origin);
  // An order may yet be met while it is held: then at least its innermost frame is known.
  if (!stack && bits & TRACE_LOCK_DRAWN) stack = lane_stack_frame(lane, origin->ip);
  lane_write(lane, TRACE_LOCK_ACQUIRE, stack, bits, true, clock_ticks(), 1, object, 0, 0);
  lock_sample_note(lane, origin, bits, object, stack);
}

// ---- what is known -----------------------------------------------------------------------------

// Whether that is not in the table; it is from here on. In a full line another makes room.
static bool is_new_edge(uint64_t key) {
  sampled_line_t *line = &edges[lock_place(key, LOCK_EDGE_LINES)];
  const uint32_t tag = (uint32_t)key | 1;
  if (likely(sampled_line_has(line, tag))) return false;
  int at = 0;
  while (at < SAMPLED_TAGS && __atomic_load_n(&line->tags[at], __ATOMIC_RELAXED) != 0) at++;
  if (at == SAMPLED_TAGS) at = (int)(key >> 16) & (SAMPLED_TAGS - 1);
  __atomic_store_n(&line->tags[at], tag, __ATOMIC_RELAXED);
  return true;
}

// Whether the order was met before: all that is held, each where it was acquired, and what is
// acquired now. It is from here on.
static bool knows_order(lock_sample_t *sample, const stacks_origin_t *origin, uint32_t bits,
                        uint64_t object) {
  uint64_t key = sample->salt;
  for (uint32_t at = 0; at < sample->count; at++) {
    const lock_held_t *held = &sample->held[at];
    key = lock_hash(key ^ held->object ^ (uint64_t)held->epoch << 48);
    key = lock_hash(key ^ key >> 32 ^ held->ip ^ (uint64_t)held->bits << 48);
  }
  key = lock_hash(key ^ key >> 32 ^ object ^ (uint64_t)epoch_of(object) << 48);
  key = lock_hash(key ^ key >> 32 ^ origin->ip ^ (uint64_t)bits << 48);
  return !is_new_edge(key);
}

// A lock that this thread has not met. One that finds no place counts as met: a program with
// thousands of locks would have each acquisition recorded else.
static bool is_new_lock(lock_sample_t *sample, uint64_t object) {
  const uint64_t key = lock_hash(object ^ (uint64_t)epoch_of(object) << 48 ^ sample->salt);
  uint64_t *place = &sample->locks[lock_place(lock_hash(object >> 3), LOCK_KNOWN)];
  const bool is_new = *place == 0;
  if (is_new) *place = key;
  return is_new;
}

// Counts the site up. True where it is new.
static bool is_new_site(lock_sample_t *sample, uint64_t ip) {
  uint64_t *site = site_of(sample, ip);
  const bool is_new = (*site & LOCK_SITE_SEEN) == 0;
  if ((*site & LOCK_SITE_SEEN) < LOCK_YOUNG) ++*site;
  return is_new;
}

// Whether the stack is to be taken although the acquisition is not recorded: it may yet be. Once
// the site is no longer young, the lock there, under what is held, is old news from now on: nothing
// is to be decided but by the draw.
static bool wants_stack(lock_sample_t *sample, uint64_t key, uint64_t ip) {
  const uint64_t site = *site_of(sample, ip);
  const bool outer = site & LOCK_SITE_OUTER;
  if ((site & LOCK_SITE_SEEN) < LOCK_YOUNG) return true;
  uint64_t *place = lock_passing_place(sample, key);
  // What was put there last gives way to the other place, as the one that is forgotten first.
  if ((*place ^ key) > 1) place[1] = *place;
  *place = key | outer;
  return outer;
}

static bool is_passing(lock_sample_t *sample, uint64_t object, uint64_t ip) {
  const uint64_t key = lock_passing_key(sample->contexts[sample->count], object, ip);
  return (*lock_passing_place(sample, key) ^ key) <= 1;
}

// Whether it is recorded whatever is drawn.
static bool is_certain(lane_t *lane, const stacks_origin_t *origin, uint32_t bits,
                       uint64_t object) {
  lock_sample_t *sample = lane->locks;
  if (unlikely(is_semaphore(bits) || has_condition(object) || lane_is_contended(lane, object)))
    return true;
  if (unlikely(sample->count > 0)) {
    drop_void(sample);
    // A recursive mutex again, or a try, is no order.
    if (sample->count > 0 && !(bits & TRACE_LOCK_TRY) && !find_held(sample, object) &&
        !knows_order(sample, origin, bits, object))
      return true;
  }
  if (likely(is_passing(sample, object, origin->ip))) return false;
  const bool new_lock = is_new_lock(sample, object);
  return is_new_site(sample, origin->ip) || new_lock;
}

// ---- the hooks' two calls ----------------------------------------------------------------------

// Where there are more locks and sites than `passing` has places for: the site is old, the lock has
// been met or counts as met, and nothing else decides but the draw.
static bool is_old_news(const lane_t *lane, lock_sample_t *sample, uint32_t bits, uint64_t object,
                        uint64_t ip) {
  const uint64_t site = *site_of(sample, ip);
  return (site & LOCK_SITE_SEEN) == LOCK_YOUNG && !(site & LOCK_SITE_OUTER) &&
         sample->locks[lock_place(lock_hash(object >> 3), LOCK_KNOWN)] != 0 &&
         !is_semaphore(bits) && !has_condition(object) && !lane_is_contended(lane, object);
}

void lock_sample_take_stack(lane_t *lane, stacks_origin_t origin, lock_held_t *held) {
  held->stack = lane_stack_take(lane, &origin);
  held->numbering = stacks_numbering(lane->stacks) & LOCK_NUMBERING;
}

static __attribute__((noinline)) void sampled(lane_t *lane, const stacks_origin_t *origin,
                                              uint32_t bits, uint64_t object) {
  lock_sample_t *sample = lane->locks;
  if (sample->count == 0 && sample->sampler.left > 1 &&
      is_old_news(lane, sample, bits, object, origin->ip)) {
    sample->sampler.left--;
    push(sample, origin, bits, object);
    return;
  }
  if (unlikely(is_certain(lane, origin, bits, object) || sample->count == LOCK_HELD)) {
    record_now(lane, origin, bits, object);
  } else if (unlikely(is_drawn(sample))) {
    record_now(lane, origin, bits | TRACE_LOCK_DRAWN, object);
  } else {
    lock_held_t *held = push(sample, origin, bits, object);
    if (wants_stack(sample, sample->contexts[sample->count], origin->ip))
      lock_sample_take_stack(lane, *origin, held);
  }
}

void lock_sample_acquired(lane_t *lane, const stacks_origin_t *origin, uint32_t bits,
                          uint64_t object) {
  if (likely(lane->locks != NULL)) {
    sampled(lane, origin, bits, object);
    return;
  }
  lock_memory_note(object);
  lane_record_acquire(lane, lane_stack_lock(lane, origin, object), bits, object);
}

static void note_waiters(lane_t *lane, uint64_t object, bool waiters) {
  if (waiters)
    lane_note_contended(lane, object);
  else if (lane_is_contended(lane, object) && ++lane->locks->calm % LOCK_CALM == 0)
    lane_note_calm(lane, object);
}

// One that the thread does not hold, as far as is known here, was acquired by another, or before
// the record began: it is recorded, and void for whoever has it among his own.
void lock_sample_released(lane_t *lane, uint32_t bits, uint64_t object, bool waiters) {
  lock_sample_t *sample = lane->locks;
  if (unlikely(!sample)) {
    lane_record_release(lane, bits, object, waiters);
    return;
  }
  lock_held_t *held = find_held(sample, object);
  const bool recorded = !held || held->recorded;
  if (held)
    remove_held(sample, held);
  else if (!is_semaphore(bits))
    lock_sample_end_epoch(object);
  note_waiters(lane, object, waiters);
  if (recorded) lane_write(lane, TRACE_LOCK_RELEASE, 0, bits, true, clock_ticks(), 1, object, 0, 0);
}
