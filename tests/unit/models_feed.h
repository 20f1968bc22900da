// SPDX-License-Identifier: Apache-2.0
// Events made by hand for tests of models and findings: one function for each kind of call, all on
// one clock that moves a microsecond with every event unless the test sets it.
#ifndef TESTS_UNIT_MODELS_FEED_H
#define TESTS_UNIT_MODELS_FEED_H

#include "analyzer/findings/deadlocks.h"
#include "analyzer/models/models.h"

enum {
  FEED_MUTEX = TRACE_LOCK_MUTEX,
  FEED_READ = TRACE_LOCK_RWLOCK | TRACE_LOCK_SHARED,
  FEED_WRITE = TRACE_LOCK_RWLOCK,
};

typedef struct {
  models_t *models;
  uint64_t now;  // ns of the event fed last
} feed_t;

feed_t feed_begin(void);
// Finishes the models at the time of the last event.
void feed_end(feed_t *feed);
void feed_free(feed_t *feed);

// Any event; time: feed->now + 1000, timed.
void feed_event(feed_t *feed, uint32_t thread, int kind, uint32_t stack, uint64_t arg,
                uint64_t word0, uint64_t word1, uint64_t word2);
// Moves the clock, so that the next event has exactly this time.
void feed_at(feed_t *feed, uint64_t time);

// Thread t has the handle feed_handle(t).
uint64_t feed_handle(uint32_t thread);
void feed_start(feed_t *feed, uint32_t thread);
void feed_stop(feed_t *feed, uint32_t thread);
void feed_create(feed_t *feed, uint32_t creator, uint32_t thread);  // returned; does not start it
void feed_join(feed_t *feed, uint32_t joiner, uint32_t thread);

// `bits` are TRACE_LOCK_*.
void feed_acquire(feed_t *feed, uint32_t thread, uint64_t lock, uint32_t bits, uint32_t stack);
void feed_waited(feed_t *feed, uint32_t thread, uint64_t lock, uint32_t bits, uint32_t stack,
                 uint64_t wait);
void feed_release(feed_t *feed, uint32_t thread, uint64_t lock, uint32_t bits);
void feed_pending(feed_t *feed, uint32_t thread, uint32_t what, uint64_t object, uint64_t second,
                  uint32_t stack, uint64_t since);

// thread acquires `first`, then `second`, and releases both; stacks: stack, stack + 1.
void feed_nested(feed_t *feed, uint32_t thread, uint64_t first, uint64_t second, uint32_t stack);

void feed_allocate(feed_t *feed, uint32_t thread, uint64_t block, uint64_t size, uint32_t stack);
void feed_release_block(feed_t *feed, uint32_t thread, uint64_t block);
void feed_reallocate_start(feed_t *feed, uint32_t thread, uint64_t block);
void feed_reallocate(feed_t *feed, uint32_t thread, uint64_t old, uint64_t block, uint64_t size,
                     uint32_t stack);

#endif
