// SPDX-License-Identifier: Apache-2.0
// Names of C, C++ and Rust as their programmers wrote them.
#include "analyzer/symbols/names.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

START_TEST(names_are_demangled) {
  static const char *const pairs[][2] = {
      {"main", "main"},
      {"_start", "_start"},
      {"", ""},
      {"@", "@"},
      {"_ZN5cache6insertEiPKc", "cache::insert(int, char const*)"},
      {"_ZNSt6vectorIiSaIiEE9push_backERKi",
       "std::vector<int, std::allocator<int> >::push_back(int const&)"},
      {"_ZN4core3ptr13drop_in_place17h0123456789abcdefE", "core::ptr::drop_in_place"},
      {"_RNvC6_123foo3bar", "123foo::bar"},
      {"pthread_cond_wait@@GLIBC_2.3.2", "pthread_cond_wait"},
      {"_Znwm", "operator new(unsigned long)"},
      {"_Znot_a_name", "_Znot_a_name"},
  };
  symbols_names_t names = NULL;
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
    ck_assert_str_eq(symbols_names_demangle(&names, pairs[i][0]), pairs[i][1]);
  symbols_names_free(&names);
}
END_TEST

START_TEST(a_name_is_kept_once) {
  symbols_names_t names = NULL;
  char copy[] = "twice";
  ck_assert_ptr_eq(symbols_names_keep(&names, "twice"), symbols_names_keep(&names, copy));
  ck_assert_ptr_eq(symbols_names_print(&names, "%s%d", "tw", 1), symbols_names_keep(&names, "tw1"));
  symbols_names_free(&names);
}
END_TEST

// The demangler recurses: what would nest it deeply stays as it is.
START_TEST(an_enormous_name_is_left_alone) {
  char name[20000] = "_Z1f";
  memset(name + 4, 'P', sizeof name - 6);
  strcpy(name + sizeof name - 2, "i");
  symbols_names_t names = NULL;
  ck_assert_str_eq(symbols_names_demangle(&names, name), name);
  symbols_names_free(&names);
}
END_TEST

Suite *symbols_names_suite(void);
Suite *symbols_names_suite(void) {
  Suite *suite = suite_create("symbols_names");
  TCase *names = tcase_create("names");
  tcase_add_test(names, names_are_demangled);
  tcase_add_test(names, a_name_is_kept_once);
  tcase_add_test(names, an_enormous_name_is_left_alone);
  suite_add_tcase(suite, names);
  return suite;
}
