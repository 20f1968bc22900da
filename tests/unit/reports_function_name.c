// SPDX-License-Identifier: Apache-2.0
// Which functions stand back for their callers, and how much of a name is shown.
#include "analyzer/reports/function_name.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static const struct {
  const char *name, *shown;
} names[] = {
    {"main", "main"},
    {"ns::Class::method(int, char const*)", "ns::Class::method"},
    {"ns::Class::method(int) const", "ns::Class::method"},
    {"f(std::function<void (int)>, int)", "f"},
    {"Class::operator()(int) const", "Class::operator()"},
    {"Class::operator()", "Class::operator()"},
    {"(anonymous namespace)::run(void (*)(int))", "(anonymous namespace)::run"},
    {"(anonymous namespace)::run", "(anonymous namespace)::run"},
    {"run(int)::{lambda(int)#1}::operator()(int) const", "run(int)::{lambda(int)#1}::operator()"},
    {"core::ptr::drop_in_place<alloc::vec::Vec<u8>>",
     "core::ptr::drop_in_place<alloc::vec::Vec<u8>>"},
    {"ns::f(int, char) [clone .part.0]", "ns::f"},
    {"g(int) const [clone .isra.0] [clone .cold]", "g"},
    {"operator[]", "operator[]"},
    {" [clone .x]", " [clone .x]"},
    {"broken)", "broken)"},
    {"()", "()"},
    {"", ""},
};

START_TEST(parameters_are_not_shown) {
  char shown[80];
  snprintf(shown, sizeof shown, "%.*s", function_name_length(names[_i].name), names[_i].name);
  ck_assert_str_eq(shown, names[_i].shown);
}
END_TEST

static const struct {
  const char *name, *brief;
} shortened[] = {
    {"main", "main"},
    {"server+0x1234", "server+0x1234"},
    {"Class::method(int) const", "Class::method"},
    {"w::StartThread(v8::Info<v8::Value> const&)::{lambda(void*)#1}::_FUN(void*)",
     "w::StartThread::{lambda#1}"},
    {"(anonymous namespace)::run(void (*)(int))", "(anonymous namespace)::run"},
    {"Class::operator()(int) const", "Class::operator()"},
    {"a::operator<(b<c> const&)", "a::operator<"},
    {"Map<K, V<T>>::fill<int>(long)", "Map::fill"},
    {"<lambda(int)>::_FUN(int)", "<lambda>"},
    {"broken)", "broken)"},
    {"open(", "open"},
    {"", ""},
};

START_TEST(names_within_a_sentence_are_short) {
  char brief[80], cut[4];
  function_name_short(brief, sizeof brief, shortened[_i].name);
  ck_assert_str_eq(brief, shortened[_i].brief);
  function_name_short(cut, sizeof cut, shortened[_i].name);
  ck_assert(strlen(cut) <= 3);
}
END_TEST

static const struct {
  const char *name;
  bool allocator, wraps_lock;
} judged[] = {
    {"zmalloc", true, false},
    {"g_malloc0", true, false},
    {"je_calloc", true, false},
    {"ztrymalloc_usable", true, false},
    {"ngx_alloc", true, false},
    {"ngx_memalign", true, false},
    {"xstrdup", true, false},
    {"operator new(unsigned long)", true, false},
    {"std::vector<int>::push_back(int&&)", true, false},
    {"_PyMem_RawMalloc", true, false},
    {"CRYPTO_zalloc", true, false},
    {"CRYPTO_THREAD_lock_new", true, false},
    {"CRYPTO_THREAD_write_lock", false, true},
    {"CRYPTO_new_ex_data", false, false},
    {"session_new", false, false},
    {"alloc_session", false, false},
    {"session_alloc", false, false},
    {"leak_realloc", false, false},
    {"uses_malloc", false, false},
    {"rocksdb::port::Mutex::Lock()", false, true},
    {"Monitor::Wait(int) const", false, true},
    {"lock_both", false, false},
    {"Door::Unlocked()", false, false},
    {"main", false, false},
};

START_TEST(wrappers_are_known_by_name) {
  ck_assert_int_eq(function_name_is_allocator(judged[_i].name), judged[_i].allocator);
  ck_assert_int_eq(function_name_wraps_lock(judged[_i].name), judged[_i].wraps_lock);
}
END_TEST

Suite *reports_function_name_suite(void);
Suite *reports_function_name_suite(void) {
  Suite *suite = suite_create("reports_function_name");
  TCase *test_case = tcase_create("function_name");
  tcase_add_loop_test(test_case, parameters_are_not_shown, 0, (int)(sizeof names / sizeof *names));
  tcase_add_loop_test(test_case, names_within_a_sentence_are_short, 0,
                      (int)(sizeof shortened / sizeof *shortened));
  tcase_add_loop_test(test_case, wrappers_are_known_by_name, 0,
                      (int)(sizeof judged / sizeof *judged));
  suite_add_tcase(suite, test_case);
  return suite;
}
