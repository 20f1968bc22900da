// SPDX-License-Identifier: Apache-2.0
// --fail-on, warnings, and what the search for deadlocks does with very much.
#include "analyzer/findings/components.h"
#include "analyzer/findings/fail_on.h"
#include "analyzer/findings/warnings.h"
#include "tests/unit/models_feed.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static feed_t feed;

static void setup(void) {
  feed = feed_begin();
  feed_start(&feed, 1);
  feed_start(&feed, 2);
}
static void teardown(void) { feed_free(&feed); }

static bool no_runtime(void *context, uint32_t stack) { return stack == *(uint32_t *)context; }

static uint32_t found_with_runtime(uint32_t stack) {
  feed_end(&feed);
  deadlocks_t *deadlocks = deadlocks_find(feed.models, false);
  uint32_t set = fail_on_found(feed.models, deadlocks, no_runtime, &stack);
  deadlocks_free(deadlocks);
  return set;
}

START_TEST(nothing_found_in_nothing) { ck_assert_uint_eq(found_with_runtime(0), 0); }
END_TEST

START_TEST(potential_deadlock_alone) {
  feed_nested(&feed, 1, 0x1000, 0x2000, 10);
  feed_nested(&feed, 2, 0x2000, 0x1000, 20);
  ck_assert_uint_eq(found_with_runtime(0), 1u << FAIL_ON_POTENTIAL_DEADLOCK);
}
END_TEST

START_TEST(actual_deadlock_alone) {
  feed_acquire(&feed, 1, 0x1000, FEED_MUTEX, 10);
  feed_pending(&feed, 1, TRACE_PENDING_LOCK, 0x1000, FEED_MUTEX, 11, feed.now + 1);
  ck_assert_uint_eq(found_with_runtime(0) & 1u << FAIL_ON_DEADLOCK, 1u << FAIL_ON_DEADLOCK);
}
END_TEST

START_TEST(leak_unless_it_is_the_runtimes) {
  feed_allocate(&feed, 1, 0x10000, 64, 5);
  feed_end(&feed);
  deadlocks_t *deadlocks = deadlocks_find(feed.models, false);
  uint32_t runtime = 5, other = 6;
  ck_assert_uint_eq(fail_on_found(feed.models, deadlocks, no_runtime, &other), 1u << FAIL_ON_LEAK);
  ck_assert_uint_eq(fail_on_found(feed.models, deadlocks, no_runtime, &runtime), 0);
  ck_assert_uint_eq(fail_on_found(feed.models, deadlocks, NULL, NULL), 1u << FAIL_ON_LEAK);
  deadlocks_free(deadlocks);
}
END_TEST

START_TEST(contention_from_ten_ms_on) {
  feed_at(&feed, 20000000);
  feed_waited(&feed, 1, 0x1000, FEED_MUTEX, 10, 9999999);
  ck_assert_uint_eq(found_with_runtime(0), 0);
  feed_free(&feed);
  setup();
  feed_at(&feed, 20000000);
  feed_waited(&feed, 1, 0x1000, FEED_MUTEX, 10, 10000000);
  ck_assert_uint_eq(found_with_runtime(0), 1u << FAIL_ON_CONTENTION);
}
END_TEST

START_TEST(lost_events) {
  feed_event(&feed, 1, TRACE_LOST, 0, TRACE_READ, 1, 0, 0);
  ck_assert_uint_eq(found_with_runtime(0), 1u << FAIL_ON_LOST);
}
END_TEST

START_TEST(lists_are_parsed) {
  uint32_t set;
  const char *bad;
  size_t length;
  ck_assert(fail_on_parse("leak", &set, &bad, &length));
  ck_assert_uint_eq(set, 1u << FAIL_ON_LEAK);
  ck_assert(fail_on_parse("deadlock,potential-deadlock", &set, &bad, &length));
  ck_assert_uint_eq(set, 1u << FAIL_ON_DEADLOCK | 1u << FAIL_ON_POTENTIAL_DEADLOCK);
  ck_assert(fail_on_parse("any", &set, &bad, &length));
  ck_assert_uint_eq(set, (1u << FAIL_ON_COUNT) - 1);
  ck_assert(!fail_on_parse("leak,leek,lost", &set, &bad, &length));
  ck_assert_uint_eq(length, 4);
  ck_assert_int_eq(strncmp(bad, "leek", 4), 0);
  ck_assert(!fail_on_parse("", &set, &bad, &length));
  ck_assert(!fail_on_parse("leak,", &set, &bad, &length));
}
END_TEST

START_TEST(thread_that_ends_with_a_lock_is_warned_of) {
  feed_acquire(&feed, 2, 0x1000, FEED_MUTEX, 10);
  feed_stop(&feed, 2);
  feed_release(&feed, 1, 0x2000, FEED_MUTEX);
  feed_end(&feed);
  warnings_t *warnings = warnings_find(feed.models, NULL);
  ck_assert_uint_eq(warnings->count, 2);
  ck_assert_int_eq(warnings->items[0].severity, WARNING_SEVERITY_WARNING);
  ck_assert_ptr_nonnull(strstr(warnings->items[0].text, "ended holding 1"));
  ck_assert_int_eq(warnings->items[1].severity, WARNING_SEVERITY_INFO);
  warnings_free(warnings);
}
END_TEST

// ---- very much ---------------------------------------------------------------------------------

START_TEST(components_of_a_long_chain_and_a_ring) {
  enum { NODES = 200000 };
  uint32_t *edges = malloc(sizeof(uint32_t) * NODES * 2);
  for (uint32_t node = 0; node < NODES; ++node) {
    edges[node] = node;
    edges[NODES + node] = node + 1 < NODES ? node + 1 : NODES / 2;  // the upper half is a ring
  }
  graph_t graph = graph_make(NODES, edges, edges + NODES, NODES);
  uint32_t *component = graph_components(&graph);
  ck_assert_uint_eq(component[NODES / 2], component[NODES - 1]);
  ck_assert_uint_ne(component[NODES / 2 - 1], component[NODES / 2]);
  ck_assert_uint_ne(component[0], component[1]);
  free(component);
  graph_free(&graph);
  free(edges);
}
END_TEST

START_TEST(many_inversions_end_in_bounded_time) {
  // 60 locks, every order of every two by some thread: 1770 pairs, and longer cycles without end.
  uint32_t thread = 0;
  for (uint64_t first = 1; first <= 60; ++first)
    for (uint64_t second = 1; second <= 60; ++second)
      if (first != second)
        feed_nested(&feed, 1 + thread++ % 16, first * 0x1000, second * 0x1000,
                    (uint32_t)(first * 100));
  feed_end(&feed);
  deadlocks_t *deadlocks = deadlocks_find(feed.models, false);
  ck_assert_uint_gt(deadlocks->count, 500);
  ck_assert_uint_le(deadlocks->count, 1000);
  ck_assert(deadlocks->search_cut);
  deadlocks_free(deadlocks);
}
END_TEST

// `count` philosophers take the fork before them, then the next; the last one the other way round
// where `careful`.
static deadlocks_t *dine(uint32_t count, bool careful) {
  for (uint32_t seat = 0; seat < count; ++seat) {
    uint64_t left = 0x1000 + seat * 0x40, right = 0x1000 + (seat + 1) % count * 0x40;
    bool swapped = careful && seat + 1 == count;
    feed_nested(&feed, 10 + seat, swapped ? right : left, swapped ? left : right, 10);
  }
  feed_end(&feed);
  return deadlocks_find(feed.models, false);
}

START_TEST(five_and_a_thousand_philosophers_are_one_cycle) {
  uint32_t count = _i ? 1000 : 5;
  deadlocks_t *deadlocks = dine(count, false);
  ck_assert_uint_eq(deadlocks->count, 1);
  ck_assert_int_eq(deadlocks->items[0].verdict, DEADLOCK_FEASIBLE);
  ck_assert_uint_eq(deadlocks->items[0].leg_count, count);
  for (uint32_t leg = 0; leg < count; ++leg)
    ck_assert_uint_eq(deadlocks->items[0].legs[leg].wants,
                      deadlocks->items[0].legs[(leg + 1) % count].holds);
  deadlocks_free(deadlocks);
}
END_TEST

START_TEST(philosophers_of_whom_one_is_careful_are_silent) {
  deadlocks_t *deadlocks = dine(_i ? 1000 : 5, true);
  ck_assert_uint_eq(deadlocks->count, 0);
  deadlocks_free(deadlocks);
}
END_TEST

START_TEST(a_thousand_philosophers_that_hang_are_one_cycle) {
  enum { COUNT = 1000 };
  for (uint32_t seat = 0; seat < COUNT; ++seat)
    feed_acquire(&feed, 10 + seat, 0x1000 + seat * 0x40, FEED_MUTEX, 10);
  for (uint32_t seat = 0; seat < COUNT; ++seat)
    feed_pending(&feed, 10 + seat, TRACE_PENDING_LOCK, 0x1000 + (seat + 1) % COUNT * 0x40,
                 FEED_MUTEX, 11, feed.now);
  feed_end(&feed);
  deadlocks_t *deadlocks = deadlocks_find(feed.models, false);
  ck_assert_uint_eq(deadlocks->count, 1);
  ck_assert_int_eq(deadlocks->items[0].verdict, DEADLOCK_ACTUAL);
  ck_assert_uint_eq(deadlocks->items[0].leg_count, COUNT);
  deadlocks_free(deadlocks);
}
END_TEST

START_TEST(many_locks_in_order_are_silent) {
  for (uint32_t at = 1; at < 20000; ++at)
    feed_nested(&feed, 1 + at % 8, at * 0x40, (at + 1) * 0x40, 10);
  feed_end(&feed);
  deadlocks_t *deadlocks = deadlocks_find(feed.models, false);
  ck_assert_uint_eq(deadlocks->count, 0);
  ck_assert(!deadlocks->search_cut);
  deadlocks_free(deadlocks);
}
END_TEST

START_TEST(chain_of_nested_locks_ends_in_any_order) {
  // Hand over hand through a list whose nodes are destroyed from its head.
  enum { NODES = 50000 };
  for (uint32_t at = 1; at < NODES; ++at) feed_nested(&feed, 1, at * 0x40, (at + 1) * 0x40, 10);
  for (uint32_t at = 1; at <= NODES; ++at)
    feed_event(&feed, 1, TRACE_LOCK_DESTROY, 0, FEED_MUTEX, at * 0x40, 0, 0);
  feed_end(&feed);
  ck_assert_uint_eq(dependencies_count(models_dependencies(feed.models)), 0);
}
END_TEST

START_TEST(ten_thousand_short_threads_keep_the_order) {
  // Main creates, the thread nests, main joins: never two at once. Then main inverts: benign.
  for (uint32_t thread = 3; thread < 10003; ++thread) {
    feed_create(&feed, 1, thread);
    feed_start(&feed, thread);
    feed_nested(&feed, thread, 0x1000, 0x2000, 10);
    feed_stop(&feed, thread);
    feed_join(&feed, 1, thread);
  }
  feed_nested(&feed, 1, 0x2000, 0x1000, 20);
  feed_end(&feed);
  deadlocks_t *deadlocks = deadlocks_find(feed.models, false);
  ck_assert_uint_eq(deadlocks->count, 1);
  ck_assert_int_eq(deadlocks->items[0].reason, DEADLOCK_REASON_ORDERED);
  deadlocks_free(deadlocks);
}
END_TEST

Suite *findings_limits_suite(void);
Suite *findings_limits_suite(void) {
  const TTest *tests[] = {nothing_found_in_nothing,
                          potential_deadlock_alone,
                          actual_deadlock_alone,
                          leak_unless_it_is_the_runtimes,
                          contention_from_ten_ms_on,
                          lost_events,
                          lists_are_parsed,
                          thread_that_ends_with_a_lock_is_warned_of,
                          components_of_a_long_chain_and_a_ring,
                          many_inversions_end_in_bounded_time,
                          a_thousand_philosophers_that_hang_are_one_cycle,
                          many_locks_in_order_are_silent,
                          chain_of_nested_locks_ends_in_any_order,
                          ten_thousand_short_threads_keep_the_order};
  Suite *suite = suite_create("findings_limits");
  TCase *limits = tcase_create("limits");
  tcase_add_checked_fixture(limits, setup, teardown);
  tcase_set_timeout(limits, 60);
  for (size_t at = 0; at < sizeof tests / sizeof *tests; ++at) tcase_add_test(limits, tests[at]);
  tcase_add_loop_test(limits, five_and_a_thousand_philosophers_are_one_cycle, 0, 2);
  tcase_add_loop_test(limits, philosophers_of_whom_one_is_careful_are_silent, 0, 2);
  suite_add_tcase(suite, limits);
  return suite;
}
