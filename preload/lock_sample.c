// SPDX-License-Identifier: Apache-2.0
// The decisions, and the locks that a thread holds.
#include "preload/lock_sample.h"

#include "preload/lock_memory.h"
#include "preload/settings.h"

#include <string.h>

bool recorder_is_sampled, lock_sample_looks;
uint32_t lock_epochs[LOCK_EPOCHS];
uint64_t lock_condition_bits[LOCK_CONDITIONS / 64];
static sampled_line_t edges[LOCK_EDGE_LINES];
static uint64_t conditions[LOCK_CONDITIONS];  // their mutexes; the newest at a place counts

void lock_sample_begin(lane_t *lane, uint64_t salt) {
  lock_sample_t *sample = lane->locks;
  if (!sample) return;
  // Generations are counted by lane; orders are in one table for all.
  sample->salt = lock_hash(salt ^ (uint64_t)(lane->index + 1) << 32);
  sample->count = 0;
  sample->forgettings = &recorder_session->processes[lane->ring->process].forget_orders;
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
  const uint64_t bit = mutex >> 3 & (LOCK_CONDITIONS - 1);
  __atomic_fetch_or(&lock_condition_bits[bit / 64], UINT64_C(1) << bit % 64, __ATOMIC_RELAXED);
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

static void remove_held(lock_sample_t *sample, lock_held_t *held) {
  const lock_held_t *end = &sample->held[sample->count--];
  memmove(held, held + 1, (size_t)(end - held - 1) * sizeof *held);
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
  lock_held_t *held = &sample->held[sample->count++];
  *held =
      (lock_held_t){.object = object, .ip = origin->ip, .bits = bits, .epoch = epoch_of(object)};
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

// The word of the site, which begins anew where it had no place, or has lost it to another one.
static uint64_t *site_of(lock_sample_t *sample, uint64_t ip) {
  const uint64_t hash = lock_site_hash(sample, ip);
  uint64_t *place = lock_site_place(sample, hash);
  if (likely(!((*place ^ hash) & LOCK_SITE_KEY))) return place;
  int way = 0;
  while (way < LOCK_SITE_WAYS && place[way] != 0) way++;
  place += way < LOCK_SITE_WAYS ? way : (int)(hash >> 9) & (LOCK_SITE_WAYS - 1);
  *place = hash & LOCK_SITE_KEY;
  return place;
}

// ---- recording ---------------------------------------------------------------------------------

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

// Puts the tag into the line; where that is full, another makes room.
static void put_tag(sampled_line_t *line, uint32_t tag, uint64_t chance) {
  int at = 0;
  while (at < SAMPLED_TAGS && __atomic_load_n(&line->tags[at], __ATOMIC_RELAXED) != 0) at++;
  if (at == SAMPLED_TAGS) at = (int)chance & (SAMPLED_TAGS - 1);
  __atomic_store_n(&line->tags[at], tag, __ATOMIC_RELAXED);
}

// Whether that is not in the table; it is from here on.
static bool is_new_edge(uint64_t key) {
  sampled_line_t *line = &edges[lock_place(key, LOCK_EDGE_LINES)];
  const uint32_t tag = (uint32_t)key | 1;
  if (likely(sampled_line_has(line, tag))) return false;
  put_tag(line, tag, key >> 16);
  return true;
}

// What keys of orders begin with: they were never met where the trace forgets.
static uint64_t order_salt(const lock_sample_t *sample) {
  const uint64_t forgettings =
      sample->forgettings ? atomic_load_explicit(sample->forgettings, memory_order_relaxed) : 0;
  return sample->salt ^ forgettings << 20;
}

// Whether the order was met before: all that is held, each where it was acquired, and what is
// acquired now. It is from here on.
static bool knows_order(lock_sample_t *sample, const stacks_origin_t *origin, uint32_t bits,
                        uint64_t object) {
  uint64_t key = order_salt(sample);
  for (uint32_t at = 0; at < sample->count; at++) {
    const lock_held_t *held = &sample->held[at];
    key = lock_hash(key ^ held->object ^ (uint64_t)held->epoch << 48);
    key = lock_hash(key ^ key >> 32 ^ held->ip ^ (uint64_t)held->bits << 48);
  }
  key = lock_hash(key ^ key >> 32 ^ object ^ (uint64_t)epoch_of(object) << 48);
  key = lock_hash(key ^ key >> 32 ^ origin->ip ^ (uint64_t)bits << 48);
  return !is_new_edge(key);
}

// A lock that this thread has not met. One whose bit is another's, too, counts as met: a program
// with thousands of locks would have each acquisition recorded else.
static bool is_new_lock(lock_sample_t *sample, uint64_t object) {
  if (lock_is_met(sample, object)) return false;
  sample->locks[lock_bit(object) / 64] |= UINT64_C(1) << lock_bit(object) % 64;
  return true;
}

// Counts the site up. True where it is new.
static bool is_new_site(lock_sample_t *sample, uint64_t ip) {
  uint64_t *site = site_of(sample, ip);
  const bool is_new = (*site & LOCK_SITE_SEEN) == 0;
  if ((*site & LOCK_SITE_SEEN) < LOCK_YOUNG) ++*site;
  return is_new;
}

// What the thread itself knows of orders: by what it holds, `count` of them, in which line, and
// behind that by what is acquired, with which tag.
static uint64_t context_of(const lock_sample_t *sample, uint32_t count) {
  uint64_t context = order_salt(sample);
  for (uint32_t at = 0; at < count; at++) {
    const lock_held_t *held = &sample->held[at];
    context = lock_hash(held->object ^ context ^ (uint64_t)held->epoch << 48);
    context ^= held->ip * UINT64_C(0xd6e8feb86659fd93);
  }
  return context;
}

static sampled_line_t *order_line(lock_sample_t *sample, uint64_t context) {
  return &sample->orders[lock_place(lock_hash(context ^ context >> 32), LOCK_ORDER_LINES)];
}

static uint32_t order_tag(uint64_t context, uint64_t object, uint64_t ip, uint32_t epoch) {
  const uint64_t hash = lock_hash(object ^ context ^ (uint64_t)epoch << 48);
  return (uint32_t)((hash ^ ip * UINT64_C(0xd6e8feb86659fd93)) >> 32) | 1;
}

bool lock_sample_knows(lock_sample_t *sample, uint64_t ip, uint64_t object) {
  for (uint32_t at = 0; at < sample->count; at++)
    if (unlikely(sample->held[at].epoch != epoch_of(sample->held[at].object))) return false;
  const uint64_t context = context_of(sample, sample->count);
  return sampled_line_has(order_line(sample, context),
                          order_tag(context, object, ip, epoch_of(object)));
}

// Of what was acquired last, and is not recorded: whether the stack is to be taken all the same, as
// it may yet be. Once the site is no longer young the order is old news from now on.
static bool wants_stack(lock_sample_t *sample) {
  const uint32_t before = sample->count - 1;
  const lock_held_t *held = &sample->held[before];
  const uint64_t site = *site_of(sample, held->ip);
  if ((site & LOCK_SITE_SEEN) < LOCK_YOUNG) return true;
  if (before > 0) {
    const uint64_t context = context_of(sample, before);
    const uint32_t tag = order_tag(context, held->object, held->ip, held->epoch);
    sampled_line_t *line = order_line(sample, context);
    if (!sampled_line_has(line, tag)) put_tag(line, tag, tag >> 4);
  }
  return site & LOCK_SITE_OUTER;
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
  const bool new_lock = is_new_lock(sample, object);
  return is_new_site(sample, origin->ip) || new_lock;
}

// ---- the hooks' two calls ----------------------------------------------------------------------

// Hooks have frame pointers: the caller's stands below the return address. The line of the orders
// under this lock is going to be looked at.
void lock_sample_take_stack(lane_t *lane, lock_held_t *held, uintptr_t cfa) {
  const stacks_origin_t origin = {held->ip, cfa, ((const uint64_t *)cfa)[-2]};
  __builtin_prefetch(order_line(lane->locks, context_of(lane->locks, lane->locks->count)));
  const uint64_t head = lane->head;
  held->stack = lane_stack_take(lane, &origin);
  held->numbering = stacks_numbering(lane->stacks) & LOCK_NUMBERING;
  // A stack met for the first time costs a walk and a definition. A site that mostly has such ones
  // is let go of, until something is acquired there in a new order again.
  if (unlikely(lane->head != head) && ++lane->locks->stacks_met % LOCK_STACKS == 0)
    *site_of(lane->locks, held->ip) &= ~LOCK_SITE_OUTER;
}

static __attribute__((noinline)) void sampled(lane_t *lane, const stacks_origin_t *origin,
                                              uint32_t bits, uint64_t object) {
  lock_sample_t *sample = lane->locks;
  if (unlikely(is_certain(lane, origin, bits, object) || sample->count == LOCK_HELD)) {
    record_now(lane, origin, bits, object);
  } else if (unlikely(is_drawn(sample))) {
    record_now(lane, origin, bits | TRACE_LOCK_DRAWN, object);
  } else {
    lock_held_t *held = push(sample, origin, bits, object);
    if (wants_stack(sample)) lock_sample_take_stack(lane, held, origin->cfa);
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
