// SPDX-License-Identifier: Apache-2.0
// Ticks to nanoseconds: exact at the moments that are known, straight between and beyond them.
#include "analyzer/reading/clock.h"

#include <check.h>

#define MS UINT64_C(1000000)

static reading_clock_t clock_of(const reading_moment_t *moments, size_t count) {
  reading_clock_t clock = {0};
  for (size_t i = 0; i < count; i++) reading_clock_add(&clock, &moments[i]);
  return clock;
}

START_TEST(monotonic_ticks_are_nanoseconds_from_the_start) {
  reading_clock_t clock = clock_of(&(reading_moment_t){5000, 5000, 1000000}, 1);
  ck_assert(reading_clock_fit(&clock, true, 5000));
  ck_assert_uint_eq(reading_clock_time(&clock, 5000), 0);
  ck_assert_uint_eq(reading_clock_time(&clock, 7500), 2500);
  ck_assert_uint_eq(reading_clock_time(&clock, 10), 0);
  ck_assert_uint_eq(reading_clock_duration(&clock, 123), 123);
  ck_assert_uint_eq(reading_clock_start_realtime(&clock), 1000000);
  reading_clock_free(&clock);
}
END_TEST

// 2 ticks a ns in the first 100 ms, 4 in the next; given in any order.
START_TEST(times_follow_each_stretch_between_moments) {
  const reading_moment_t moments[] = {
      {600 * MS, 200 * MS, 1200 * MS}, {0, 0, 1000 * MS}, {200 * MS, 100 * MS, 1100 * MS}};
  reading_clock_t clock = clock_of(moments, 3);
  ck_assert(reading_clock_fit(&clock, false, 0));
  ck_assert_uint_eq(reading_clock_time(&clock, 0), 0);
  ck_assert_uint_eq(reading_clock_time(&clock, 100 * MS), 50 * MS);
  ck_assert_uint_eq(reading_clock_time(&clock, 400 * MS), 150 * MS);
  // Either side again: the line is looked up, not only the one that was used last.
  ck_assert_uint_eq(reading_clock_time(&clock, 20 * MS), 10 * MS);
  // Beyond: as on the whole, 3 ticks a ns. Allow for the rounding of the slope.
  ck_assert_uint_ge(reading_clock_time(&clock, 900 * MS), 300 * MS - 1);
  ck_assert_uint_le(reading_clock_time(&clock, 900 * MS), 300 * MS + 1);
  reading_clock_free(&clock);
}
END_TEST

// 100 ns of noise on a moment 1 us after another one must not become 10 % of every time.
START_TEST(moments_close_together_do_not_bend_the_line) {
  const reading_moment_t moments[] = {
      {0, 0, 0}, {1000, 1100, 1100}, {100 * MS, 100 * MS, 100 * MS}};
  reading_clock_t clock = clock_of(moments, 3);
  ck_assert(reading_clock_fit(&clock, false, 0));
  ck_assert_uint_eq(reading_clock_time(&clock, 50 * MS), 50 * MS);
  reading_clock_free(&clock);
}
END_TEST

START_TEST(moments_that_contradict_are_left_out) {
  const reading_moment_t moments[] = {
      {0, 0, 0}, {50 * MS, UINT64_C(1) << 60, 0}, {100 * MS, 100 * MS, 100 * MS}};
  reading_clock_t clock = clock_of(moments, 3);
  ck_assert(reading_clock_fit(&clock, false, 0));
  ck_assert_uint_eq(reading_clock_time(&clock, 50 * MS), 50 * MS);
  reading_clock_free(&clock);
}
END_TEST

START_TEST(a_single_moment_says_that_nothing_is_known) {
  reading_clock_t clock = clock_of(&(reading_moment_t){1000, 77, 5}, 1);
  ck_assert(!reading_clock_fit(&clock, false, 0));
  ck_assert_uint_eq(reading_clock_time(&clock, 1000), 0);
  ck_assert_uint_eq(reading_clock_time(&clock, 1500), 500);
  reading_clock_free(&clock);
}
END_TEST

START_TEST(no_ticks_overflow) {
  const reading_moment_t moments[] = {{0, 0, 0}, {100 * MS, 100 * MS, 0}};
  reading_clock_t clock = clock_of(moments, 2);
  ck_assert(reading_clock_fit(&clock, false, 0));
  ck_assert_uint_eq(reading_clock_time(&clock, UINT64_MAX), INT64_MAX);
  ck_assert_uint_eq(reading_clock_duration(&clock, UINT64_MAX), INT64_MAX);
  reading_clock_free(&clock);
}
END_TEST

Suite *reading_clock_suite(void);
Suite *reading_clock_suite(void) {
  Suite *suite = suite_create("reading_clock");
  TCase *fit = tcase_create("fit");
  tcase_add_test(fit, monotonic_ticks_are_nanoseconds_from_the_start);
  tcase_add_test(fit, times_follow_each_stretch_between_moments);
  tcase_add_test(fit, moments_close_together_do_not_bend_the_line);
  tcase_add_test(fit, moments_that_contradict_are_left_out);
  tcase_add_test(fit, a_single_moment_says_that_nothing_is_known);
  tcase_add_test(fit, no_ticks_overflow);
  suite_add_tcase(suite, fit);
  return suite;
}
