// SPDX-License-Identifier: Apache-2.0
// Who woke whom: each kind of wait is matched with the act that ended it, and no other.
#include "analyzer/models/wakers.h"

#include "tests/unit/models_feed.h"

#include <check.h>
#include <errno.h>

enum { A = 0x1000, CONDITION = 0x2000, SEMAPHORE = 0x3000, BARRIER = 0x4000, WORD = 0x5000 };
enum { PIPE_OUT = 5, PIPE_IN = 6, POSTED = TRACE_LOCK_SEMAPHORE };

static feed_t feed;

static void setup(void) {
  feed = feed_begin();
  for (uint32_t thread = 1; thread <= 4; ++thread) feed_start(&feed, thread);
}
static void teardown(void) { feed_free(&feed); }

static const wakers_t *wakers(void) { return models_wakers(feed.models); }

static const waker_row_t *row(wake_how_t how, uint32_t waker, uint32_t woken) {
  for (uint32_t at = 0; at < wakers_count(wakers()); ++at) {
    const waker_row_t *found = wakers_row(wakers(), at);
    if (found->how == how && found->waker == waker && found->woken == woken) return found;
  }
  return NULL;
}

// How often `waker` woke `woken` so, waited and latency in ns.
static void expect(wake_how_t how, uint32_t waker, uint32_t woken, uint64_t count, uint64_t waited,
                   uint64_t latency) {
  const waker_row_t *found = row(how, waker, woken);
  ck_assert_msg(found != NULL, "%s: %u did not wake %u", wake_how_name(how), waker, woken);
  ck_assert_uint_eq(found->count, count);
  ck_assert_uint_eq(found->waited_ns, waited);
  ck_assert_uint_eq(found->latency_ns, latency);
}

static void signal_at(uint64_t time, uint32_t thread, bool broadcast, uint32_t stack) {
  feed_at(&feed, time);
  feed_event(&feed, thread, TRACE_COND_SIGNAL, stack, broadcast, CONDITION, 0, 0);
}

static void wait_until(uint64_t time, uint32_t thread, uint64_t wait, int result) {
  feed_at(&feed, time);
  feed_event(&feed, thread, TRACE_COND_WAIT, 9, trace_zigzag(result), CONDITION, A, wait);
}

START_TEST(a_release_wakes_who_waits_for_the_lock) {
  feed_at(&feed, 100000);
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_at(&feed, 300000);
  feed_release(&feed, 1, A, FEED_MUTEX);
  feed_at(&feed, 305000);
  feed_waited(&feed, 2, A, FEED_MUTEX, 20, 105000);
  feed_end(&feed);
  expect(WAKE_LOCK, 1, 2, 1, 100000, 5000);
  ck_assert_uint_eq(row(WAKE_LOCK, 1, 2)->stack, 10);
  ck_assert_uint_eq(wakers_total(wakers()), 1);
}
END_TEST

START_TEST(signals_are_taken_one_each) {
  signal_at(200000, 1, false, 11);
  signal_at(201000, 3, false, 31);
  wait_until(210000, 2, 110000, 0);
  wait_until(220000, 4, 110000, 0);
  feed_end(&feed);
  expect(WAKE_CONDITION, 1, 2, 1, 100000, 10000);
  expect(WAKE_CONDITION, 3, 4, 1, 91000, 19000);
  ck_assert_uint_eq(row(WAKE_CONDITION, 3, 4)->stack, 31);
}
END_TEST

START_TEST(a_broadcast_wakes_all) {
  signal_at(200000, 1, true, 11);
  wait_until(210000, 2, 110000, 0);
  wait_until(220000, 3, 120000, 0);
  feed_end(&feed);
  expect(WAKE_CONDITION, 1, 2, 1, 100000, 10000);
  expect(WAKE_CONDITION, 1, 3, 1, 100000, 20000);
}
END_TEST

START_TEST(what_did_not_wake) {
  signal_at(200000, 1, false, 11);             // nobody waits
  wait_until(5000000, 2, 1000000, 0);          // nobody signalled
  wait_until(6000000, 3, 100000, -ETIMEDOUT);  // nor here
  feed_end(&feed);
  ck_assert_uint_eq(wakers_total(wakers()), 0);
  wakers_condition_t figures = wakers_condition(wakers(), CONDITION);
  ck_assert_uint_eq(figures.signals_without_effect, 1);
  ck_assert_uint_eq(figures.waits_without_signal, 1);
}
END_TEST

START_TEST(many_signals_without_effect_are_counted) {
  for (uint64_t i = 0; i < 1000; ++i) signal_at(200000 + 1000 * i, 1, i & 1, 11);
  feed_end(&feed);
  ck_assert_uint_eq(wakers_condition(wakers(), CONDITION).signals_without_effect, 1000);
}
END_TEST

START_TEST(a_post_wakes_who_waits) {
  feed_at(&feed, 200000);
  feed_release(&feed, 1, SEMAPHORE, POSTED);
  feed_at(&feed, 203000);
  feed_waited(&feed, 2, SEMAPHORE, POSTED, 20, 103000);
  feed_end(&feed);
  expect(WAKE_SEMAPHORE, 1, 2, 1, 100000, 3000);
}
END_TEST

START_TEST(the_last_at_a_barrier_wakes_the_others) {
  feed_event(&feed, 1, TRACE_BARRIER_INIT, 0, 3, BARRIER, 0, 0);
  feed_at(&feed, 300000);
  feed_event(&feed, 1, TRACE_BARRIER_WAIT, 0, trace_zigzag(0), BARRIER, 200000, 0);
  feed_at(&feed, 301000);
  feed_event(&feed, 2, TRACE_BARRIER_WAIT, 0, trace_zigzag(-1), BARRIER, 2000, 0);
  feed_at(&feed, 302000);
  feed_event(&feed, 3, TRACE_BARRIER_WAIT, 0, trace_zigzag(0), BARRIER, 102000, 0);
  feed_end(&feed);
  ck_assert_uint_eq(wakers_total(wakers()), 0);  // -1 is an error, so the round is not whole
}
END_TEST

START_TEST(a_whole_round_of_a_barrier) {
  feed_event(&feed, 1, TRACE_BARRIER_INIT, 0, 3, BARRIER, 0, 0);
  feed_at(&feed, 300000);
  feed_event(&feed, 1, TRACE_BARRIER_WAIT, 0, trace_zigzag(0), BARRIER, 200000, 0);
  feed_at(&feed, 301000);
  feed_event(&feed, 2, TRACE_BARRIER_WAIT, 0, trace_zigzag(0), BARRIER, 2000, 0);
  feed_at(&feed, 302000);
  feed_event(&feed, 3, TRACE_BARRIER_WAIT, 0, trace_zigzag(0), BARRIER, 102000, 0);
  feed_end(&feed);
  expect(WAKE_BARRIER, 2, 1, 1, 199000, 1000);
  expect(WAKE_BARRIER, 2, 3, 1, 99000, 3000);
}
END_TEST

START_TEST(a_wake_that_is_noted_after_the_woken_returned) {
  feed_at(&feed, 200000);
  feed_event(&feed, 2, TRACE_FUTEX_WAIT, 20, 0, WORD, 100000, 0);
  feed_at(&feed, 201000);
  feed_event(&feed, 1, TRACE_FUTEX_WAKE, 10, trace_zigzag(1), WORD, 0, 0);
  feed_end(&feed);
  expect(WAKE_FUTEX, 1, 2, 1, 100000, 0);
}
END_TEST

START_TEST(threads_begin_and_end) {
  feed_at(&feed, 100000);
  feed_create(&feed, 1, 5);
  feed_at(&feed, 130000);
  feed_start(&feed, 5);
  feed_at(&feed, 200000);
  feed_stop(&feed, 5);
  feed_at(&feed, 210000);
  feed_event(&feed, 1, TRACE_THREAD_JOIN, 0, 0, feed_handle(5), 100000, 0);
  feed_end(&feed);
  expect(WAKE_CREATE, 1, 5, 1, 0, 30000);
  expect(WAKE_JOIN, 5, 1, 1, 90000, 10000);
}
END_TEST

START_TEST(what_is_written_wakes_who_waits_for_it) {
  feed_event(&feed, 1, TRACE_DESCRIPTOR_OPEN, 0, PIPE_OUT, TRACE_DESCRIPTOR_PIPE,
             trace_zigzag(PIPE_IN), 0);
  feed_at(&feed, 200000);
  feed_event(&feed, 1, TRACE_WRITE, 0, PIPE_IN, trace_zigzag(1), 4000, 0);
  feed_at(&feed, 202000);
  feed_event(&feed, 2, TRACE_EPOLL_WAIT, 0, trace_zigzag(1), 0, 102000, 0);
  feed_event(&feed, 2, TRACE_READ, 0, PIPE_OUT, trace_zigzag(1), 500, 0);
  feed_event(&feed, 2, TRACE_READ, 0, PIPE_OUT, trace_zigzag(1), 500, 0);
  feed_end(&feed);
  expect(WAKE_DESCRIPTOR, 1, 2, 1, 96000, 6000);
  ck_assert_uint_eq(wakers_total(wakers()), 1);
}
END_TEST

START_TEST(objects_come_and_go_in_bounded_memory) {
  for (uint64_t i = 1; i <= 3 * (uint64_t)WAKERS_OBJECTS_MAX; ++i)
    feed_event(&feed, 1, TRACE_COND_SIGNAL, 1, 0, i * 64, 0, 0);
  wait_until(feed.now + 10000, 2, 500000, -ETIMEDOUT);
  signal_at(feed.now + 10000, 1, false, 11);
  wait_until(feed.now + 1000, 2, 5000, 0);
  feed_end(&feed);
  ck_assert_uint_eq(row(WAKE_CONDITION, 1, 2)->count, 1);
}
END_TEST

Suite *models_wakers_suite(void);
Suite *models_wakers_suite(void) {
  Suite *suite = suite_create("models_wakers");
  TCase *group = tcase_create("wakers");
  tcase_set_timeout(group, 60);  // 200,000 objects, under a sanitizer too
  tcase_add_checked_fixture(group, setup, teardown);
  tcase_add_test(group, a_release_wakes_who_waits_for_the_lock);
  tcase_add_test(group, signals_are_taken_one_each);
  tcase_add_test(group, a_broadcast_wakes_all);
  tcase_add_test(group, what_did_not_wake);
  tcase_add_test(group, many_signals_without_effect_are_counted);
  tcase_add_test(group, a_post_wakes_who_waits);
  tcase_add_test(group, the_last_at_a_barrier_wakes_the_others);
  tcase_add_test(group, a_whole_round_of_a_barrier);
  tcase_add_test(group, a_wake_that_is_noted_after_the_woken_returned);
  tcase_add_test(group, threads_begin_and_end);
  tcase_add_test(group, what_is_written_wakes_who_waits_for_it);
  tcase_add_test(group, objects_come_and_go_in_bounded_memory);
  suite_add_tcase(suite, group);
  return suite;
}
