// SPDX-License-Identifier: Apache-2.0
// Events made by hand for tests of models and findings.
#include "tests/unit/models_feed.h"

enum { STEP_NS = 1000 };

feed_t feed_begin(void) { return (feed_t){.models = models_open(NULL)}; }

void feed_end(feed_t *feed) { models_finish(feed->models); }

void feed_free(feed_t *feed) { models_close(feed->models); }

void feed_at(feed_t *feed, uint64_t time) { feed->now = time - STEP_NS; }

void feed_event(feed_t *feed, uint32_t thread, int kind, uint32_t stack, uint64_t arg,
                uint64_t word0, uint64_t word1, uint64_t word2) {
  feed->now += STEP_NS;
  reader_event_t event = {.kind = (uint8_t)kind,
                          .timed = true,
                          .lane = thread,
                          .thread = thread,
                          .stack = stack,
                          .time = feed->now,
                          .arg = arg,
                          .words = {word0, word1, word2}};
  models_step(feed->models, &event);
}

uint64_t feed_handle(uint32_t thread) { return UINT64_C(0x7f0000000000) + thread * 0x1000000u; }

void feed_start(feed_t *feed, uint32_t thread) {
  feed_event(feed, thread, TRACE_THREAD_START, 0, 1000 + thread, feed_handle(thread), 0, 0);
}

void feed_stop(feed_t *feed, uint32_t thread) {
  feed_event(feed, thread, TRACE_THREAD_END, 0, 0, feed_handle(thread), 0, 0);
}

void feed_create(feed_t *feed, uint32_t creator, uint32_t thread) {
  feed_event(feed, creator, TRACE_THREAD_CREATE, 0, 0, feed_handle(thread), 0, 0);
}

void feed_join(feed_t *feed, uint32_t joiner, uint32_t thread) {
  feed_event(feed, joiner, TRACE_THREAD_JOIN, 0, 0, feed_handle(thread), 0, 0);
}

void feed_acquire(feed_t *feed, uint32_t thread, uint64_t lock, uint32_t bits, uint32_t stack) {
  feed_event(feed, thread, TRACE_LOCK_ACQUIRE, stack, bits, lock, 0, 0);
}

void feed_waited(feed_t *feed, uint32_t thread, uint64_t lock, uint32_t bits, uint32_t stack,
                 uint64_t wait) {
  feed_event(feed, thread, TRACE_LOCK_WAIT, stack, bits, lock, wait, 0);
}

void feed_release(feed_t *feed, uint32_t thread, uint64_t lock, uint32_t bits) {
  feed_event(feed, thread, TRACE_LOCK_RELEASE, 0, bits, lock, 0, 0);
}

void feed_pending(feed_t *feed, uint32_t thread, uint32_t what, uint64_t object, uint64_t second,
                  uint32_t stack, uint64_t since) {
  feed_event(feed, thread, TRACE_PENDING, stack, what, object, second, since);
}

void feed_nested(feed_t *feed, uint32_t thread, uint64_t first, uint64_t second, uint32_t stack) {
  feed_acquire(feed, thread, first, FEED_MUTEX, stack);
  feed_acquire(feed, thread, second, FEED_MUTEX, stack + 1);
  feed_release(feed, thread, second, FEED_MUTEX);
  feed_release(feed, thread, first, FEED_MUTEX);
}

void feed_allocate(feed_t *feed, uint32_t thread, uint64_t block, uint64_t size, uint32_t stack) {
  feed_event(feed, thread, TRACE_ALLOCATE, stack, size, block, 0, 0);
}

void feed_release_block(feed_t *feed, uint32_t thread, uint64_t block) {
  feed_event(feed, thread, TRACE_FREE, 0, 0, block, 0, 0);
}

void feed_reallocate_start(feed_t *feed, uint32_t thread, uint64_t block) {
  feed_event(feed, thread, TRACE_REALLOCATE_START, 0, 0, block, 0, 0);
}

void feed_reallocate(feed_t *feed, uint32_t thread, uint64_t old, uint64_t block, uint64_t size,
                     uint32_t stack) {
  feed_event(feed, thread, TRACE_REALLOCATE, stack, size, old, block, 0);
}
