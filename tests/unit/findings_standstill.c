// SPDX-License-Identifier: Apache-2.0
// A process that stands still: waits that nobody is left to end, and those that somebody may.
#include "tests/unit/models_feed.h"

#include <check.h>

enum { MUTEX = 0x1000, CONDITION = 0x2000, BARRIER = 0x3000, OTHER = 0x4000, SECOND = 1000000000 };

static feed_t feed;
static deadlocks_t *found;

static void setup(void) {
  feed = feed_begin();
  feed_start(&feed, 1);
  feed_start(&feed, 2);
  feed_start(&feed, 3);
}

static void teardown(void) {
  deadlocks_free(found);
  found = NULL;
  feed_free(&feed);
}

static void find(void) {
  feed_end(&feed);
  found = deadlocks_find(feed.models, false);
}

static void wait_for_condition(uint32_t thread, uint64_t limit) {
  feed_pending(&feed, thread, TRACE_PENDING_CONDITION, CONDITION, MUTEX | limit, 10, feed.now);
}

static void join(uint32_t thread, uint32_t other) {
  feed_pending(&feed, thread, TRACE_PENDING_JOIN, feed_handle(other), 0, 20, feed.now);
}

START_TEST(nobody_is_left_to_signal) {
  feed_event(&feed, 3, TRACE_COND_SIGNAL, 7, 0, CONDITION, 0, 0);
  feed_stop(&feed, 3);
  wait_for_condition(2, 0);
  join(1, 2);
  find();
  ck_assert_uint_eq(found->count, 1);
  const deadlock_t *deadlock = &found->items[0];
  ck_assert_int_eq(deadlock->verdict, DEADLOCK_ACTUAL);
  ck_assert_int_eq(deadlock->kind, DEADLOCK_KIND_CONDITION);
  ck_assert_uint_eq(deadlock->condition, CONDITION);
  ck_assert_uint_eq(deadlock->leg_count, 1);
  ck_assert_uint_eq(deadlock->legs[0].thread, 2);
  ck_assert_uint_eq(deadlock->bystander_count, 1);
  ck_assert_uint_eq(deadlock->bystanders[0].wants_thread, 2);
  const condition_t *condition = locks_condition_at(models_locks(feed.models), CONDITION);
  ck_assert_uint_eq(condition->signals, 1);
  ck_assert_uint_lt(condition->last_signal_ns, deadlock->legs[0].first_ns);
}
END_TEST

START_TEST(a_thread_that_runs_may_signal) {
  wait_for_condition(2, 0);
  wait_for_condition(3, 0);
  find();
  ck_assert_uint_eq(found->count, 0);
}
END_TEST

START_TEST(a_limit_ends_the_wait) {
  wait_for_condition(2, 0);
  wait_for_condition(3, TRACE_PENDING_TIMED);
  join(1, 2);
  find();
  ck_assert_uint_eq(found->count, 0);
}
END_TEST

START_TEST(what_waits_for_the_outside_may_go_on) {
  static const uint32_t outside[] = {TRACE_PENDING_EPOLL, TRACE_PENDING_READ, TRACE_PENDING_SLEEP,
                                     TRACE_PENDING_FUTEX, TRACE_PENDING_POLL};
  wait_for_condition(2, 0);
  feed_pending(&feed, 3, outside[_i], 5, 0, 30, feed.now);
  join(1, 2);
  find();
  ck_assert_uint_eq(found->count, 0);
}
END_TEST

START_TEST(a_signal_handler_may_post) {
  wait_for_condition(2, 0);
  feed_pending(&feed, 3, TRACE_PENDING_LOCK, OTHER, TRACE_LOCK_SEMAPHORE, 30, feed.now);
  join(1, 2);
  find();
  ck_assert_uint_eq(found->count, 0);
}
END_TEST

START_TEST(another_process_may_signal) {
  uint32_t shared = FEED_MUTEX | TRACE_LOCK_PROCESS_SHARED;
  feed_acquire(&feed, 2, MUTEX, shared, 5);
  feed_release(&feed, 2, MUTEX, shared);
  feed_stop(&feed, 3);
  wait_for_condition(2, 0);
  join(1, 2);
  find();
  ck_assert_uint_eq(found->count, 0);
}
END_TEST

// Workers wait for jobs behind a deadlock: that is what is told.
START_TEST(who_waits_behind_a_deadlock_is_no_second_one) {
  feed_acquire(&feed, 1, MUTEX, FEED_MUTEX, 1);
  feed_acquire(&feed, 2, OTHER, FEED_MUTEX, 2);
  feed_pending(&feed, 1, TRACE_PENDING_LOCK, OTHER, FEED_MUTEX, 3, feed.now);
  feed_pending(&feed, 2, TRACE_PENDING_LOCK, MUTEX, FEED_MUTEX, 4, feed.now);
  wait_for_condition(3, 0);
  find();
  ck_assert_uint_eq(found->count, 1);
  ck_assert_int_eq(found->items[0].kind, DEADLOCK_KIND_LOCK_ORDER);
}
END_TEST

static void come_to_barrier(uint32_t thread, uint64_t since) {
  feed_pending(&feed, thread, TRACE_PENDING_BARRIER, BARRIER, TRACE_LOCK_BARRIER, 10, since);
}

START_TEST(a_barrier_waits_for_more_than_there_are) {
  feed_event(&feed, 1, TRACE_BARRIER_INIT, 5, 4, BARRIER, 0, 0);
  for (uint32_t thread = 1; thread <= 3; ++thread) come_to_barrier(thread, feed.now);
  find();
  ck_assert_uint_eq(found->count, 1);
  ck_assert_int_eq(found->items[0].verdict, DEADLOCK_ACTUAL);
  ck_assert_int_eq(found->items[0].kind, DEADLOCK_KIND_BARRIER);
  ck_assert_uint_eq(found->items[0].arrived, 3);
  ck_assert_uint_eq(found->items[0].parties, 4);
}
END_TEST

// Two of `parties` have come, one thread runs; the end is `later` after they came.
static void leave_waiting(uint32_t parties, uint64_t later) {
  feed_event(&feed, 1, TRACE_BARRIER_INIT, 5, parties, BARRIER, 0, 0);
  uint64_t since = feed.now;
  come_to_barrier(2, since);
  come_to_barrier(3, since);
  feed_at(&feed, since + later);
  feed_event(&feed, 1, TRACE_FREE, 0, 0, 0x9000, 0, 0);
  find();
}

START_TEST(too_few_are_left_for_a_barrier) {
  leave_waiting(4, 2 * (uint64_t)SECOND);
  ck_assert_uint_eq(found->count, 1);
  ck_assert_int_eq(found->items[0].verdict, DEADLOCK_HAZARD);
  ck_assert_int_eq(found->items[0].kind, DEADLOCK_KIND_BARRIER);
}
END_TEST

START_TEST(enough_are_left_for_a_barrier) {
  leave_waiting(3, 2 * (uint64_t)SECOND);
  ck_assert_uint_eq(found->count, 0);
}
END_TEST

START_TEST(the_others_may_be_created_soon) {
  leave_waiting(4, SECOND / 2);
  ck_assert_uint_eq(found->count, 0);
}
END_TEST

Suite *findings_standstill_suite(void);
Suite *findings_standstill_suite(void) {
  Suite *suite = suite_create("findings_standstill");
  TCase *test_case = tcase_create("standstill");
  tcase_add_checked_fixture(test_case, setup, teardown);
  tcase_add_test(test_case, nobody_is_left_to_signal);
  tcase_add_test(test_case, a_thread_that_runs_may_signal);
  tcase_add_test(test_case, a_limit_ends_the_wait);
  tcase_add_loop_test(test_case, what_waits_for_the_outside_may_go_on, 0, 5);
  tcase_add_test(test_case, a_signal_handler_may_post);
  tcase_add_test(test_case, another_process_may_signal);
  tcase_add_test(test_case, who_waits_behind_a_deadlock_is_no_second_one);
  tcase_add_test(test_case, a_barrier_waits_for_more_than_there_are);
  tcase_add_test(test_case, too_few_are_left_for_a_barrier);
  tcase_add_test(test_case, enough_are_left_for_a_barrier);
  tcase_add_test(test_case, the_others_may_be_created_soon);
  suite_add_tcase(suite, test_case);
  return suite;
}
