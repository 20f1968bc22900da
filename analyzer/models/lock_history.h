// SPDX-License-Identifier: Apache-2.0
// The newest holds and waits of a lock, kept once more than one thread has come to it.
#ifndef ANALYZER_MODELS_LOCK_HISTORY_H
#define ANALYZER_MODELS_LOCK_HISTORY_H

#include "analyzer/models/locks_private.h"

enum { HISTORY_FIRST = 8, HISTORY_MAX = 1024 };

typedef struct {
  uint32_t stack, thread;
  uint64_t from, until;
  lock_blocked_t blocked;
} past_hold_t;

// A wait that has ended, and how many were waiting just before it did.
typedef struct {
  uint64_t until;
  uint32_t waiters;
} past_wait_t;

// Rings of the newest: item i stands at i % size. They grow where looking back met their end.
struct lock_history {
  past_hold_t *holds;
  past_wait_t *waits;
  uint64_t hold_count, wait_count;
  uint32_t hold_size, wait_size;
  // A queue that does not drain: the ends of the last two waits, and the run so far.
  uint64_t ends[2], run_from;
  uint32_t run;
};

static inline uint64_t history_oldest(uint64_t count, uint32_t size) {
  return count > size ? count - size : 0;
}
void history_grow_holds(struct lock_history *history);

#endif
