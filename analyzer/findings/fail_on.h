// SPDX-License-Identifier: Apache-2.0
// --fail-on: which kinds of finding make the exit status 1.
#ifndef ANALYZER_FINDINGS_FAIL_ON_H
#define ANALYZER_FINDINGS_FAIL_ON_H

#include "analyzer/findings/deadlocks.h"

// name, key, from when it counts as found
#define FAIL_ON_TABLE(KIND)                                                                        \
  KIND(DEADLOCK, "deadlock", "an actual deadlock")                                                 \
  KIND(POTENTIAL_DEADLOCK, "potential-deadlock", "a feasible or potential deadlock")               \
  KIND(HAZARD, "hazard", "a hazard")                                                               \
  KIND(LEAK, "leak", "a block of the program's own left at its exit")                              \
  KIND(STALL, "stall", "a turn of an event loop over INSPECT_STALL_MS")                            \
  KIND(CONTENTION, "contention",                                                                   \
       "a lock that was waited for 10 ms and 1 % of the run's duration, all threads together")     \
  KIND(LOST, "lost", "a lost event, or a damaged trace")
typedef enum {
#define KIND(name, key, text) FAIL_ON_##name,
  FAIL_ON_TABLE(KIND)
#undef KIND
      FAIL_ON_COUNT
} fail_on_kind_t;
const char *fail_on_name(fail_on_kind_t kind);
const char *fail_on_meaning(fail_on_kind_t kind);

// Parses "deadlock,leak" or "any" into a set of 1 << fail_on_kind_t. False: *bad points at the
// first unknown word in `list`, *bad_length is its length.
bool fail_on_parse(const char *list, uint32_t *set, const char **bad, size_t *bad_length);

// Tells whether all frames of a stack belong to the loader or to libc (their own blocks are no
// leaks). `context` is the caller's.
typedef bool (*fail_on_runtime_t)(void *context, uint32_t stack);

// The kinds that were found, as such a set. `is_runtime` NULL: no block is the runtime's.
uint32_t fail_on_found(const models_t *models, const deadlocks_t *deadlocks,
                       fail_on_runtime_t is_runtime, void *context);
// Leaks only make sense where the process ended by itself: false for one that was killed, replaced
// by exec or still runs, where live blocks are not leaks.
bool fail_on_leaks_known(const models_t *models);

#endif
