// SPDX-License-Identifier: Apache-2.0
// CSV after RFC 4180, and strings for JSON: what is written is what a reader gets back.
#include "analyzer/reports/csv.h"
#include "analyzer/reports/json.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = P_tmpdir "/reports_csv.XXXXXX";

static void folder_make(void) { ck_assert_ptr_nonnull(mkdtemp(folder)); }
static void folder_remove(void) {
  char path[64];
  snprintf(path, sizeof path, "%s/x.csv", folder);
  unlink(path);
  rmdir(folder);
}

static void file_check(const char *expected) {
  char path[64], content[256];
  snprintf(path, sizeof path, "%s/x.csv", folder);
  FILE *file = fopen(path, "r");
  ck_assert_ptr_nonnull(file);
  size_t length = fread(content, 1, sizeof content - 1, file);
  fclose(file);
  content[length] = '\0';
  ck_assert_str_eq(content, expected);
}

START_TEST(fields_are_quoted_where_they_must_be) {
  csv_t csv;
  ck_assert(csv_open(&csv, folder, "x.csv", "a,b,c,d"));
  csv_text(&csv, "plain");
  csv_text(&csv, "with, comma");
  csv_text(&csv, "with \"quotes\"");
  csv_text(&csv, "two\nlines");
  csv_row_end(&csv);
  csv_text(&csv, NULL);
  csv_number(&csv, UINT64_MAX);
  csv_milliseconds(&csv, 1234567);
  csv_text(&csv, "");
  csv_row_end(&csv);
  ck_assert_int_eq(csv_close(&csv), 0);
  csv_free(&csv);
  file_check("a,b,c,d\r\n"
             "plain,\"with, comma\",\"with \"\"quotes\"\"\",\"two\nlines\"\r\n"
             ",18446744073709551615,1.235,\r\n");
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_an_error) {
  csv_t csv;
  ck_assert(!csv_open(&csv, "/no/such/folder", "x.csv", "a"));
  ck_assert_int_eq(csv_close(&csv), ENOENT);
  ck_assert_str_eq(csv.path, "/no/such/folder/x.csv");
  csv_free(&csv);
}
END_TEST

START_TEST(a_full_disk_is_an_error) {
  csv_t csv;
  char path[64];
  snprintf(path, sizeof path, "%s/x.csv", folder);
  ck_assert_int_eq(symlink("/dev/full", path), 0);
  ck_assert(csv_open(&csv, folder, "x.csv", "a"));
  for (int i = 0; i < 10; i++) csv_number(&csv, 1), csv_row_end(&csv);
  ck_assert_int_eq(csv_close(&csv), ENOSPC);
  csv_free(&csv);
}
END_TEST

static const struct {
  const char *text, *value;
} strings[] = {{"plain", "plain"},
               {"caf\xc3\xa9", "caf\xc3\xa9"},
               {"tab\tand\033", "tab\tand\033"},
               {"bad \xff byte", "bad \xef\xbf\xbd byte"},
               {"cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd"}};

START_TEST(json_strings_are_valid_whatever_comes) {
  json_t *value = json_text(strings[_i].text);
  ck_assert_str_eq(json_string_value(value), strings[_i].value);
  json_decref(value);
}
END_TEST

START_TEST(json_numbers_do_not_wrap) {
  json_t *value = json_number(UINT64_MAX);
  ck_assert_int_eq(json_integer_value(value), INT64_MAX);
  json_decref(value);
  ck_assert(json_is_null(json_text(NULL)));
}
END_TEST

Suite *reports_csv_suite(void);
Suite *reports_csv_suite(void) {
  Suite *suite = suite_create("reports_csv");
  TCase *test_case = tcase_create("files");
  tcase_add_checked_fixture(test_case, folder_make, folder_remove);
  tcase_add_test(test_case, fields_are_quoted_where_they_must_be);
  tcase_add_test(test_case, a_folder_that_is_not_there_is_an_error);
  tcase_add_test(test_case, a_full_disk_is_an_error);
  suite_add_tcase(suite, test_case);
  TCase *values = tcase_create("json");
  tcase_add_loop_test(values, json_strings_are_valid_whatever_comes, 0,
                      (int)(sizeof strings / sizeof *strings));
  tcase_add_test(values, json_numbers_do_not_wrap);
  suite_add_tcase(suite, values);
  return suite;
}
