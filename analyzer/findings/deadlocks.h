// SPDX-License-Identifier: Apache-2.0
// Deadlocks: those that happened (wait-for graph at the end of the trace), those that could
// (cycles of lock dependencies that nothing rules out), and those ruled out, with the reason.
#ifndef ANALYZER_FINDINGS_DEADLOCKS_H
#define ANALYZER_FINDINGS_DEADLOCKS_H

#include "analyzer/models/models.h"

#define DEADLOCK_VERDICT_TABLE(VERDICT)                                                            \
  VERDICT(ACTUAL, "actual", "these threads can never go on")                                       \
  VERDICT(FEASIBLE, "feasible", "a reordering of what was seen deadlocks")                         \
  VERDICT(POTENTIAL, "potential", "nothing seen rules a deadlock out")                             \
  VERDICT(HAZARD, "hazard", "no cycle, but unsound")                                               \
  VERDICT(BENIGN, "benign", "a cycle that cannot deadlock")
typedef enum {
#define VERDICT(name, key, text) DEADLOCK_##name,
  DEADLOCK_VERDICT_TABLE(VERDICT)
#undef VERDICT
} deadlock_verdict_t;
const char *deadlock_verdict_name(deadlock_verdict_t verdict);  // "actual"
const char *deadlock_verdict_meaning(deadlock_verdict_t verdict);

#define DEADLOCK_KIND_TABLE(KIND)                                                                  \
  KIND(LOCK_ORDER, "lock-order")                                                                   \
  KIND(SELF, "self")                                                                               \
  KIND(JOIN, "join")                                                                               \
  KIND(ORPHAN, "orphan")                                                                           \
  KIND(RWLOCK, "rwlock")                                                                           \
  KIND(SEMAPHORE, "semaphore")                                                                     \
  KIND(CONDITION, "condition")                                                                     \
  KIND(BARRIER, "barrier")                                                                         \
  KIND(POOL, "pool")                                                                               \
  KIND(LIVELOCK, "livelock")                                                                       \
  KIND(DESTROYED, "destroyed")
typedef enum {
#define KIND(name, key) DEADLOCK_KIND_##name,
  DEADLOCK_KIND_TABLE(KIND)
#undef KIND
} deadlock_kind_t;
const char *deadlock_kind_name(deadlock_kind_t kind);  // "lock-order"

// Why a finding has its verdict; the JSON key `reason`.
#define DEADLOCK_REASON_TABLE(REASON)                                                              \
  REASON(WAIT_CYCLE, "each thread waits for what the next one holds")                              \
  REASON(SELF, "the thread waits for a lock that it holds itself")                                 \
  REASON(JOIN_CYCLE, "a thread is joined by one that holds what it waits for")                     \
  REASON(JOIN_RING, "each thread waits for the end of the next one")                               \
  REASON(HOLDER_ENDED, "the thread that held the lock has ended without releasing it")             \
  REASON(INHERITED, "a thread of the parent held the lock at the fork; in the child there is "     \
                    "nobody to release it")                                                        \
  REASON(NOBODY_SIGNALS, "every thread waits for another one: nobody is left to signal it")        \
  REASON(POOL_WAITS, "every worker of the pool waits inside a job, and jobs in its queue wait "    \
                     "for a worker")                                                               \
  REASON(MISSING_PARTY, "fewer threads can still come to the barrier than it waits for")           \
  REASON(OPPOSITE_ORDER, "threads take the same locks in different order")                         \
  REASON(WRITER_BETWEEN, "readers take the same locks in different order, and wait for writers "   \
                         "that come between")                                                      \
  REASON(SEMAPHORES, "semaphores that are used as locks are waited for in different order")        \
  REASON(WAITS_HOLDING, "waits on a condition while holding another lock")                         \
  REASON(TRIES, "each holds a lock and tries the next one's in vain, again and again")             \
  REASON(DESTRUCTION_REFUSED, "a lock in use was to be destroyed: the call failed with EBUSY")     \
  REASON(DESTROYED_HELD, "the lock was destroyed while it was held")                               \
  REASON(DESTROYED_WAITED, "the lock was destroyed while a thread waited for it")                  \
  REASON(FREED_HELD, "the memory of the lock was given back while it was held")                    \
  REASON(FREED_WAITED, "the memory of the lock was given back while a thread waited for it")       \
  REASON(WRITER_QUEUED, "a reader waits behind a writer that waits for that reader's own lock")    \
  REASON(SINGLE_THREAD, "the same thread takes them in both orders, one after the other")          \
  REASON(GATE, "a lock held around both orders keeps them apart")                                  \
  REASON(GUARDED, "a thread was created and joined by one that held a lock all the while: that "   \
                  "lock keeps the orders apart")                                                   \
  REASON(ORDERED, "creating and joining threads, or a barrier, keeps the orders apart")            \
  REASON(HANDED_OVER, "a hand-over through a condition, semaphore or descriptor kept the orders "  \
                      "apart in this run")                                                         \
  REASON(FRESH, "its thread had just allocated a lock of the cycle, and no other one knew of it "  \
                "yet, as far as was seen")                                                         \
  REASON(READERS, "readers do not exclude each other")
typedef enum {
#define REASON(name, text) DEADLOCK_REASON_##name,
  DEADLOCK_REASON_TABLE(REASON)
#undef REASON
} deadlock_reason_t;
const char *deadlock_reason_text(deadlock_reason_t reason);

// What was looked for and not found; the JSON list `why_not_ruled_out`. Bits.
#define DEADLOCK_DOUBT_TABLE(DOUBT)                                                                \
  DOUBT(THREADS, "the orders were seen in different threads")                                      \
  DOUBT(NO_GATE, "no other lock was held around all of them")                                      \
  DOUBT(MODES, "the modes of the locks exclude each other")                                        \
  DOUBT(CONCURRENT, "no creation or join, barrier or hand-over orders them")                       \
  DOUBT(REORDERED, "what was seen can be reordered so that it hangs, each lock's sections in "     \
                   "their order")                                                                  \
  DOUBT(NOT_REORDERED, "no reordering that keeps the order of each lock's sections was found "     \
                       "that hangs")                                                               \
  DOUBT(STRICT, "--strict-order: any two orders are reported")                                     \
  DOUBT(UNBOUNDED, "the requests wait without a time limit")                                       \
  DOUBT(BOUNDED, "a request has a time limit: it would fail, not hang")                            \
  DOUBT(REORDERED_BOUNDED, "what was seen can be reordered so that they wait for one another "     \
                           "until then, each lock's sections in their order")                      \
  DOUBT(AT_END, "the trace ends in it")                                                            \
  DOUBT(OVER, "they waited at one moment, until a time limit ended it")                            \
  DOUBT(STANDSTILL, "all threads of the process wait for one another")                             \
  DOUBT(QUIET, "none of its threads did anything between two looks at the process")
typedef enum {
#define DOUBT(name, text) DEADLOCK_DOUBT_INDEX_##name,
  DEADLOCK_DOUBT_TABLE(DOUBT)
#undef DOUBT
      DEADLOCK_DOUBT_COUNT
} deadlock_doubt_t;
const char *deadlock_doubt_text(deadlock_doubt_t doubt);

// One side of the knot: `thread` holds `holds`, and wants `wants` (a lock) or the end of
// `wants_thread`. Ids as in locks.h, 0: none.
typedef struct {
  uint32_t thread;        // one that did it
  uint32_t thread_count;  // how many did, at least
  uint32_t holds, wants, wants_thread;
  lock_mode_t holds_mode, wants_mode;
  uint32_t holds_stack, wants_stack;
  bool timed;
  uint64_t condition;          // that it waits for, where legs wait for different ones
  uint64_t count;              // how often seen; 1 for ACTUAL
  uint64_t first_ns, last_ns;  // ACTUAL: since when it waits, end of the trace
  uint32_t *also_holds;        // further lock ids held at that moment
  uint32_t also_held;
} deadlock_leg_t;

// One line of a run that hangs: the leg's thread takes what it holds, then asks for what it wants.
typedef struct {
  uint32_t leg;
  bool asks;
} deadlock_step_t;

// A thread that is stuck behind a deadlock without being part of it.
typedef struct {
  uint32_t thread;
  uint32_t wants, wants_thread;
  uint64_t condition;  // or barrier that it waits at, 0: none
  uint32_t stack;
  uint64_t since_ns;
} deadlock_bystander_t;

typedef struct {
  uint32_t id;  // 1, 2, ... in order of the list
  deadlock_verdict_t verdict;
  deadlock_kind_t kind;
  deadlock_reason_t reason;
  uint32_t why_not_ruled_out;  // set of 1 << deadlock_doubt_t
  uint32_t leg_count;
  deadlock_leg_t *legs;  // leg i wants what leg (i + 1) % leg_count holds; for ORPHAN and a
                         // HAZARD of a wait one leg; for a standstill those who wait, each by
                         // itself; DESTROYED: who did it, then who held it or waited for it
  uint32_t gate;         // lock id that keeps a BENIGN one from happening (GATE, GUARDED), else 0
  uint32_t between;      // FEASIBLE, POTENTIAL: a lock that one leg's thread held after its part,
                         // and another one's then, before its own; 0: none
  uint32_t between_first, between_then;  // these legs
  uint64_t condition;     // HAZARD, CONDITION, BARRIER: address of the condition or barrier
  uint32_t arrived;       // CONDITION and BARRIER that are no HAZARD of a held lock: who waits;
                          // POOL: its workers
  uint32_t queued;        // POOL: jobs that wait for a worker
  uint32_t parties;       // BARRIER: for so many
  uint64_t signalled;     // HAZARD of a held lock: of its waits, those that ended all the same
  uint64_t over_ns;       // ACTUAL: when a time limit ended it, LIVELOCK: when one got both locks;
                          // 0: it lasts
  uint32_t ended_thread;  // ORPHAN: the holder that has ended, 0: not recorded
  uint32_t ended_tid;     // its tid, where the lock itself said it
  uint64_t merged;        // cycles of the same locks' class and call sites in this one, >= 1
  deadlock_bystander_t *bystanders;
  uint32_t bystander_count;
  deadlock_step_t *schedule;  // FEASIBLE, or so but for a time limit: 2 * leg_count steps; or NULL
} deadlock_t;

typedef struct {
  deadlock_t *items;  // gravest first, then by first appearance; the same every run
  size_t count;
  uint64_t cycles_examined;
  uint64_t handed_over;  // BENIGN ones that only a hand-over kept apart: perhaps an accident
  uint64_t fresh;        // BENIGN ones of a lock that was new
  uint64_t suppressed;   // taken out on request
  bool search_cut;       // the search for cycles met its limit: there may be more
} deadlocks_t;

enum {
  DEADLOCK_CYCLE_MAX = 8,        // threads in cycles of dependencies that are all looked for
  DEADLOCK_RING_MAX = 4096,      // threads in the shortest cycle of locks that have no such one
  DEADLOCK_STEPS_MAX = 2000000,  // steps of the search; then it says that it was cut
};

// Finds them in finished models. The result is for deadlocks_free. `strict_order`: whatever two
// orders there are is POTENTIAL, even where they cannot meet.
deadlocks_t *deadlocks_find(const models_t *models, bool strict_order);
// Takes the finding out of the list, and counts it as suppressed.
void deadlocks_suppress(deadlocks_t *deadlocks, size_t index);
// Takes out what concerns only one of the processes that were read as one.
void deadlocks_keep_joint(deadlocks_t *deadlocks, const reader_t *reader);
void deadlocks_free(deadlocks_t *deadlocks);
// True where threads cannot go on because of a HAZARD, now or at the end of the trace.
bool deadlock_holds_up(const deadlock_t *found);
// How many of a verdict there are.
size_t deadlocks_count(const deadlocks_t *deadlocks, deadlock_verdict_t verdict);

#endif
