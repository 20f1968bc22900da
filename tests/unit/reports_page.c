// SPDX-License-Identifier: Apache-2.0
// Text on a page: what may reach a terminal, tables, bars and histograms.
#include "analyzer/reports/chart.h"
#include "analyzer/reports/page.h"
#include "analyzer/reports/table.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *source;
  size_t limit;
  const char *clean;
} texts[] = {
    {"plain", 0, "plain"},
    {"", 0, ""},
    {"\033[31mred\a\n", 0, "?[31mred??"},
    {"caf\xc3\xa9", 0, "caf\xc3\xa9"},
    {"caf\xc3\xa9", 4, "caf\xc3\xa9"},
    {"broken \xc3", 0, "broken ?"},
    {"\xff\xfe", 0, "??"},
    {"\xc0\xaf", 0, "??"},       // overlong
    {"\xed\xa0\x80", 0, "???"},  // a surrogate
    {"\xc2\x9b"
     "31m",
     0, "??31m"},  // C1: another way to write ESC [
    {"longer than that", 9, "longer..."},
    {"exactly", 7, "exactly"},
    {"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 4, "\xc3\xa9..."},
};

START_TEST(text_of_a_trace_is_made_clean) {
  char clean[64];
  ck_assert_str_eq(page_clean(clean, sizeof clean, texts[_i].source, texts[_i].limit),
                   texts[_i].clean);
}
END_TEST

START_TEST(clean_text_stays_in_its_room) {
  char clean[9] = "12345678";
  page_clean(clean, 6, "caf\xc3\xa9s are open", 0);
  ck_assert_str_eq(clean, "caf\xc3\xa9");  // 5 bytes and the end
  ck_assert_str_eq(clean + 6, "78");
  page_clean(clean, 5, "caf\xc3\xa9", 0);  // no half character
  ck_assert_str_eq(clean, "caf");
}
END_TEST

static char *page_text(void (*print)(const page_t *page), size_t width) {
  char *text = NULL;
  size_t length;
  page_t page = {.stream = open_memstream(&text, &length), .width = width};
  ck_assert_ptr_nonnull(page.stream);
  print(&page);
  fclose(page.stream);
  return text;
}

static void print_table(const page_t *page) {
  static const table_column_t columns[] = {{"name", true, true}, {"count", false, false}};
  table_t table;
  table_open(&table, columns, 2);
  const char *const cells[] = {"a",      "1",           "a name that is rather long",
                               "12,345", "caf\xc3\xa9", "7"};
  for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) table_put(&table, cells[i]);
  table_print(&table, page);
  table_close(&table);
}

START_TEST(columns_are_as_wide_as_what_is_in_them) {
  char *text = page_text(print_table, 0);
  ck_assert_str_eq(text, "  name                         count\n"
                         "  a                                1\n"
                         "  a name that is rather long  12,345\n"
                         "  caf\xc3\xa9                             7\n");
  free(text);
}
END_TEST

START_TEST(a_narrow_page_cuts_the_flexible_column) {
  char *text = page_text(print_table, 24);
  ck_assert_str_eq(text, "  name             count\n"
                         "  a                    1\n"
                         "  a name that...  12,345\n"
                         "  caf\xc3\xa9                 7\n");
  free(text);
}
END_TEST

static void print_optional(const page_t *page) {
  static const table_column_t columns[] = {{"a", false, false, true},
                                           {"b", true, false, true},
                                           {"c", false, false},
                                           {"d", true, true, true}};
  table_t table;
  table_open(&table, columns, 4);
  const char *const cells[] = {"0", "", "1", "", "0 %", "x", "2", "-"};
  for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) table_put(&table, cells[i]);
  table_print(&table, page);
  table_close(&table);
}

START_TEST(columns_that_say_nothing_are_left_out) {
  char *text = page_text(print_optional, 0);
  ck_assert_str_eq(text, "  b  c\n"
                         "     1\n"
                         "  x  2\n");
  free(text);
}
END_TEST

static void print_paragraph(const page_t *page) {
  page_paragraph(page, "  why: ", "one two three fourteen letters");
}

START_TEST(a_paragraph_is_broken_at_spaces) {
  char *text = page_text(print_paragraph, 20);
  ck_assert_str_eq(text, "  why: one two three\n"
                         "       fourteen\n"
                         "       letters\n");
  free(text);
  text = page_text(print_paragraph, 0);
  ck_assert_str_eq(text, "  why: one two three fourteen letters\n");
  free(text);
}
END_TEST

START_TEST(a_page_that_is_no_terminal_has_no_colour) {
  FILE *file = tmpfile();
  page_t page = page_of(file);
  ck_assert(!page.colour);
  ck_assert_uint_eq(page.width, 0);
  page_print(&page, PAGE_BAD, "x");
  ck_assert_int_eq(ftell(file), 1);
  fclose(file);
}
END_TEST

START_TEST(a_bar_is_shared_out_and_full) {
  char bar[11];
  const chart_part_t halves[] = {{'a', 1}, {'b', 1}};
  ck_assert_str_eq(chart_bar(bar, 10, halves, 2), "aaaaabbbbb");
  const chart_part_t thirds[] = {{'a', 1}, {'b', 1}, {'c', 1}};
  ck_assert_str_eq(chart_bar(bar, 10, thirds, 3), "aaaabbbccc");
  // What is there is seen, however small.
  const chart_part_t tiny[] = {{'a', 1000000}, {'b', 1}};
  ck_assert_str_eq(chart_bar(bar, 10, tiny, 2), "aaaaaaaaab");
  const chart_part_t huge[] = {{'a', UINT64_MAX / 2}, {'b', UINT64_MAX / 2}};
  ck_assert_str_eq(chart_bar(bar, 10, huge, 2), "aaaaabbbbb");
  const chart_part_t nothing[] = {{'a', 0}};
  ck_assert_str_eq(chart_bar(bar, 10, nothing, 1), "----------");
}
END_TEST

static void print_histogram(const page_t *page) {
  const chart_bucket_t buckets[] = {{1024, 1056, 30}, {1056, 1088, 10}, {5000, 5120, 20}};
  chart_histogram(page, "  ", buckets, 3);
}

START_TEST(a_histogram_has_a_line_for_each_power_of_two) {
  char *text = page_text(print_histogram, 0);
  ck_assert_str_eq(text, "  from    1.02 us          40  ########################################\n"
                         "  from    2.05 us           0  \n"
                         "  from    4.10 us          20  ####################\n");
  free(text);
}
END_TEST

Suite *reports_page_suite(void);
Suite *reports_page_suite(void) {
  Suite *suite = suite_create("reports_page");
  TCase *test_case = tcase_create("page");
  tcase_add_loop_test(test_case, text_of_a_trace_is_made_clean, 0,
                      (int)(sizeof texts / sizeof *texts));
  tcase_add_test(test_case, clean_text_stays_in_its_room);
  tcase_add_test(test_case, columns_are_as_wide_as_what_is_in_them);
  tcase_add_test(test_case, a_narrow_page_cuts_the_flexible_column);
  tcase_add_test(test_case, columns_that_say_nothing_are_left_out);
  tcase_add_test(test_case, a_paragraph_is_broken_at_spaces);
  tcase_add_test(test_case, a_page_that_is_no_terminal_has_no_colour);
  tcase_add_test(test_case, a_bar_is_shared_out_and_full);
  tcase_add_test(test_case, a_histogram_has_a_line_for_each_power_of_two);
  suite_add_tcase(suite, test_case);
  return suite;
}
