// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them: units, rounding at their borders, grouping.
#include "analyzer/reports/quantity.h"

#include <check.h>

static const struct {
  uint64_t ns;
  const char *text;
} times[] = {
    {0, "0"},
    {1, "1 ns"},
    {870, "870 ns"},
    {999, "999 ns"},
    {1000, "1.00 us"},
    {1239, "1.24 us"},
    {12349, "12.3 us"},
    {999499, "999 us"},
    {999500, "1.00 ms"},
    {1240000, "1.24 ms"},
    {9999999, "10.0 ms"},
    {60000000, "60.0 ms"},
    {1000000000, "1.00 s"},
    {75300000000, "75.3 s"},
    {119999999999, "120 s"},
    {120000000000, "2 min 00 s"},
    {725000000000, "12 min 05 s"},
    {11220000000000, "3 h 07 min"},
    {UINT64_MAX, "5124095 h 34 min"},
};

START_TEST(a_time_has_three_digits_and_its_unit) {
  ck_assert_str_eq(quantity_time(times[_i].ns, QUANTITY), times[_i].text);
}
END_TEST

static const struct {
  uint64_t bytes;
  const char *text;
} sizes[] = {
    {0, "0"},
    {812, "812 B"},
    {1023, "1023 B"},
    {1024, "1.00 KiB"},
    {4096, "4.00 KiB"},
    {3250586, "3.10 MiB"},
    {1048575, "1.00 MiB"},
    {1073741824, "1.00 GiB"},
    {UINT64_C(1) << 50, "1024 TiB"},
};

START_TEST(a_size_has_a_binary_unit) {
  ck_assert_str_eq(quantity_bytes(sizes[_i].bytes, QUANTITY), sizes[_i].text);
}
END_TEST

static const struct {
  uint64_t count;
  const char *text;
} counts[] = {{0, "0"},
              {999, "999"},
              {1000, "1,000"},
              {1234567, "1,234,567"},
              {UINT64_MAX, "18,446,744,073,709,551,615"}};

START_TEST(a_count_is_grouped) {
  ck_assert_str_eq(quantity_count(counts[_i].count, QUANTITY), counts[_i].text);
}
END_TEST

static const struct {
  uint64_t part, whole;
  const char *text;
} shares[] = {
    {0, 0, "-"},    {0, 5, "0 %"},   {1, 10000, "<0.1 %"}, {34, 1000, "3.4 %"},
    {1, 3, "33 %"}, {2, 2, "100 %"}, {999, 1000, "100 %"}, {UINT64_MAX, UINT64_MAX, "100 %"}};

START_TEST(a_share_is_never_rounded_to_nothing) {
  ck_assert_str_eq(quantity_share(shares[_i].part, shares[_i].whole, QUANTITY), shares[_i].text);
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

Suite *reports_quantity_suite(void);
Suite *reports_quantity_suite(void) {
  Suite *suite = suite_create("reports_quantity");
  TCase *test_case = tcase_create("quantity");
  tcase_add_loop_test(test_case, a_time_has_three_digits_and_its_unit, 0, ROWS(times));
  tcase_add_loop_test(test_case, a_size_has_a_binary_unit, 0, ROWS(sizes));
  tcase_add_loop_test(test_case, a_count_is_grouped, 0, ROWS(counts));
  tcase_add_loop_test(test_case, a_share_is_never_rounded_to_nothing, 0, ROWS(shares));
  suite_add_tcase(suite, test_case);
  return suite;
}
