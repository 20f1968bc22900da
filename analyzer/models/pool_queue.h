// SPDX-License-Identifier: Apache-2.0
// The queue of a pool: what was put there and not taken yet, oldest first.
#ifndef ANALYZER_MODELS_POOL_QUEUE_H
#define ANALYZER_MODELS_POOL_QUEUE_H

#include "analyzer/models/timeline.h"

#include <stdbool.h>
#include <stdint.h>

enum { POOL_QUEUE_LATE = 16 };  // takes kept that nobody was seen to put

typedef struct {
  uint64_t time, amount;
} pool_queued_t;

// Zero-initialised is empty and valid.
typedef struct {
  pool_queued_t *items;  // what waits, in a ring
  uint32_t capacity, first, count;
  uint32_t limit;                  // the oldest beyond it are dropped
  uint64_t late[POOL_QUEUE_LATE];  // when something was taken that was not there; 0: none
  uint32_t late_next;
  timeline_t *backlog;  // NULL: not kept. The caller's
  uint64_t changed_ns;  // when the backlog changed last
  uint64_t put_ns;      // when something was put last
} pool_queue_t;

void pool_queue_clear(pool_queue_t *queue);
// Something is put there by a call that began at `from` and ended, as it is told, at `until`:
// bytes, or an `amount` of 1. Where a worker had it before the call had returned: true, and for how
// long it was queued.
bool pool_queue_put(pool_queue_t *queue, uint64_t amount, uint64_t from, uint64_t until,
                    uint64_t *queued_ns);
// Takes so much, from the oldest on; how long that had been there. False where there is nothing.
bool pool_queue_take(pool_queue_t *queue, uint64_t amount, uint64_t time, uint64_t *queued_ns);
// When what was put there as number `index` from the oldest on, 0 .. count - 1.
uint64_t pool_queue_time(const pool_queue_t *queue, uint32_t index);
// A worker found nothing at `time`: what was put there before is spent.
void pool_queue_found_empty(pool_queue_t *queue, uint64_t time);

#endif
