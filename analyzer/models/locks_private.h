// SPDX-License-Identifier: Apache-2.0
// What the files of the lock model share: identity (locks.c), holders (lock_holders.c), contention
// (lock_contention.c) and conditions (lock_conditions.c).
#ifndef ANALYZER_MODELS_LOCKS_PRIVATE_H
#define ANALYZER_MODELS_LOCKS_PRIVATE_H

#include "analyzer/models/address_map.h"
#include "analyzer/models/critical_path.h"
#include "analyzer/models/locks.h"

// A lock in the hands of a thread. What a thread holds is exact, because its own events are in
// order; lock_t.owner follows the merged order and may be an event early or late.
typedef struct {
  lock_t *lock;
  uint32_t stack, depth;
  uint8_t mode;  // lock_mode_t
  bool timed;
  uint32_t weight;  // how many holds it stands for: 1, unless sampled
  uint32_t step;    // of its acquisition in the order of threads, + 1
  uint64_t since_ns;
  uint64_t section;  // number of the acquisition among all
  lock_blocked_t blocked;
} held_lock_t;

typedef struct {
  held_lock_t *items;  // in order of acquisition
  uint32_t count, capacity;
  uint64_t alone_ns;  // since then the thread released, handed over and took over nothing
} held_locks_t;

// Locks that may guard a thread, and who joined it (0: nobody).
typedef struct {
  lock_guard_t *items;
  uint32_t count, joined_by;
} thread_guards_t;

// What the address of a process-shared lock stands for.
typedef struct {
  uint64_t key, inode, offset;
} lock_place_t;

// Whom a thread's newest waits were charged to, in order of time: a ring.
enum { LOCK_CHARGES = 64 };
typedef struct {
  uint32_t lock, stack;
  uint64_t from, until;
} lock_charge_t;
typedef struct {
  lock_charge_t *items;
  uint64_t count;
} lock_charges_t;

// A wait that met its time limit, or was under way when another one did, and what its thread held
// then. The last few are kept.
enum { LOCK_ENDED_WAITS = 32, LOCK_ENDED_HELD = 8, LOCK_STANDOFFS_MAX = 64 };
typedef struct {
  uint32_t lock, stack;
} ended_hold_t;
typedef struct {
  lock_standoff_leg_t leg;  // thread 0: none
  uint64_t until_ns;
  bool gave_up;
  ended_hold_t held[LOCK_ENDED_HELD];
  uint32_t held_count;
} ended_wait_t;

// The lock that was at an address before: how many there were, and the end of the last one.
typedef struct {
  uint64_t count, at_ns;
  uint32_t lock, by, by_stack;
  lock_end_t end;
  bool timed;  // at_ns is exact
} lock_former_t;

// In use when it ended, if its user had not released it before: that is seen later.
typedef struct {
  lock_misuse_t misuse;
  uint64_t address;
} lock_suspect_t;

// Failures in a row of a thread; `livelock`: index + 1 of what it is a part of, at `place`.
typedef struct {
  lock_tries_t leg;
  uint32_t livelock, place;
} lock_streak_t;

typedef struct {
  uint32_t thread, stack;
  uint64_t from_ns, until_ns;
  bool pending;  // it had not ended at the end of the trace
} lock_wait_t;

// Most blocks that are freed lie where no lock ever was.
enum { LOCK_PAGE_FILTER = 4096 };

struct locks {
  const reader_t *reader;
  const threads_t *threads;
  uint64_t now;  // of the event that is stepped
  double rate;   // of sampling holds; 1: all were kept
  const heap_t *heap;
  dependencies_t *dependencies;
  wakers_t *wakers;
  critical_path_t *path;
  uint32_t limit;                               // next id
  address_map_t by_id;                          // lock_t *, all that are kept
  address_map_t by_address;                     // lock_t *, living ones
  address_map_t by_page;                        // lock_t *, living ones, linked by next_in_page
  uint64_t page_filter[LOCK_PAGE_FILTER / 64];  // bit of each page that is, or was, in by_page
  address_map_t generations;                    // address -> lock_former_t
  address_map_t classes;  // class -> lock_t * that retired locks of the class are merged into
  lock_t **kept;          // retired, but named by a dependency or a hazard
  uint32_t kept_count, kept_capacity, sweep_at;
  held_locks_t *held;  // by thread
  uint32_t held_capacity;
  uint64_t sections;        // begun so far
  thread_guards_t *guards;  // by thread
  uint32_t guards_capacity;
  address_map_t guards_waiting;  // handle -> thread_guards_t, until the thread starts
  lock_charges_t *charges;       // by thread
  uint32_t charge_capacity;
  lock_t *waited_with;       // the mutex of the COND_WAIT event that was stepped last, or NULL
  address_map_t conditions;  // address -> condition_t *
  condition_t **condition_list;
  uint32_t condition_count, condition_capacity;
  address_map_t hazard_keys;  // key -> index + 1
  condition_hazard_t *hazards;
  uint32_t hazard_count, hazard_capacity;
  uint32_t modules_seen_unloaded;
  ended_wait_t ended_waits[LOCK_ENDED_WAITS];
  uint32_t ended_next;
  lock_misuse_t *misuses, *destroying;
  lock_streak_t *streaks;  // by thread
  lock_livelock_t *livelocks;
  uint32_t streak_capacity, livelock_count, livelock_capacity;
  lock_suspect_t *suspects;
  uint32_t misuse_count, misuse_capacity, destroying_count, destroying_capacity;
  uint32_t suspect_count, suspect_capacity;
  lock_standoff_t *standoffs;
  uint32_t standoff_count, standoff_capacity;
  address_map_t place_keys;  // address of a process-shared lock -> lock_place_t
  address_map_t places;      // key -> lock_t * that lives there
  address_map_t handovers;   // address or descriptor -> what was last handed over there
  address_map_t pipes;       // descriptor -> other end + 1
};

// The living lock at the event's object, begun now if there was none; the call is noted in it.
lock_t *lock_touch(locks_t *locks, const reader_event_t *event, uint64_t address, uint32_t bits);

// Retires the lock: what is met at its address later is another one. `event` ended it, NULL: none.
void lock_end(locks_t *locks, lock_t *lock, lock_end_t end, uint64_t time,
              const reader_event_t *event);

// ---- locks that end in use ----
// It is about to be destroyed. True: whether it is will be known later, and it goes on until then.
bool lock_misuse_destroy(locks_t *locks, lock_t *lock, const reader_event_t *event);
// Any event of locks while some are being destroyed.
void lock_misuse_settle(locks_t *locks, const reader_event_t *event);
// A failure on the lock, which may be that of a destruction.
void lock_misuse_refused(locks_t *locks, const lock_t *lock, const reader_event_t *event);
void lock_misuse_free(locks_t *locks, const lock_t *lock, const reader_event_t *event);
void lock_misuse_released(locks_t *locks, const reader_event_t *event);
// A wait for a lock at the lock's address.
void lock_misuse_waited(locks_t *locks, const lock_t *lock, const lock_wait_t *wait);
void lock_misuse_finish(locks_t *locks);
void lock_misuse_close(locks_t *locks);

// ---- process-shared locks ----
// LOCK_SHARED_AT: what lives at the address is the lock of that file and place, whatever the
// address it is met at.
void lock_place_step(locks_t *locks, const reader_event_t *event);
// The lock of the place behind `address`, which it is known by from now on; NULL: none yet.
lock_t *lock_place_find(locks_t *locks, uint64_t address);
// A lock begins at its address: it is the one of the place behind it.
void lock_place_take(locks_t *locks, lock_t *lock);
// It ends: at none of its addresses is it any more.
void lock_place_leave(locks_t *locks, lock_t *lock);

// How many acquisitions (or failures) of the lock the event stands for; counts the drawn ones up.
uint32_t lock_weight(const locks_t *locks, uint64_t *drawn, uint32_t bits);

// ---- holders ----
// True for what belongs to whoever acquired it (no barriers, bare futexes, counting semaphores).
bool lock_has_owner(const lock_t *lock);
held_locks_t *lock_held_by(locks_t *locks, uint32_t thread);
held_lock_t *lock_find_held(const locks_t *locks, const lock_t *lock, uint32_t thread);
bool lock_is_held_by(locks_t *locks, const lock_t *lock, uint32_t thread);
void lock_acquired(locks_t *locks, lock_t *lock, const reader_event_t *event, uint32_t weight);
void lock_released(locks_t *locks, lock_t *lock, const reader_event_t *event);
// How a lock that is wanted or held stands in a dependency, but for whether it is fresh.
dependency_lock_t lock_dependency(const lock_t *lock, uint32_t stack, lock_mode_t mode);
// A request that may wait: its lock order, if the thread holds others. At the end of the trace
// also for requests that were not granted (pending).
void lock_requested(locks_t *locks, const lock_t *lock, uint32_t thread, uint32_t stack,
                    uint32_t bits, uint64_t time, bool pending);
// Nobody holds it any more, whatever was read.
void lock_drop_holders(locks_t *locks, lock_t *lock);
// Other threads may know from now on what the thread knows, or it what they know.
void lock_not_alone(locks_t *locks, uint32_t thread, uint64_t time);
// Events of the thread are missing: what it holds is not known any more.
void lock_forget_thread(locks_t *locks, uint32_t thread);

// ---- guards of threads ----
void lock_guards_finish(locks_t *locks);
void lock_guards_free(locks_t *locks);

// ---- contention ----
// Begins to remember holds and waits. Called when a second thread comes.
void lock_history_begin(lock_t *lock);
void lock_history_free(lock_t *lock);
void lock_history_hold(lock_t *lock, const held_lock_t *held, uint32_t thread, uint64_t until);
// A wait of `thread` at `stack` ended (or the trace did): counts it, and charges every nanosecond
// of it to the site that held the lock then.
void lock_waited(locks_t *locks, lock_t *lock, uint32_t thread, uint32_t stack, uint64_t from,
                 uint64_t until);
// Notes which call of its holder's keeps a lock from others.
void lock_blocking_step(locks_t *locks, const reader_event_t *event);
// The convoy that the lock is in ends.
void lock_end_convoy(lock_t *lock);

// ---- blame ----
// Charges a wait to those who held the lock; returns how much of it somebody is seen to have held.
// `known_only`: the rest is not charged to the hand-over. The lock has a history.
uint64_t lock_charge(locks_t *locks, lock_t *lock, uint32_t waiter, uint64_t from, uint64_t until,
                     bool known_only);
void lock_charges_free(locks_t *locks);
// A LOCK_WAIT event, after lock_waited: tells the wakers whose release ended the wait.
void lock_woken(locks_t *locks, const lock_t *lock, const reader_event_t *event);

// A wait of the event's thread for the lock is over: it was one side of a deadlock if the other
// side gave up before it, or does now.
void lock_standoff_step(locks_t *locks, const lock_t *lock, const reader_event_t *event,
                        bool gave_up);

// ---- livelocks ----
// A try that found the lock busy, and stands for `weight` of them.
void lock_livelock_failed(locks_t *locks, const lock_t *lock, const reader_event_t *event,
                          uint32_t weight);
// The event's thread has the lock now, beside those that it held before.
void lock_livelock_acquired(locks_t *locks, const lock_t *lock, const reader_event_t *event);
void lock_livelock_finish(locks_t *locks);
void lock_livelock_close(locks_t *locks);

// ---- hand-overs ----
void lock_handovers_open(locks_t *locks);
void lock_handovers_free(locks_t *locks);
void lock_handover_step(locks_t *locks, const reader_event_t *event);
// `thread` gives something away at `key`; who takes it over knows what the giver had done.
void lock_hand_over(locks_t *locks, uint64_t key, uint32_t thread);
void lock_take_over(locks_t *locks, uint64_t key, uint32_t thread, order_strength_t strength);

// ---- conditions ----
void lock_condition_step(locks_t *locks, const reader_event_t *event);
// A wait that had not ended at the end of the trace.
void lock_condition_pending(locks_t *locks, uint32_t thread, const thread_pending_t *pending,
                            uint64_t end_ns);
void lock_conditions_free(locks_t *locks);

#endif
