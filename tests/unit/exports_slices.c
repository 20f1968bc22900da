// SPDX-License-Identifier: Apache-2.0
// The drawing of a run is bounded, whatever the run; what is merged keeps its sum.
#include "analyzer/exports/slices.h"

#include <check.h>

START_TEST(few_spans_stay_as_they_are) {
  slices_t slices = {0};
  slices_add(&slices, 2, 7, 100, 200);
  slices_add(&slices, 1, 7, 300, 400);
  slices_add(&slices, 1, 8, 100, 200);
  slices_sort(&slices);
  ck_assert_uint_eq(slices.count, 3);
  ck_assert_uint_eq(slices.items[0].track, 1);
  ck_assert_uint_eq(slices.items[0].begin, 100);
  ck_assert_uint_eq(slices.items[2].track, 2);
  slices_clear(&slices);
}
END_TEST

START_TEST(many_spans_are_merged_and_keep_their_sum) {
  slices_t slices = {0};
  uint64_t used = 0, merged = 0, count = 3000000;
  for (uint64_t at = 0; at < count; ++at)
    slices_add(&slices, at % 50, (uint32_t)(at % 3), at * 1000, at * 1000 + 400);
  slices_add(&slices, 60, 1, 0, UINT64_C(9000000000));  // a long one stays by itself
  slices_sort(&slices);
  ck_assert_uint_le(slices.count, SLICES_MAX);
  ck_assert_uint_gt(slices.count, 1000);
  for (uint32_t at = 0; at < slices.count; ++at) {
    used += slices.items[at].used_ns;
    merged += slices.items[at].count;
  }
  ck_assert_uint_eq(merged, count + 1);
  ck_assert_uint_eq(used, count * 400 + UINT64_C(9000000000));
  ck_assert_uint_eq(slices.items[slices.count - 1].count, 1);
  slices_clear(&slices);
}
END_TEST

START_TEST(arrows_and_points_are_bounded) {
  slices_t slices = {0};
  for (uint64_t at = 0; at < 200000; ++at) {
    slices_arrow(&slices, (slice_arrow_t){1, at, 2, at + 1});
    slices_point(&slices, at * 1000, at);
  }
  ck_assert_uint_le(slices.arrow_count, SLICE_ARROWS_MAX);
  ck_assert_uint_gt(slices.arrow_count, SLICE_ARROWS_MAX / 4);
  ck_assert_uint_le(slices.point_count, SLICE_POINTS_MAX);
  ck_assert_uint_gt(slices.point_count, SLICE_POINTS_MAX / 4);
  ck_assert_uint_gt(slices.points[slices.point_count - 1].time, UINT64_C(190000000));
  slices_clear(&slices);
}
END_TEST

Suite *exports_slices_suite(void);
Suite *exports_slices_suite(void) {
  Suite *suite = suite_create("exports_slices");
  TCase *slices = tcase_create("slices");
  tcase_set_timeout(slices, 60);
  tcase_add_test(slices, few_spans_stay_as_they_are);
  tcase_add_test(slices, many_spans_are_merged_and_keep_their_sum);
  tcase_add_test(slices, arrows_and_points_are_bounded);
  suite_add_tcase(suite, slices);
  return suite;
}
