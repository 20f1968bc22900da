// SPDX-License-Identifier: Apache-2.0
// Every lock: who took it, who waited, who held it meanwhile, who holds it now.
//
// A lock is an address and a generation: initialising it again, destroying it, or the end of the
// memory it lives in (free, dlclose, end of the thread whose stack it is on) retires it, and what
// is met at that address later is another lock. One that nobody initialised in sight (a static
// initialiser) begins with the first call on it.
#ifndef ANALYZER_MODELS_LOCKS_H
#define ANALYZER_MODELS_LOCKS_H

#include "analyzer/models/dependencies.h"
#include "analyzer/models/heap.h"
#include "analyzer/models/histogram.h"
#include "analyzer/models/lock_sites.h"
#include "analyzer/models/site_table.h"
#include "analyzer/models/threads.h"
#include "analyzer/models/wakers.h"

#define LOCK_END_TABLE(END)                                                                        \
  END(NONE, "in use at the end")                                                                   \
  END(DESTROYED, "destroyed")                                                                      \
  END(INITIALISED, "initialised again")                                                            \
  END(FREED, "its block was freed")                                                                \
  END(UNLOADED, "its module was unloaded")                                                         \
  END(THREAD_ENDED, "the thread with its stack ended")
typedef enum {
#define END(name, text) LOCK_END_##name,
  LOCK_END_TABLE(END)
#undef END
} lock_end_t;
const char *lock_end_text(lock_end_t end);

// Somebody has it.
typedef struct lock_holder {
  uint32_t thread;
  uint32_t stack;  // of the outermost acquire
  uint32_t depth;  // recursive locks: more than 1
  bool timed;      // since_ns is exact
  uint64_t since_ns;
} lock_holder_t;

// Convoys: the lock goes from waiter to waiter, LOCK_CONVOY_HANDOVERS times or more, and each time
// two others wait already when one gets it, so that the queue never drains (Blasgen, Gray, Mitoma
// and Price, "The Convoy Phenomenon", 1979).
enum { LOCK_CONVOY_HANDOVERS = 16 };
typedef struct {
  uint64_t count, total_ns;
  uint64_t handovers;                             // in all of them
  uint64_t longest, longest_from, longest_until;  // hand-overs of the longest one, and when
} lock_convoys_t;

// What every acquisition and release looks at stands first, and together (locks_fetch).
typedef struct lock {
  uint32_t id;           // for locks_get and reports; 1, 2, ... in order of appearance
  uint32_t bits;         // TRACE_LOCK_WHAT and how it is made (not how it was asked for)
  uint32_t first_stack;  // first call on it that has a stack
  uint32_t first_thread;
  bool shared_by_threads;  // touched by more than one thread
  bool owned;              // whoever acquires it releases it: all locks, and semaphores as long
                           // as they begin with 1 and are posted by who waited for them
  uint64_t last_ns;        // last call on it
  uint64_t acquisitions;   // successful; recursive ones included; estimated where sampled
  uint64_t drawn;          // of these, the drawn ones: each stands for 1 / rate
  uint64_t contended;      // of these, after waiting (condition re-acquires not counted)
  uint64_t holds;          // all outermost holds that ended; > hold_ns.count: estimated
  lock_sites_t sites;      // by acquire site: how often, waits and holds
  lock_holder_t owner;     // exclusive holder; thread 0: none
  // Private: recent holds and waits, once more than one thread came; exclusive holders whose
  // release was not read before the next acquire; the last hold that ended.
  struct lock_history *history;
  lock_holder_t *displaced;
  uint32_t displaced_count, displaced_capacity;
  lock_holder_t last_holder;
  uint64_t last_hold_until;
  lock_blocked_t last_blocked;
  // Else.
  lock_holder_t *readers;  // shared holders
  uint32_t reader_count, reader_capacity;
  histogram_t hold_ns;  // outermost holds of which both ends are timed
  uint64_t address;
  uint32_t generation;  // 0 for the first lock at its address
  uint32_t instances;   // 1, or more: uncontended retired locks of one site, merged
  uint64_t first_ns;    // first call on it
  lock_end_t end;
  uint32_t init_stack;       // where initialised, 0 not seen
  bool shared_by_processes;  // by threads of more than one trace, where several are read as one
  uint64_t writers;          // rwlocks: requests to write
  heap_block_t block;        // the heap block it was first seen in; size 0: none
  // Process-shared: inode and offset of what is mapped at its address; inode 0: not known.
  // `aliases` are further addresses it was met at.
  uint64_t inode, offset;
  uint64_t *aliases;
  uint32_t alias_count, alias_capacity;
  uint64_t failed_drawn;       // of the failed ones likewise
  uint64_t failed;             // busy, timed out, refused
  uint64_t released_by_other;  // releases by a thread that did not hold it while another did
  uint64_t released_unseen;    // releases with no acquire in sight
  uint32_t max_waiters;        // at one moment
  histogram_t wait_ns;         // of contended acquires and of failed ones that waited
  site_table_t waiters;        // by requesting site: waits and ns
  site_table_t holders;        // by the holder's acquire site: ns others waited for it meanwhile
                               // (stack 0: hand-over, or a holder that was not seen); `kind`: id
                               // of the other lock whose holder it waited for itself, 0: none
  site_table_t blamed;         // by acquire site: ns that others waited, for this lock or for one
                               // whose holder waited for it, because it was held from there
  uint64_t blamed_ns;          // all of `blamed`; over all locks: wait_ns + reacquire_ns
  lock_blocks_t blocks;        // calls that blocked while it was held
  uint64_t reacquires, reacquire_ns;  // after a condition's signal it was still held by others
  lock_convoys_t convoys;
  struct lock *next_in_page;
  uint32_t references;
  uint64_t place;  // key of inode and offset, 0: none
  bool charged_by_others;
} lock_t;

// True where waits for it are contention: it is held by whoever acquired it, and a semaphore has
// been given back by who had taken it. Hand-overs (conditions, barriers, futexes, semaphores that
// others post) are not.
bool lock_is_contention(const lock_t *lock);

// True where somebody held it when the trace ended.
static inline bool lock_is_held(const lock_t *lock) {
  return lock->owner.thread || lock->reader_count;
}

typedef struct locks locks_t;

// `heap` gives the blocks that locks lie in, `dependencies` takes the lock order, `wakers` who let
// whom have a lock, `threads` know how far each thread was read; all outlive it.
locks_t *locks_open(const reader_t *reader, const heap_t *heap, dependencies_t *dependencies,
                    wakers_t *wakers, const threads_t *threads);
void locks_close(locks_t *locks);
// Where holds of locks that somebody waited for go. Set before the first event; outlives it.
struct critical_path;
void locks_set_path(locks_t *locks, struct critical_path *path);
void locks_step(locks_t *locks, const reader_event_t *event);
// Fetches what steps with these events will look up. Changes nothing.
void locks_fetch(const locks_t *locks, const reader_event_t *events, size_t count);
// An event of the family of descriptors: what is written here and read there orders threads.
void lock_descriptor_step(locks_t *locks, const reader_event_t *event);
// The memory [start, start + size) is no more, as the event says: retires every lock in it.
void locks_retire(locks_t *locks, uint64_t start, uint64_t size, lock_end_t end,
                  const reader_event_t *event);
// The reader's modules that were unloaded until now take their locks with them. Call now and then.
void locks_check_modules(locks_t *locks);
// Counts the waits that had not ended, and adds their requests to the dependencies.
void locks_finish(locks_t *locks, const threads_t *threads, uint64_t end_ns);

// The variance of lock->acquisitions where holds were sampled; 0: they are exact.
double locks_acquisitions_variance(const locks_t *locks, const lock_t *lock);
// True where holds that nobody waited for were sampled.
bool locks_are_sampled(const locks_t *locks);

// Valid ids: 1 <= id < locks_limit. NULL for one that was merged into its site's (see instances).
uint32_t locks_limit(const locks_t *locks);
const lock_t *locks_get(const locks_t *locks, uint32_t id);
// The lock that lives at `address` now, or NULL.
const lock_t *locks_at(const locks_t *locks, uint64_t address);
// What a thread holds now, in order of acquisition: ids, newest last.
uint32_t locks_held_count(const locks_t *locks, uint32_t thread);
uint32_t locks_held(const locks_t *locks, uint32_t thread, uint32_t index);
uint64_t locks_held_since(const locks_t *locks, uint32_t thread, uint32_t index);

// A lock that another thread, `owner`, held when it created the thread, or one that the thread
// comes from. `kept`: until it had joined it, in one and the same section of the lock, so that
// whatever the schedule the thread's whole life lies in that section. Not so where not kept.
typedef struct {
  uint32_t lock, owner;
  lock_mode_t mode;
  bool kept;
  uint64_t section;  // private: number of the acquisition
} lock_guard_t;
// Their count, after locks_finish; the array lives as long as the model.
uint32_t locks_guards(const locks_t *locks, uint32_t thread, const lock_guard_t **guards);
// `creator` has made a thread with that handle; `created` 0: it has not started yet.
void lock_guards_create(locks_t *locks, uint32_t creator, uint32_t created, uint64_t handle);
// A thread starts whose creation was told before.
void lock_guards_start(locks_t *locks, uint32_t thread, uint64_t handle);
void lock_guards_join(locks_t *locks, uint32_t joiner, uint32_t joined);
// "mutex", "rwlock", ... from the bits.
const char *lock_kind_name(uint32_t bits);
// Equal for locks that were made at one site: init stack, else allocation site of their block and
// place in it, else address.
uint64_t lock_class(const lock_t *lock);

// Condition variables are no locks, but waits on them are counted here, by address.
typedef struct {
  uint64_t address;
  uint64_t waits, signals, broadcasts, timeouts;
  uint64_t last_signal_ns;  // of signals and broadcasts
  uint32_t last_signal_stack;
  histogram_t wait_ns;      // from call to return
  histogram_t signal_ns;    // of those that a signal ended: until the signal,
  histogram_t mutex_ns;     // then while others held the mutex,
  uint64_t latency_ns;      // then until the thread went on
  site_table_t signallers;  // by signalling site: waits ended, ns from signal to return
  site_table_t waiters;
} condition_t;
// How many threads a barrier was initialised for, 0: not seen.
uint32_t locks_barrier_parties(const locks_t *locks, uint64_t address);
// NULL where there was no call on it.
const condition_t *locks_condition_at(const locks_t *locks, uint64_t address);
uint32_t locks_condition_count(const locks_t *locks);
const condition_t *locks_condition(const locks_t *locks, uint32_t index);  // 0 .. count - 1

// A signal ended the wait whose COND_WAIT event was stepped last.
void locks_condition_woken(locks_t *locks, const wakeup_t *wakeup);

// Threads that each waited, at one moment, for a lock that the next one held, until the first of
// them met its time limit.
enum { LOCK_STANDOFF_LEGS = 8 };  // more: not looked for
typedef struct {
  uint32_t thread;
  uint32_t wants, wants_stack;  // lock ids and stacks
  uint32_t holds, holds_stack;
  uint64_t from_ns;
} lock_standoff_leg_t;
typedef struct {
  lock_standoff_leg_t legs[LOCK_STANDOFF_LEGS];
  uint32_t leg_count;
  uint64_t until_ns, count;
} lock_standoff_t;
uint32_t locks_standoff_count(const locks_t *locks);
const lock_standoff_t *locks_standoff(const locks_t *locks, uint32_t index);

// Threads that each held one lock and tried, again and again and in vain, the one that the next of
// them held. Lock ids and stacks; `count` tries of the longest time it happened.
typedef struct {
  uint32_t thread;
  uint32_t wants, wants_stack;
  uint32_t holds, holds_stack;
  uint64_t count, first_ns, last_ns;
} lock_tries_t;
typedef struct {
  lock_tries_t legs[LOCK_STANDOFF_LEGS];
  uint32_t leg_count;
  uint64_t over_ns;  // when one of them got both, 0: it went on
  uint64_t count;    // how often
  uint64_t key;      // private
} lock_livelock_t;
uint32_t locks_livelock_count(const locks_t *locks);
const lock_livelock_t *locks_livelock(const locks_t *locks, uint32_t index);

// A lock that was destroyed, or whose memory was given back, while `user` held it or waited for it.
typedef struct {
  uint32_t lock;     // id
  lock_end_t end;    // LOCK_END_DESTROYED or LOCK_END_FREED
  bool refused;      // the call failed and changed nothing
  bool waits;        // the user waited for it, else held it
  lock_mode_t mode;  // in which it held it
  uint32_t user;     // thread, 0: not known
  uint32_t user_stack;
  uint64_t user_since_ns;
  uint32_t by, by_stack;  // who ended it; of memory that is given back no stack is taken: 0
  uint64_t first_ns, last_ns, count;
} lock_misuse_t;
uint32_t locks_misuse_count(const locks_t *locks);
const lock_misuse_t *locks_misuse(const locks_t *locks, uint32_t index);

// A wait on a condition while another lock was held: unsound, although no cycle.
typedef struct {
  uint32_t thread;            // the first that did it
  uint32_t held, held_stack;  // lock id that stayed held, and where it was taken
  uint32_t mutex;             // lock id that goes with the condition
  uint32_t stack;             // of the wait
  uint64_t condition;         // address
  uint64_t count, first_ns, last_ns;
  uint64_t signalled;  // of these, ended: so often nobody who signals needed what was held
} condition_hazard_t;
uint32_t locks_hazard_count(const locks_t *locks);
const condition_hazard_t *locks_hazard(const locks_t *locks, uint32_t index);

#endif
