// SPDX-License-Identifier: Apache-2.0
// Order of threads and reorderings, step by step.
#include "analyzer/findings/feasible.h"

#include <check.h>

enum { A = 1, B = 2, G = 3, LOCKS = 4 };

static thread_order_t *order;
static feasible_t *feasible;

static void setup(void) { order = thread_order_open(); }

static void teardown(void) {
  feasible_close(feasible);
  feasible = NULL;
  thread_order_close(order);
}

// The whole section of a lock.
static void section(uint32_t thread, uint32_t lock, bool shared) {
  thread_order_release(order, thread, thread_order_acquire(order, thread, lock, shared));
}

static uint32_t here(uint32_t thread) { return thread_order_steps(order, thread); }

// Threads 1 and 2 at these points at once.
static bool both(uint32_t one, uint32_t other) {
  order_member_t points[] = {{1, one}, {2, other}};
  if (!feasible) feasible = feasible_open(order, LOCKS);
  return feasible_points(feasible, points, 2);
}

// `thread` takes `first`, and is at its point there; then takes `second` and gives both back.
static uint32_t nest(uint32_t thread, uint32_t first, uint32_t second) {
  uint32_t held = thread_order_acquire(order, thread, first, false), point = here(thread);
  section(thread, second, false);
  thread_order_release(order, thread, held);
  return point;
}

START_TEST(opposite_orders_can_meet) {
  uint32_t one = nest(1, A, B), other = nest(2, B, A);
  ck_assert(both(one, other));
  ck_assert_msg(both(one, other), "the second question is answered as the first");
}
END_TEST

START_TEST(a_section_behind_the_other_threads_keeps_them_apart) {
  uint32_t one = nest(1, A, B);
  section(2, A, false);
  uint32_t other = nest(2, B, A);
  ck_assert(!both(one, other));
}
END_TEST

START_TEST(a_section_before_the_other_threads_does_not) {
  section(2, A, false);
  uint32_t one = nest(1, A, B), other = nest(2, B, A);
  ck_assert(both(one, other));
}
END_TEST

START_TEST(sections_through_a_third_thread_count) {
  uint32_t one = nest(1, A, B);
  section(3, A, false);
  order_message_t message = thread_order_send(order, 3);
  thread_order_receive(order, 2, &message, ORDER_THIS_RUN);
  order_message_drop(&message);
  uint32_t other = nest(2, B, A);
  ck_assert(!both(one, other));
}
END_TEST

START_TEST(readers_do_not_exclude_readers) {
  uint32_t gate = thread_order_acquire(order, 1, G, true);
  uint32_t one = nest(1, A, B);
  thread_order_release(order, 1, gate);
  gate = thread_order_acquire(order, 2, G, true);
  uint32_t other = nest(2, B, A);
  thread_order_release(order, 2, gate);
  ck_assert(both(one, other));
}
END_TEST

START_TEST(readers_exclude_writers) {
  for (int reader = 0; reader < 2; ++reader) {
    uint32_t gate = thread_order_acquire(order, 1, G, reader);
    uint32_t one = nest(1, A, B);
    thread_order_release(order, 1, gate);
    gate = thread_order_acquire(order, 2, G, !reader);
    uint32_t other = nest(2, B, A);
    thread_order_release(order, 2, gate);
    ck_assert_msg(!both(one, other), "reader %d", reader);
    teardown();
    setup();
  }
}
END_TEST

START_TEST(what_is_never_released_cannot_be_passed) {
  thread_order_acquire(order, 3, G, false);
  uint32_t one = nest(1, A, B);
  order_message_t message = thread_order_send(order, 3);
  thread_order_receive(order, 2, &message, ORDER_THIS_RUN);
  order_message_drop(&message);
  section(2, G, false);
  uint32_t other = nest(2, B, A);
  ck_assert(!both(one, other));
}
END_TEST

START_TEST(a_thread_begins_behind_its_creation) {
  uint32_t one = nest(1, A, B);
  order_message_t message = thread_order_send(order, 1);
  thread_order_begin(order, 2, &message);
  uint32_t other = nest(2, B, A);
  ck_assert(!both(one, other));
}
END_TEST

START_TEST(a_barrier_orders_what_is_before_it_and_behind) {
  order_moment_t before = thread_order_now(order, 1);
  uint32_t one = nest(1, A, B), round = thread_order_round(order);
  thread_order_pass(order, 2, round, false);  // returns first, though it came last
  order_moment_t behind = thread_order_now(order, 2);
  uint32_t other = nest(2, B, A);
  thread_order_pass(order, 1, round, true);
  order_moment_t later = thread_order_now(order, 1);
  ck_assert(!both(one, other));
  ck_assert(thread_order_precedes(order, &before, &behind, ORDER_ALWAYS));
  ck_assert(!thread_order_precedes(order, &behind, &before, ORDER_THIS_RUN));
  ck_assert(!thread_order_precedes(order, &behind, &later, ORDER_THIS_RUN));
  order_moment_drop(&before);
  order_moment_drop(&behind);
  order_moment_drop(&later);
}
END_TEST

START_TEST(a_hand_over_orders_this_run_only) {
  order_moment_t before = thread_order_now(order, 1);
  order_message_t message = thread_order_send(order, 1);
  thread_order_receive(order, 2, &message, ORDER_THIS_RUN);
  order_message_drop(&message);
  order_moment_t behind = thread_order_now(order, 2);
  ck_assert(thread_order_precedes(order, &before, &behind, ORDER_THIS_RUN));
  ck_assert(!thread_order_precedes(order, &before, &behind, ORDER_ALWAYS));
  order_moment_drop(&before);
  order_moment_drop(&behind);
}
END_TEST

START_TEST(behind_the_log_nothing_is_claimed) {
  uint32_t one = nest(1, A, B);
  nest(2, B, A);
  ck_assert(!both(one, ORDER_UNKNOWN));
}
END_TEST

Suite *findings_feasible_suite(void);
Suite *findings_feasible_suite(void) {
  Suite *suite = suite_create("findings_feasible");
  TCase *test_case = tcase_create("feasible");
  tcase_add_checked_fixture(test_case, setup, teardown);
  tcase_add_test(test_case, opposite_orders_can_meet);
  tcase_add_test(test_case, a_section_behind_the_other_threads_keeps_them_apart);
  tcase_add_test(test_case, a_section_before_the_other_threads_does_not);
  tcase_add_test(test_case, sections_through_a_third_thread_count);
  tcase_add_test(test_case, readers_do_not_exclude_readers);
  tcase_add_test(test_case, readers_exclude_writers);
  tcase_add_test(test_case, what_is_never_released_cannot_be_passed);
  tcase_add_test(test_case, a_thread_begins_behind_its_creation);
  tcase_add_test(test_case, a_barrier_orders_what_is_before_it_and_behind);
  tcase_add_test(test_case, a_hand_over_orders_this_run_only);
  tcase_add_test(test_case, behind_the_log_nothing_is_claimed);
  suite_add_tcase(suite, test_case);
  return suite;
}
