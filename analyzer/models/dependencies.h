// SPDX-License-Identifier: Apache-2.0
// Lock order as dependencies, not as an edge graph: a thread asked for lock W (in a mode, at a
// stack) while it held {H...} (each with mode and stack). Edges forget what else was held and who
// asked; with whole tuples gate locks, readers and single threads can be told from deadlocks.
//
// Equal tuples are one entry with a count. An entry keeps which threads made it, and when in the
// order of threads (thread_order.h), for a bounded number of them.
#ifndef ANALYZER_MODELS_DEPENDENCIES_H
#define ANALYZER_MODELS_DEPENDENCIES_H

#include "analyzer/models/thread_order.h"
#include "analyzer/reading/reader.h"

typedef enum { LOCK_MODE_EXCLUSIVE = 0, LOCK_MODE_SHARED = 1 } lock_mode_t;
const char *lock_mode_name(lock_mode_t mode);  // "exclusive", "shared"

enum {
  DEPENDENCY_HELD_MAX = 32,          // more locks held at once: the oldest are left out and counted
  DEPENDENCY_OCCURRENCES = 8,        // kept of each entry: the first four and the newest four
  DEPENDENCY_VARIANTS = 16,          // entries that differ in stacks alone; more count in the first
  DEPENDENCY_RETIRED_MAX = 1 << 16,  // entries kept that name a retired lock
  DEPENDENCY_RECENT = 8,
  DEPENDENCIES_MAX = 1 << 21,  // entries; tuples that are new after that are counted only
};

typedef struct {
  uint32_t lock;           // id
  uint32_t stack;          // where it was (or is being) acquired
  uint8_t mode;            // lock_mode_t
  bool recursive_readers;  // shared, of a kind where waiting writers do not stop readers
  bool fresh;              // in a block that the thread had allocated and told nobody of so far
} dependency_lock_t;

// One (thread, moment) at which the tuple was seen.
typedef struct {
  uint32_t thread;
  uint64_t first_ns, last_ns;
  order_moment_t moment;  // the first in its epoch
} dependency_occurrence_t;

typedef struct dependency {
  dependency_lock_t wanted;
  dependency_lock_t *held;  // in order of acquisition, held_count >= 1
  uint32_t held_count;
  bool timed;    // every request had a time limit: a cycle is bounded
  bool pending;  // one request was still waiting at the end
  uint64_t count, first_ns, last_ns;
  uint32_t thread_count;  // distinct threads among the occurrences, at least
  uint32_t occurrence_count;
  uint64_t occurrences_dropped;
  dependency_occurrence_t *occurrences;  // DEPENDENCY_OCCURRENCES at most
  // Private: hashes with and without the stacks, order of appearance, place in the list of all, and
  // places in the lists of the locks it names (of the held ones, then of the wanted one).
  uint64_t key, family, serial;
  uint32_t place, occurrence_capacity;
  uint32_t *places;
  uint8_t recent[DEPENDENCY_RECENT];  // by thread: its occurrence, probably
} dependency_t;

typedef struct dependencies dependencies_t;

// `order` says when threads could have met; it outlives the dependencies.
dependencies_t *dependencies_open(thread_order_t *order);
thread_order_t *dependencies_order(const dependencies_t *dependencies);
void dependencies_close(dependencies_t *dependencies);

// Notes that `thread` asked for `wanted` while it held the `count` locks of `held` (count >= 1).
void dependencies_add(dependencies_t *dependencies, uint32_t thread, uint64_t time,
                      const dependency_lock_t *wanted, bool timed, bool pending,
                      const dependency_lock_t *held, uint32_t count);
// What that will look up, to be fetched before, in stages: `key`, which stands for the arguments
// (1 <= count <= DEPENDENCY_HELD_MAX), then the entry, NULL where there is none yet, then its
// occurrences.
uint64_t dependencies_fetch_key(const dependencies_t *dependencies, const dependency_lock_t *wanted,
                                const dependency_lock_t *held, uint32_t count);
const dependency_t *dependencies_fetch_entry(const dependencies_t *dependencies, uint64_t key);
void dependency_fetch_occurrences(const dependency_t *entry);
// The lock is gone: entries that can be part of no cycle any more are dropped.
void dependencies_retire(dependencies_t *dependencies, uint32_t lock);
// True while an entry names the lock.
bool dependencies_name(const dependencies_t *dependencies, uint32_t lock);

// Puts the entries in order of first appearance. Call it after the last add.
void dependencies_finish(dependencies_t *dependencies);
// Entries, after dependencies_finish; the pointers live until the next add or retire.
uint32_t dependencies_count(const dependencies_t *dependencies);
const dependency_t *dependencies_get(const dependencies_t *dependencies, uint32_t index);
// Entries that were dropped because of the limits above, and held locks left out.
uint64_t dependencies_dropped(const dependencies_t *dependencies);

// Edges for lock_edges.csv: entries merged by (held lock, wanted lock, their stacks).
typedef struct {
  uint32_t from, to;  // lock ids
  uint32_t from_stack, to_stack;
  uint64_t count;
  uint32_t threads;  // distinct, at least
} lock_edge_t;
// Returns an array for free(), sorted by from, to, then stacks; *count entries.
lock_edge_t *dependencies_edges(const dependencies_t *dependencies, size_t *count);

#endif
