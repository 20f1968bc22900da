// SPDX-License-Identifier: Apache-2.0
// Sampling of locks: which acquisitions are recorded where INSPECT_SAMPLING is below 1.
//
// A hold that nobody waits for is recorded with the probability of the rate, or not at all; its
// release is recorded if and only if its acquisition was. Recorded in any case is what the lock
// graph needs, and what is rare:
//
//   - a lock order that this thread has not met: the acquisition, and those of all locks that the
//     thread holds meanwhile, as far as they are not in the record yet (TRACE_LOCK_FOR_ORDER)
//   - the first acquisition at a call site, and the first of a lock, by this thread
//   - a request that had to wait, holds that somebody waited for, and some after them
//   - all that the thread holds, before it waits for another one
//   - semaphores: what is handed over orders threads
//   - mutexes that a condition variable was waited for with: jobs are told by them
//
// So the locks that a thread holds are kept here, in the order of their acquisition. Two things
// can take a lock away behind its thread's back, its release by another thread and the end of its
// life: both move the epoch of its address on, and what was acquired in an earlier one is void.
//
// What is known is kept in tables that forget: what is met again after that is recorded again. Keys
// hold the generation of the lane: a thread learns nothing from the one that had the lane before.
// The orders of all threads share one table, large enough for a program whose threads each take
// thousands of locks under others (memcached has 4096 for its items). Of an order 45 hashed bits
// are kept: one that was never met passes for known once in 2^27 looks at most.
//
// Most acquisitions are decided about with a few words that stay in the nearest cache, and where
// others are held, one line more: the orders under one lock stand together.
#ifndef PRELOAD_LOCK_SAMPLE_H
#define PRELOAD_LOCK_SAMPLE_H

#include "preload/lane.h"
#include "preload/sampled_blocks.h"
#include "preload/sampler.h"

enum {
  LOCK_HELD = 32,           // more at a time are recorded, and not remembered
  LOCK_KNOWN = 512,         // call sites; locks, hashed
  LOCK_SITE_WAYS = 4,       // places where a site may be, side by side
  LOCK_ORDER_LINES = 1024,  // of orders that a thread knows, by what is held, 16 in each
  LOCK_EDGE_LINES = 8192,   // of orders of all threads, likewise
  LOCK_CONDITIONS = 1024,   // mutexes of conditions, hashed
  LOCK_EPOCHS = 4096,       // of addresses, hashed
  LOCK_NUMBERING = INT32_MAX,
  LOCK_YOUNG = 16,   // acquisitions at a site whose stack is taken, though not recorded
  LOCK_STACKS = 64,  // stacks taken for holds that were not met before, for each site let go of
  LOCK_CALM = 16,    // one in so many holds without a waiter ends a lock's contention
};

// Bits of a word that says what is known of a site; the rest is its key.
#define LOCK_SITE_SEEN UINT64_C(0xff)    // how often it was met, up to LOCK_YOUNG
#define LOCK_SITE_OUTER UINT64_C(0x100)  // what was acquired here was held as another was acquired
#define LOCK_SITE_KEY (~UINT64_C(0x1ff))

typedef struct {
  uint64_t object;
  uint64_t ip;                            // where it was acquired
  uint32_t bits;                          // TRACE_LOCK_*
  uint32_t epoch;                         // of its address
  uint32_t stack;                         // 0: not taken
  uint32_t numbering : 31, recorded : 1;  // of stacks, when that number was given
} lock_held_t;
_Static_assert(sizeof(lock_held_t) == 32, "half a cache line");

// Private to the lane's thread. Zeros are a valid state.
typedef struct lock_sample {
  sampler_t sampler;  // `left`: acquisitions before the next that is drawn
  uint64_t salt;      // of keys: the lane's generation
  uint32_t count;     // of held
  uint32_t calm;
  uint32_t stacks_met;  // taken for holds that were not recorded, and not met before
  // How often orders were to be forgotten so far, because the files that had them have gone
  // (trace_process_t); NULL: never.
  const _Atomic uint32_t *forgettings;
  lock_held_t held[LOCK_HELD];              // oldest first
  _Alignas(64) uint64_t sites[LOCK_KNOWN];  // by call site
  uint64_t locks[LOCK_KNOWN / 64];  // met, a bit for each; what finds its bit set counts as met
  // Orders that are known and not recorded any more, those under one lock in one line: what was met
  // last, without a look into the table for all threads.
  sampled_line_t orders[LOCK_ORDER_LINES];
} lock_sample_t;

#pragma GCC visibility push(hidden)
// True where the rate is below 1.
extern bool recorder_is_sampled;
// True where an acquisition is looked at, before it is recorded or not: there, and where it is kept
// in mind where locks lie (lock_memory.h).
extern bool lock_sample_looks;
extern uint32_t lock_epochs[LOCK_EPOCHS];
extern uint64_t lock_condition_bits[LOCK_CONDITIONS / 64];  // for lock_may_have_condition
#pragma GCC visibility pop

// Fibonacci hashing (Knuth, TAOCP 6.4): the highest bits are the place in a table.
static inline uint64_t lock_hash(uint64_t value) { return value * UINT64_C(0x9e3779b97f4a7c15); }
static inline uint64_t lock_place(uint64_t hash, uint32_t places) {
  return (hash >> 32) * places >> 32;
}
static inline uint32_t *lock_epoch(uint64_t object) {
  return &lock_epochs[object >> 3 & (LOCK_EPOCHS - 1)];
}
static inline uint64_t lock_site_hash(const lock_sample_t *sample, uint64_t ip) {
  return lock_hash(ip ^ sample->salt);
}
// Where the site is, or the first of the places where it may be: with one place for each, two sites
// in use that share it would have all that is acquired there recorded.
static inline uint64_t *lock_site_place(lock_sample_t *sample, uint64_t hash) {
  uint64_t *first = &sample->sites[lock_place(hash, LOCK_KNOWN / LOCK_SITE_WAYS) * LOCK_SITE_WAYS];
  for (int way = 0; way < LOCK_SITE_WAYS; way++)
    if (likely(!((first[way] ^ hash) & LOCK_SITE_KEY))) return &first[way];
  return first;
}
static inline uint64_t lock_bit(uint64_t object) { return lock_hash(object >> 3) >> 55; }
_Static_assert(LOCK_KNOWN == 1 << (64 - 55), "lock_bit");
static inline bool lock_is_met(const lock_sample_t *sample, uint64_t object) {
  return sample->locks[lock_bit(object) / 64] >> lock_bit(object) % 64 & 1;
}
// False: no condition was waited for with that mutex.
static inline bool lock_may_have_condition(uint64_t object) {
  const uint64_t bit = object >> 3 & (LOCK_CONDITIONS - 1);
  return __atomic_load_n(&lock_condition_bits[bit / 64], __ATOMIC_RELAXED) >> bit % 64 & 1;
}

// A thread begins to use the lane.
void lock_sample_begin(lane_t *lane, uint64_t salt);
// The lock at the address is another from now on, or nobody's.
void lock_sample_end_epoch(uint64_t object);
// A condition is about to be waited for with that mutex: its holds are all recorded from now on.
void lock_sample_note_condition(uint64_t mutex);
// Records what the thread holds and is not in the record yet. Before it waits for others, or ends.
void lock_sample_flush(lane_t *lane);
// The lock was acquired (or given up), which was recorded: held from now on, or no longer.
void lock_sample_note(lane_t *lane, const stacks_origin_t *origin, uint32_t bits, uint64_t object,
                      uint32_t stack);
void lock_sample_drop(lane_t *lane, uint64_t object);
// True where a try that failed is one of those that are recorded; adds what it stands for to *bits.
bool lock_sample_draws_failure(lane_t *lane, uint32_t *bits);

void lock_sample_acquired(lane_t *lane, const stacks_origin_t *origin, uint32_t bits,
                          uint64_t object);
void lock_sample_released(lane_t *lane, uint32_t bits, uint64_t object, bool waiters);

static inline bool lock_sample_keeps_failure(lane_t *lane, uint32_t *bits) {
  return likely(!recorder_is_sampled) || lock_sample_draws_failure(lane, bits);
}

// Whether the thread knows the order in which that lock would be acquired there, with some held,
// and all that it holds is still its own.
bool lock_sample_knows(lock_sample_t *sample, uint64_t ip, uint64_t object);

// Where a lock is acquired.
typedef struct {
  uint64_t ip;
  uintptr_t cfa;     // of the hook
  bool wants_stack;  // others are acquired while it is held: it may yet be recorded
} lock_site_t;

// Takes the stack of what is noted. In the hook with that CFA.
void lock_sample_take_stack(lane_t *lane, lock_held_t *held, uintptr_t cfa);

// The usual case, at once: this lock, this site and the order are old news; nobody has waited for
// it, and it is not drawn. Then it is noted as held, and that is all. Before the lock is acquired:
// whether nothing but the lock (lock_is_met) or the order (lock_sample_knows) may be new.
static inline bool lock_sample_may_pass(const lane_t *lane, uint64_t object, lock_site_t *site) {
  lock_sample_t *sample = lane->locks;
  if (unlikely(sample->count >= LOCK_HELD || sample->sampler.left <= 1)) return false;
  const uint64_t hash = lock_site_hash(sample, site->ip);
  const uint64_t known = *lock_site_place(sample, hash) ^ (hash & LOCK_SITE_KEY);
  site->wants_stack = known & LOCK_SITE_OUTER;
  return likely((known & ~LOCK_SITE_OUTER) == LOCK_YOUNG) &&
         likely(!lane_is_contended(lane, object)) && likely(!lock_may_have_condition(object));
}

// Notes it as held, the last of `count` + 1.
static inline void lock_sample_pass(lane_t *lane, const lock_site_t *site, uint32_t bits,
                                    uint64_t object, uint32_t count) {
  lock_sample_t *sample = lane->locks;
  lock_held_t *held = &sample->held[count];
  sample->sampler.left--;
  held->object = object;
  held->ip = site->ip;
  held->bits = bits;
  held->epoch = __atomic_load_n(lock_epoch(object), __ATOMIC_RELAXED);
  held->stack = 0;
  held->numbering = held->recorded = 0;
  sample->count = count + 1;
  if (unlikely(site->wants_stack)) lock_sample_take_stack(lane, held, site->cfa);
}

// Both for a lock that is acquired already.
static inline bool lock_sample_passes(lane_t *lane, const stacks_origin_t *origin, uint32_t bits,
                                      uint64_t object) {
  lock_sample_t *sample = lane->locks;
  lock_site_t site = {.ip = origin->ip, .cfa = origin->cfa};
  if (!sample || !lock_sample_may_pass(lane, object, &site)) return false;
  if (sample->count == 0 ? !lock_is_met(sample, object)
                         : !lock_sample_knows(sample, origin->ip, object))
    return false;
  lock_sample_pass(lane, &site, bits, object, sample->count);
  return true;
}

// The same for its release: it was the lock acquired last, and that is not in the record.
static inline bool lock_sample_forgets(lane_t *lane, uint64_t object) {
  lock_sample_t *sample = lane->locks;
  if (unlikely(!sample || sample->count == 0)) return false;
  const lock_held_t *held = &sample->held[sample->count - 1];
  if (unlikely(held->object != object || held->recorded)) return false;
  sample->count--;
  return true;
}

// Acquired without waiting: recorded, or not.
static inline void lock_record_acquire(lane_t *lane, const stacks_origin_t *origin, uint32_t bits,
                                       uint64_t object) {
  if (likely(!lock_sample_looks))
    lane_record_acquire(lane, lane_stack_lock(lane, origin, object), bits, object);
  else if (!lock_sample_passes(lane, origin, bits, object))
    lock_sample_acquired(lane, origin, bits, object);
}

// About to be released.
static inline void lock_record_release(lane_t *lane, uint32_t bits, uint64_t object, bool waiters) {
  if (likely(!recorder_is_sampled))
    lane_record_release(lane, bits, object, waiters);
  else if (waiters || !lock_sample_forgets(lane, object))
    lock_sample_released(lane, bits, object, waiters);
}

#endif
