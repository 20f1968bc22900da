// SPDX-License-Identifier: Apache-2.0
// The critical path: it has no gaps, goes through those who ended waits, and stays small.
#include "analyzer/models/critical_path.h"

#include "tests/unit/models_feed.h"

#include <check.h>

enum { A = 0x1000, B = 0x2000, SEMAPHORE = 0x3000, POSTED = TRACE_LOCK_SEMAPHORE };

static feed_t feed;

static void setup(void) { feed = feed_begin(); }
static void teardown(void) { feed_free(&feed); }

static void start(uint32_t thread, uint64_t time) {
  feed_at(&feed, time);
  feed_start(&feed, thread);
}

static void acquire(uint32_t thread, uint64_t lock, uint64_t time) {
  feed_at(&feed, time);
  feed_acquire(&feed, thread, lock, FEED_MUTEX, thread * 10);
}

static void waited(uint32_t thread, uint64_t lock, uint32_t bits, uint64_t from, uint64_t until) {
  feed_at(&feed, until);
  feed_waited(&feed, thread, lock, bits, thread * 10, until - from);
}

static void release(uint32_t thread, uint64_t lock, uint32_t bits, uint64_t time) {
  feed_at(&feed, time);
  feed_release(&feed, thread, lock, bits);
}

static void finish(uint32_t thread, uint64_t time) {
  feed_at(&feed, time);
  feed_event(&feed, thread, TRACE_EXIT, 0, 0, 0, 0, 0);
  feed_end(&feed);
}

static const critical_path_t *path(void) { return models_critical_path(feed.models); }

static uint64_t ns_of(path_kind_t kind, uint32_t id) {
  const path_row_t *row = critical_path_row(path(), kind, id);
  return row ? row->ns : 0;
}

static uint32_t id_of(uint64_t lock) { return locks_at(models_locks(feed.models), lock)->id; }

static uint64_t sum_of(path_kind_t kind) {
  uint64_t sum = 0;
  uint32_t count;
  const path_row_t *rows = critical_path_rows(path(), &count);
  for (uint32_t at = 0; at < count; ++at) sum += rows[at].kind == kind ? rows[at].ns : 0;
  return sum;
}

START_TEST(one_thread_alone) {
  start(1, 1000);
  feed_at(&feed, 500000);
  feed_event(&feed, 1, TRACE_SLEEP, 0, 0, 200000, 0, 0);
  finish(1, 1001000);
  const path_summary_t *summary = critical_path_summary(path());
  ck_assert_uint_eq(summary->total_ns, 1000000);
  ck_assert_uint_eq(summary->running_ns, 800000);
  ck_assert_uint_eq(ns_of(PATH_THREAD, 1), 1000000);
  ck_assert_uint_eq(ns_of(PATH_WAIT, THREAD_STATE_SLEEP), 200000);
}
END_TEST

// 2 holds A until 600, 1 waits for it from 300 on: from 1's end back to 2's beginning.
START_TEST(through_the_holder_of_a_lock) {
  start(1, 1000);
  start(2, 2000);
  acquire(2, A, 100000);
  release(2, A, FEED_MUTEX, 600000);
  waited(1, A, FEED_MUTEX, 300000, 610000);
  release(1, A, FEED_MUTEX, 710000);
  finish(1, 810000);
  const path_summary_t *summary = critical_path_summary(path());
  ck_assert_uint_eq(summary->total_ns, 808000);
  ck_assert_uint_eq(summary->from_ns, 2000);
  ck_assert_uint_eq(summary->first_thread, 2);
  ck_assert_uint_eq(ns_of(PATH_THREAD, 2), 598000);
  ck_assert_uint_eq(ns_of(PATH_THREAD, 1), 210000);
  ck_assert_uint_eq(ns_of(PATH_LOCK, id_of(A)), 600000);
  ck_assert_uint_eq(ns_of(PATH_WAKE_LOCK, id_of(A)), 10000);
  ck_assert_uint_eq(ns_of(PATH_WAKE, WAKE_LOCK), 10000);
  ck_assert_uint_eq(summary->wakeups, 1);
}
END_TEST

// The holder goes on after its release and waits itself before the wake-up is read.
START_TEST(the_waker_has_gone_further) {
  start(1, 1000);
  start(2, 1000);
  start(3, 1000);
  acquire(2, A, 100000);
  release(2, A, FEED_MUTEX, 600000);
  acquire(2, B, 610000);
  release(2, B, FEED_MUTEX, 630000);
  release(3, SEMAPHORE, POSTED, 640000);
  waited(2, SEMAPHORE, POSTED, 635000, 645000);
  waited(1, A, FEED_MUTEX, 300000, 650000);
  finish(1, 700000);
  ck_assert_uint_eq(critical_path_summary(path())->total_ns, 699000);
  ck_assert_uint_eq(ns_of(PATH_THREAD, 2), 599000);
  ck_assert_uint_eq(ns_of(PATH_THREAD, 1), 100000);
  ck_assert_uint_eq(ns_of(PATH_THREAD, 3), 0);
  ck_assert_uint_eq(ns_of(PATH_LOCK, id_of(A)), 500000 + 50000);  // 1 holds it at the end
}
END_TEST

// Whom a thread has woken may go on only after that thread has ended, and was joined.
START_TEST(the_waker_has_been_joined) {
  start(1, 1000);
  start(2, 1000);
  start(3, 1000);
  release(2, SEMAPHORE, POSTED, 600000);
  feed_at(&feed, 610000);
  feed_stop(&feed, 2);
  feed_at(&feed, 620000);
  feed_event(&feed, 3, TRACE_THREAD_JOIN, 0, 0, feed_handle(2), 300000, 0);
  waited(1, SEMAPHORE, POSTED, 300000, 650000);
  finish(1, 700000);
  ck_assert_uint_eq(critical_path_summary(path())->unresolved, 0);
  ck_assert_uint_eq(critical_path_summary(path())->total_ns, 699000);
  ck_assert_uint_eq(ns_of(PATH_THREAD, 2), 599000);
  ck_assert_uint_eq(ns_of(PATH_THREAD, 1), 100000);
}
END_TEST

START_TEST(what_is_held_when_the_path_leaves_counts) {
  start(1, 1000);
  start(2, 1000);
  acquire(2, A, 50000);
  release(2, A, FEED_MUTEX, 60000);
  waited(1, A, FEED_MUTEX, 55000, 61000);  // A is one that somebody waits for
  release(1, A, FEED_MUTEX, 62000);
  acquire(2, A, 100000);
  release(2, SEMAPHORE, POSTED, 400000);  // 2 holds A and goes on doing so
  waited(1, SEMAPHORE, POSTED, 70000, 405000);
  release(2, A, FEED_MUTEX, 900000);
  finish(1, 500000);
  ck_assert_uint_eq(ns_of(PATH_LOCK, id_of(A)), 10000 + 300000);
  ck_assert_uint_eq(critical_path_summary(path())->total_ns, 499000);
}
END_TEST

START_TEST(created_threads_go_on_from_their_creator) {
  start(1, 1000);
  feed_at(&feed, 101000);
  feed_create(&feed, 1, 2);
  start(2, 111000);
  feed_at(&feed, 711000);
  feed_stop(&feed, 2);
  feed_at(&feed, 721000);
  feed_event(&feed, 1, TRACE_THREAD_JOIN, 0, 0, feed_handle(2), 600000, 0);
  finish(1, 731000);
  const path_summary_t *summary = critical_path_summary(path());
  ck_assert_uint_eq(summary->total_ns, 730000);
  ck_assert_uint_eq(ns_of(PATH_THREAD, 2), 610000);
  ck_assert_uint_eq(ns_of(PATH_THREAD, 1), 120000);
  ck_assert_uint_eq(ns_of(PATH_WAKE, WAKE_JOIN), 10000);
  ck_assert_uint_eq(summary->first_thread, 1);
}
END_TEST

START_TEST(a_creation_that_is_noted_late) {
  start(1, 1000);
  start(2, 50000);
  for (uint64_t i = 1; i <= 20; ++i) {
    release(1, SEMAPHORE, POSTED, 50000 + i * 1000);
    waited(2, SEMAPHORE, POSTED, 50000 + i * 1000 - 500, 50000 + i * 1000 + 400);
  }
  feed_at(&feed, 90000);
  feed_create(&feed, 1, 2);
  finish(2, 200000);
  ck_assert_uint_eq(critical_path_summary(path())->total_ns, 199000);
  ck_assert_uint_eq(critical_path_summary(path())->first_thread, 1);
}
END_TEST

// Two threads hand work to and fro for a long time: memory stays, and no time is lost.
START_TEST(memory_does_not_grow_with_time) {
  enum { ROUNDS = 200000 };
  uint64_t time = 1000;
  start(1, time);
  start(2, time);
  size_t most = 0;
  for (uint32_t round = 0; round < ROUNDS; ++round) {
    uint32_t giver = 1 + (round & 1), taker = 3 - giver;
    acquire(giver, A, time + 100);
    release(giver, A, FEED_MUTEX, time + 900);
    waited(taker, A, FEED_MUTEX, time + 200, time + 1000);
    release(taker, A, FEED_MUTEX, time + 1000);
    time += 1000;
    if (critical_path_size(path()) > most) most = critical_path_size(path());
  }
  finish(1, time + 1000);
  ck_assert_uint_le(most, 10000);
  ck_assert_uint_eq(critical_path_summary(path())->total_ns, (uint64_t)ROUNDS * 1000 + 1000);
  ck_assert_uint_eq(sum_of(PATH_THREAD), critical_path_summary(path())->total_ns);
  ck_assert_uint_eq(critical_path_summary(path())->wakeups, ROUNDS);
  ck_assert_uint_eq(ns_of(PATH_LOCK, id_of(A)), (uint64_t)ROUNDS * 800);
  ck_assert_uint_eq(critical_path_summary(path())->unresolved, 0);
}
END_TEST

Suite *models_critical_path_suite(void);
Suite *models_critical_path_suite(void) {
  Suite *suite = suite_create("models_critical_path");
  TCase *group = tcase_create("critical_path");
  tcase_add_checked_fixture(group, setup, teardown);
  tcase_add_test(group, one_thread_alone);
  tcase_add_test(group, through_the_holder_of_a_lock);
  tcase_add_test(group, the_waker_has_gone_further);
  tcase_add_test(group, the_waker_has_been_joined);
  tcase_add_test(group, what_is_held_when_the_path_leaves_counts);
  tcase_add_test(group, created_threads_go_on_from_their_creator);
  tcase_add_test(group, a_creation_that_is_noted_late);
  tcase_add_test(group, memory_does_not_grow_with_time);
  suite_add_tcase(suite, group);
  return suite;
}
