// SPDX-License-Identifier: Apache-2.0
// Each lint is found at its threshold, and not below it.
#include "analyzer/findings/lints.h"

#include "tests/unit/models_feed.h"

#include <check.h>
#include <sys/epoll.h>

enum { EPOLL = 3, ONE = 5, TWO = 6 };
#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

static feed_t feed;
static lints_t lints;
static lint_settings_t settings;

static void control(int descriptor, uint64_t token) {
  feed_event(&feed, 1, TRACE_EPOLL_CTL, 41, EPOLL_CTL_ADD, trace_pair(EPOLL, (uint32_t)descriptor),
             token, trace_pair(EPOLLIN, 0));
}

static void turn(uint64_t time, uint64_t wait, int64_t timeout, unsigned asked, unsigned count) {
  feed_at(&feed, time);
  feed_event(&feed, 1, TRACE_EPOLL_WAIT, 50, trace_zigzag(count), trace_pair(EPOLL, asked), wait,
             trace_zigzag(timeout));
  for (unsigned at = 0; at < count; ++at) {
    feed_at(&feed, time);
    feed_event(&feed, 1, TRACE_READY, 0, EPOLLIN, 101 + at, 0, 0);
  }
}

static void read_at(uint64_t time, int descriptor, int64_t result) {
  feed_at(&feed, time);
  feed_event(&feed, 1, TRACE_READ, 0, (uint64_t)descriptor, trace_zigzag(result), 0, 0);
}

// The record ends at `time`, with thread 1 in its next wait.
static void end_at(uint64_t time) {
  feed_at(&feed, time - 1);
  feed_pending(&feed, 1, TRACE_PENDING_EPOLL, EPOLL, 0, 50, time - 1);
  feed_at(&feed, time);
  feed_start(&feed, 9);
  feed_end(&feed);
  lints = lints_find(feed.models, &settings);
}

static const lint_t *found(lint_kind_t kind) {
  for (uint32_t at = 0; at < lints.count; ++at)
    if (lints.items[at].kind == kind) return &lints.items[at];
  return NULL;
}

static void setup(void) {
  settings = (lint_settings_t){0};
  feed = feed_begin();
  feed_start(&feed, 1);
  feed_at(&feed, 1 * MS);
  feed_event(&feed, 1, TRACE_EPOLL_CREATE, 40, EPOLL, 0, 0, 0);
  control(ONE, 101);
  control(TWO, 102);
}

static void teardown(void) {
  lints_free(&lints);
  feed_free(&feed);
}

START_TEST(quiet_loop_has_none) {
  turn(10 * MS, 5 * MS, -1, 8, 2);
  read_at(10 * MS, ONE, 5);
  read_at(11 * MS, TWO, 5);
  turn(20 * MS, 8 * MS, -1, 8, 1);
  end_at(21 * MS);
  ck_assert_uint_eq(lints.count, 0);
}
END_TEST

START_TEST(hog_and_the_one_it_starves) {
  turn(10 * MS, 0, -1, 8, 2);
  read_at(10 * MS, ONE, 5);
  read_at(130 * MS, TWO, 5);
  turn(140 * MS, 9 * MS, -1, 8, 0);
  end_at(141 * MS);
  ck_assert_ptr_nonnull(found(LINT_LOOP_HOG));
  ck_assert_uint_eq(found(LINT_LOOP_HOG)->duration_ns, 120 * MS);
  ck_assert_uint_eq(found(LINT_LOOP_HOG)->task, 1);
  ck_assert_uint_eq(found(LINT_STARVED_TASK)->task, 2);
  ck_assert_uint_eq(lints.count, 2);
}
END_TEST

START_TEST(sleep_and_lock_in_a_turn) {
  turn(10 * MS, 0, -1, 8, 1);
  read_at(10 * MS, ONE, 5);
  feed_at(&feed, 14 * MS);
  feed_event(&feed, 1, TRACE_SLEEP, 61, 0, 3 * MS, 0, 0);
  feed_at(&feed, 18 * MS);
  feed_waited(&feed, 1, 0x9000, FEED_MUTEX, 62, 2 * MS);
  turn(19 * MS, 0, -1, 8, 0);
  end_at(20 * MS);
  ck_assert_uint_eq(found(LINT_BLOCKING_IN_LOOP)->stack, 61);
  ck_assert_uint_eq(found(LINT_BLOCKING_IN_LOOP)->call, TRACE_SLEEP);
  ck_assert_uint_eq(found(LINT_LOCK_IN_LOOP)->stack, 62);
  ck_assert_uint_eq(found(LINT_LOCK_IN_LOOP)->duration_ns, 2 * MS);
  ck_assert_uint_eq(lints.count, 2);
}
END_TEST

static void poll_at(uint64_t time, uint64_t asked, int descriptor) {
  feed_at(&feed, time);
  feed_event(&feed, 2, TRACE_POLL, 70, trace_zigzag(1), asked, 0, trace_zigzag(-1));
  feed_at(&feed, time);
  feed_event(&feed, 2, TRACE_READY_DESCRIPTOR, 0, EPOLLIN, (uint64_t)descriptor, 0, 0);
}

// A thread that polls two descriptors and works for 30 ms: nobody waits, unless one of them
// listens, or there is a third.
START_TEST(both_ends_of_what_is_passed_on) {
  const uint64_t asked = _i == 2 ? 3 : 2;
  feed_start(&feed, 2);
  poll_at(10 * MS, asked, 20);
  poll_at(11 * MS, asked, 20);
  poll_at(12 * MS, asked, 20);
  if (_i == 1) {
    feed_at(&feed, 13 * MS);
    feed_event(&feed, 2, TRACE_ACCEPT, 71, 20, trace_zigzag(21), 0, 0);
  }
  poll_at(42 * MS, asked, 20);
  end_at(43 * MS);
  ck_assert_int_eq(found(LINT_LOOP_HOG) != NULL, _i > 0);
}
END_TEST

START_TEST(transfer_that_may_have_lost_the_processor) {
  turn(10 * MS, 0, -1, 8, 1);
  feed_at(&feed, 40 * MS);
  feed_event(&feed, 1, TRACE_WRITE, 0, ONE, trace_zigzag(5), _i ? 20 * MS : 19 * MS, 0);
  turn(41 * MS, 0, -1, 8, 0);
  end_at(42 * MS);
  ck_assert_int_eq(found(LINT_BLOCKING_IN_LOOP) != NULL, _i);
}
END_TEST

static const struct {
  unsigned turns, asked, ready;
  int timeout;
  int kind;  // -1: none
} waits[] = {{1000, 8, 0, 0, LINT_BUSY_POLL},      {999, 8, 0, 0, -1}, {1000, 8, 0, 1, -1},
             {100, 2, 2, -1, LINT_SATURATED_LOOP}, {99, 2, 2, -1, -1}, {200, 3, 2, -1, -1}};

START_TEST(waits_that_spin_or_are_full) {
  for (unsigned at = 0; at < waits[_i].turns; ++at)
    turn(10 * MS + at * 10000, 0, waits[_i].timeout, waits[_i].asked, waits[_i].ready);
  end_at(10 * MS + waits[_i].turns * 10000);
  ck_assert_uint_eq(lints.count, waits[_i].kind >= 0);
  if (waits[_i].kind >= 0) ck_assert_int_eq((int)lints.items[0].kind, waits[_i].kind);
}
END_TEST

START_TEST(connection_left_open_after_its_peer_closed) {
  turn(10 * MS, 0, -1, 8, 1);
  read_at(10 * MS, ONE, 0);
  turn(12 * MS, 1 * MS, -1, 8, 1);
  end_at(10 * MS + (_i ? 5 * SECOND : 4 * SECOND));
  ck_assert_int_eq(found(LINT_DESCRIPTOR_LEAK) != NULL, _i);
}
END_TEST

// A pipe in the loop for ten seconds and never ready; not so where it was only nine, or an eventfd.
START_TEST(pipe_that_is_never_ready) {
  static const struct {
    uint64_t what, seconds;
    bool found;
  } rows[] = {{TRACE_DESCRIPTOR_PIPE, 10, true},
              {TRACE_DESCRIPTOR_PIPE, 9, false},
              {TRACE_DESCRIPTOR_EVENT, 10, false}};
  feed_at(&feed, 2 * MS);
  feed_event(&feed, 1, TRACE_DESCRIPTOR_OPEN, 0, 30, rows[_i].what, trace_zigzag(31), 0);
  control(30, 130);
  end_at(3 * MS + rows[_i].seconds * SECOND);
  ck_assert_int_eq(found(LINT_NEVER_POLLED) != NULL, rows[_i].found);
}
END_TEST

START_TEST(signal_that_nobody_heard) {
  feed_start(&feed, 2);
  feed_at(&feed, 20 * MS);
  feed_event(&feed, 1, TRACE_COND_SIGNAL, 20, 0, 0x2000, 0, 0);
  if (_i == 1)
    feed_event(&feed, 2, TRACE_COND_WAIT, 30, 0, 0x2000, 0x1000, 5000);  // one that heard it
  feed_at(&feed, 30 * MS);
  feed_pending(&feed, 2, TRACE_PENDING_CONDITION, 0x2000, 0x1000, 60, 30 * MS);
  end_at(_i == 2 ? 4 * SECOND : 6 * SECOND);
  ck_assert_int_eq(found(LINT_LOST_WAKEUP) != NULL, _i == 0);
}
END_TEST

START_TEST(threads_that_nobody_joins) {
  for (uint32_t thread = 2; thread < (_i ? 5u : 4u); ++thread) {
    feed_start(&feed, thread);
    feed_stop(&feed, thread);
  }
  end_at(2 * SECOND);
  ck_assert_int_eq(found(LINT_THREAD_LEAK) != NULL, _i);
}
END_TEST

// Whether a thread is detached before it begins, while it runs, or after its end: it is no leak.
START_TEST(threads_that_are_detached) {
  for (uint32_t thread = 2; thread < 6; ++thread) {
    feed_create(&feed, 1, thread);
    if (_i == 0) feed_event(&feed, 1, TRACE_THREAD_DETACH, 0, 0, feed_handle(thread), 0, 0);
    feed_start(&feed, thread);
    if (_i == 1) feed_event(&feed, 1, TRACE_THREAD_DETACH, 0, 0, feed_handle(thread), 0, 0);
    feed_stop(&feed, thread);
    if (_i == 2) feed_event(&feed, 1, TRACE_THREAD_DETACH, 0, 0, feed_handle(thread), 0, 0);
  }
  end_at(2 * SECOND);
  ck_assert_int_eq(found(LINT_THREAD_LEAK) != NULL, _i == 3);
}
END_TEST

START_TEST(lock_not_given_for_half_a_minute) {
  feed_start(&feed, 2);
  feed_at(&feed, 30 * MS);
  feed_pending(&feed, 2, TRACE_PENDING_LOCK, 0x2000, FEED_MUTEX, 60, 30 * MS);
  end_at(_i ? 31 * SECOND : 29 * SECOND);
  ck_assert_int_eq(found(LINT_STUCK_TASK) != NULL, _i);
}
END_TEST

// ---- thresholds ---------------------------------------------------------------------------------

static void feed_hog(void) {
  turn(10 * MS, 0, -1, 8, 1);
  read_at(10 * MS, ONE, 5);
  turn(30 * MS, 0, -1, 8, 0);
  end_at(31 * MS);
}
static void feed_blocking(void) {
  turn(10 * MS, 0, -1, 8, 1);
  feed_at(&feed, 14 * MS);
  feed_event(&feed, 1, TRACE_SLEEP, 61, 0, 300000, 0, 0);
  end_at(20 * MS);
}
static void feed_lock(void) {
  turn(10 * MS, 0, -1, 8, 1);
  feed_at(&feed, 18 * MS);
  feed_waited(&feed, 1, 0x9000, FEED_MUTEX, 62, 20000);
  end_at(20 * MS);
}
static void feed_busy(void) {
  for (unsigned at = 0; at < 20; ++at) turn((10 + at) * MS, 0, 0, 8, 0);
  end_at(40 * MS);
}
static void feed_saturated(void) {
  for (unsigned at = 0; at < 5; ++at) turn((10 + at) * MS, 0, -1, 2, 2);
  end_at(40 * MS);
}
static void feed_self_wakes(void) {
  feed_at(&feed, 2 * MS);
  feed_event(&feed, 1, TRACE_DESCRIPTOR_OPEN, 0, 30, TRACE_DESCRIPTOR_EVENT, trace_zigzag(-1), 0);
  control(30, 101);
  for (unsigned at = 0; at < 4; ++at) {
    feed_at(&feed, (10 + at) * MS);
    feed_event(&feed, 1, TRACE_WRITE, 0, 30, trace_zigzag(8), 100, 0);
    turn((10 + at) * MS + 5000, 0, -1, 8, 1);
    read_at((10 + at) * MS + 6000, 30, 8);
  }
  end_at(40 * MS);
}
static void feed_lost(void) {
  feed_start(&feed, 2);
  feed_at(&feed, 20 * MS);
  feed_event(&feed, 1, TRACE_COND_SIGNAL, 20, 0, 0x2000, 0, 0);
  feed_at(&feed, 30 * MS);
  feed_pending(&feed, 2, TRACE_PENDING_CONDITION, 0x2000, 0x1000, 60, 30 * MS);
  end_at(37 * MS);
}
static void feed_never_polled(void) {
  feed_at(&feed, 2 * MS);
  feed_event(&feed, 1, TRACE_DESCRIPTOR_OPEN, 0, 30, TRACE_DESCRIPTOR_PIPE, trace_zigzag(31), 0);
  feed_at(&feed, 3 * MS);
  control(30, 130);
  end_at(8 * MS);
}
static void feed_starved(void) {
  turn(10 * MS, 0, -1, 8, 2);
  read_at(10 * MS, ONE, 5);
  read_at(17 * MS, TWO, 5);
  end_at(18 * MS);
}
static void feed_stuck(void) {
  feed_start(&feed, 2);
  feed_at(&feed, 30 * MS);
  feed_pending(&feed, 2, TRACE_PENDING_LOCK, 0x2000, FEED_MUTEX, 60, 30 * MS);
  end_at(32 * MS);
}
static void feed_leak(void) {
  turn(10 * MS, 0, -1, 8, 1);
  read_at(10 * MS, ONE, 0);
  end_at(16 * MS);
}
static void feed_thread_leak(void) {
  for (uint32_t thread = 2; thread < 4; ++thread) {
    feed_start(&feed, thread);
    feed_stop(&feed, thread);
  }
  end_at(2 * SECOND);
}
// Two threads that turn without rest.
static void feed_oversubscribed(void) {
  feed_start(&feed, 2);
  for (uint32_t thread = 1; thread < 3; ++thread) {
    feed_at(&feed, 2 * MS);
    feed_event(&feed, thread, TRACE_EPOLL_WAIT, 50, trace_zigzag(0), trace_pair(EPOLL, 8), 0, 0);
  }
  end_at(2 * SECOND);
}

static const struct {
  lint_kind_t kind;
  uint64_t figure;  // of what is fed; the lint speaks up to this threshold, and no longer above it
  void (*feed)(void);
} thresholds[LINT_COUNT] = {{LINT_LOOP_HOG, 20 * MS - 1, feed_hog},  // longer than it
                            {LINT_BLOCKING_IN_LOOP, 300000, feed_blocking},
                            {LINT_BUSY_POLL, 20, feed_busy},
                            {LINT_SELF_WAKE, 4, feed_self_wakes},
                            {LINT_LOST_WAKEUP, 7 * MS, feed_lost},
                            {LINT_NEVER_POLLED, 5 * MS, feed_never_polled},
                            {LINT_STARVED_TASK, 7 * MS, feed_starved},
                            {LINT_STUCK_TASK, 2 * MS, feed_stuck},
                            {LINT_DESCRIPTOR_LEAK, 6 * MS, feed_leak},
                            {LINT_THREAD_LEAK, 2, feed_thread_leak},
                            {LINT_OVERSUBSCRIBED, 1, feed_oversubscribed},  // more than that
                            {LINT_SATURATED_LOOP, 5, feed_saturated},
                            {LINT_LOCK_IN_LOOP, 20000, feed_lock}};

START_TEST(each_speaks_from_its_threshold_on) {
  lint_kind_t kind = thresholds[_i].kind;
  ck_assert_int_eq((int)kind, _i);
  settings.thresholds[kind] = thresholds[_i].figure;
  thresholds[_i].feed();
  ck_assert_msg(found(kind), "%s is silent at its threshold", lint_name(kind));
  ck_assert_uint_eq(lints_threshold(feed.models, &settings, kind), thresholds[_i].figure);
  lints_free(&lints);
  ++settings.thresholds[kind];
  lints = lints_find(feed.models, &settings);
  ck_assert_msg(!found(kind), "%s speaks below its threshold", lint_name(kind));
}
END_TEST

START_TEST(names_and_what_is_allowed) {
  uint32_t kinds;
  const char *bad;
  size_t length;
  turn(10 * MS, 0, -1, 8, 1);
  turn(140 * MS, 9 * MS, -1, 8, 0);
  end_at(141 * MS);
  ck_assert_ptr_nonnull(found(LINT_LOOP_HOG));
  ck_assert(lints_parse("never-polled,loop-hog", &kinds, &bad, &length));
  ck_assert_uint_eq(kinds, 1u << LINT_LOOP_HOG | 1u << LINT_NEVER_POLLED);
  lints_free(&lints);
  settings.allowed = kinds;
  lints = lints_find(feed.models, &settings);
  ck_assert_uint_eq(lints.count, 0);
  ck_assert(lints_parse("all", &kinds, &bad, &length));
  ck_assert(!lints_parse("loop-hog,hog", &kinds, &bad, &length));
  ck_assert_str_eq(bad, "hog");
}
END_TEST

Suite *findings_lints_suite(void);
Suite *findings_lints_suite(void) {
  Suite *suite = suite_create("findings_lints");
  TCase *all = tcase_create("lints");
  tcase_add_checked_fixture(all, setup, teardown);
  tcase_add_test(all, quiet_loop_has_none);
  tcase_add_test(all, hog_and_the_one_it_starves);
  tcase_add_test(all, sleep_and_lock_in_a_turn);
  tcase_add_loop_test(all, both_ends_of_what_is_passed_on, 0, 3);
  tcase_add_loop_test(all, transfer_that_may_have_lost_the_processor, 0, 2);
  tcase_add_loop_test(all, waits_that_spin_or_are_full, 0, sizeof waits / sizeof *waits);
  tcase_add_loop_test(all, connection_left_open_after_its_peer_closed, 0, 2);
  tcase_add_loop_test(all, pipe_that_is_never_ready, 0, 3);
  tcase_add_loop_test(all, signal_that_nobody_heard, 0, 3);
  tcase_add_loop_test(all, threads_that_nobody_joins, 0, 2);
  tcase_add_loop_test(all, threads_that_are_detached, 0, 4);
  tcase_add_loop_test(all, lock_not_given_for_half_a_minute, 0, 2);
  tcase_add_loop_test(all, each_speaks_from_its_threshold_on, 0, LINT_COUNT);
  tcase_add_test(all, names_and_what_is_allowed);
  suite_add_tcase(suite, all);
  return suite;
}
