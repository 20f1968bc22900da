// SPDX-License-Identifier: Apache-2.0
// Whole reports on a trace made by hand: the first lines, names, sections, keys, and that nothing
// of what the program called its things reaches a terminal as a command.
#include "analyzer/reports/json.h"
#include "analyzer/reports/names.h"
#include "analyzer/reports/text.h"
#include "formats/record.h"
#include "tests/unit/trace_builder.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { MAIN = 1, OTHER = 2, BLOCK = 0x5000, IN_BLOCK = BLOCK + 40, STATIC = 0x900000, STACK = 1 };
enum { EVENTS = 17 };

static trace_builder_t *builder;
static analysis_t analysis;
static options_t options;

static uint64_t now;

static void lock_event(uint32_t lane, int kind, uint64_t object) {
  now += 1000;
  trace_builder_record(builder, lane, kind, now, kind == TRACE_LOCK_RELEASE ? 0 : STACK,
                       TRACE_LOCK_MUTEX, object, 0, 0);
}

static void take_both(uint32_t lane, uint64_t first, uint64_t second) {
  lock_event(lane, TRACE_LOCK_ACQUIRE, first);
  lock_event(lane, TRACE_LOCK_ACQUIRE, second);
  lock_event(lane, TRACE_LOCK_RELEASE, second);
  lock_event(lane, TRACE_LOCK_RELEASE, first);
}

// Two threads, of which one has a name that a terminal would obey, take two locks in opposite
// orders; one lock lies in a block of 128 bytes, which others may know from when another lock
// was released; another block is freed.
static void trace_make(int how, int status) {
  static const uint64_t frames[] = {0x401000, 0x402000};
  now = 0;
  builder = trace_builder_new();
  for (uint32_t lane = MAIN; lane <= OTHER; lane++)
    trace_builder_stack(builder, lane, STACK, frames, 2);
  trace_builder_thread(builder, MAIN, 10, TRACE_BUILDER_PID, 0x1000, 0);
  trace_builder_thread(builder, OTHER, 20, 5001, 0x2000, 0xf1);
  trace_builder_text(builder, OTHER, TRACE_THREAD_NAME, 30, 0x2000, "evil\033[2J\a\xff");
  trace_builder_record(builder, MAIN, TRACE_ALLOCATE, 100, STACK, 128, BLOCK, 0, 0);
  trace_builder_record(builder, MAIN, TRACE_ALLOCATE, 200, STACK, 64, 0x6000, 0, 0);
  trace_builder_record(builder, MAIN, TRACE_FREE, 300, 0, 0, 0x6000, 0, 0);
  lock_event(MAIN, TRACE_LOCK_ACQUIRE, STATIC);
  lock_event(MAIN, TRACE_LOCK_RELEASE, STATIC);
  take_both(MAIN, IN_BLOCK, STATIC);
  take_both(OTHER, STATIC, IN_BLOCK);
  trace_builder_record(builder, MAIN, TRACE_EXIT, 1000000, 0, trace_zigzag(status), how, 0, 0);
  trace_builder_finish(builder, how, status);
}

static void analyse(void) {
  char error[256];
  const analysis_settings_t settings = {0};
  options = (options_t){.sections = (1u << OPTIONS_SECTION_COUNT) - 1, .top = OPTIONS_TOP_DEFAULT};
  ck_assert_msg(analysis_open(&analysis, trace_builder_path(builder), &settings, NULL, NULL, error,
                              sizeof error),
                "%s", error);
}

static void setup(void) {
  trace_make(TRACE_END_EXIT, 0);
  analyse();
}
static void teardown(void) {
  analysis_close(&analysis);
  trace_builder_free(builder);
}

static char *text_of_report(void) {
  char *text = NULL;
  size_t length;
  page_t page = {.stream = open_memstream(&text, &length)};
  text_report(&(text_t){&page, &analysis, &options});
  fclose(page.stream);
  return text;
}

static void line_check(const char *text, int number, const char *expected) {
  for (; number > 1; number--) text = strchr(text, '\n') + 1;
  size_t length = strlen(expected);
  ck_assert_msg(!strncmp(text, expected, length), "expected \"%s\", found \"%.*s\"", expected,
                (int)strcspn(text, "\n"), text);
}

START_TEST(the_first_lines_say_what_was_seen_and_what_is_wrong) {
  char *text = text_of_report(), seen[80];
  snprintf(seen, sizeof seen, "Seen: %d events of 2 threads; nothing was lost\n", EVENTS);
  line_check(text, 1,
             "example --flag, pid 4242, ran 1.00 ms and ended with exit status 0; "
             "development mode\n");
  line_check(text, 2, seen);
  line_check(text, 3,
             "Verdict: feasible deadlock: main (4242) and evil?[2J?? (5001) take the same "
             "locks in different order: mutex at +40 in 128-byte block from ");
  free(text);
}
END_TEST

START_TEST(nothing_in_the_text_commands_a_terminal) {
  char *text = text_of_report();
  for (const char *at = text; *at; at++)
    ck_assert_msg((unsigned char)*at >= 0x20 || *at == '\n', "byte %d at %td", *at, at - text);
  free(text);
}
END_TEST

START_TEST(locks_are_called_by_variable_block_or_address) {
  const locks_t *locks = models_locks(analysis.models);
  bool in_block = false, by_address = false;
  for (uint32_t id = 1; id < locks_limit(locks); id++) {
    const char *name = names_lock(analysis.names, id);
    in_block |= !strncmp(name, "mutex at +40 in 128-byte block", 30);
    by_address |= !strcmp(name, "mutex at 0x900000");
  }
  ck_assert(in_block);
  ck_assert(by_address);
}
END_TEST

START_TEST(only_the_sections_asked_for_are_printed) {
  options.sections = OPTIONS_SECTION_LOCKS;
  char *text = text_of_report();
  ck_assert(strstr(text, "\nLOCKS  2 locks, none waited for\n"));
  ck_assert(!strstr(text, "Verdict"));
  ck_assert(!strstr(text, "MEMORY"));
  ck_assert(!strstr(text, "THREADS"));
  free(text);
}
END_TEST

START_TEST(a_section_shows_so_many_rows_and_says_how_many_more) {
  options.sections = OPTIONS_SECTION_LOCKS;
  options.top = 1;
  char *text = text_of_report();
  ck_assert(strstr(text, "  ... and 1 more (--top 0 for all)\n"));
  ck_assert(strstr(text, "mutex at 0x900000"));  // acquired most
  free(text);
}
END_TEST

static void keys_check(const json_t *object, const char *where, const char *keys) {
  char list[512], *state;
  snprintf(list, sizeof list, "%s", keys);
  for (char *key = strtok_r(list, " ", &state); key; key = strtok_r(NULL, " ", &state))
    ck_assert_msg(json_object_get(object, key), "%s has no %s", where, key);
}

static const json_t *first_of(const json_t *object, const char *key) {
  const json_t *item = json_array_get(json_object_get(object, key), 0);
  ck_assert_msg(item, "%s is empty", key);
  return item;
}

START_TEST(json_has_the_keys_that_scripts_rely_on) {
  json_t *report = json_report(&analysis, &options);
  keys_check(report, "report",
             "format version trace coverage deadlocks locks tasks loops pools "
             "memory warnings");
  keys_check(json_object_get(report, "trace"), "trace",
             "program arguments pid start duration_ns mode sampling complete format_version");
  keys_check(json_object_get(report, "coverage"), "coverage",
             "events events_lost lost_by_kind tasks_dropped unwind_truncated hooks not_seen "
             "overhead_ns");
  const json_t *deadlock = first_of(report, "deadlocks"), *leg = first_of(deadlock, "legs");
  keys_check(deadlock, "deadlock", "id verdict reason kind cycle legs why_not_ruled_out");
  keys_check(leg, "leg", "thread holds wants count first_ns last_ns");
  keys_check(json_object_get(leg, "thread"), "thread", "id tid name");
  keys_check(json_object_get(leg, "holds"), "holds", "lock mode stack");
  keys_check(first_of(json_object_get(leg, "holds"), "stack"), "frame",
             "function file line module offset inlined");
  const json_t *lock = first_of(report, "locks");
  keys_check(lock, "lock",
             "id kind name address created_at acquisitions contended wait_ns hold_ns max_waiters "
             "waiters_by_site holders_by_site held_at_end");
  keys_check(json_object_get(lock, "wait_ns"), "wait_ns", "total p50 p95 p99 max");
  keys_check(first_of(report, "tasks"), "task",
             "id kind name state created_ns ended_ns parent site polls running_ns scheduled_ns "
             "idle_ns blocked_ns max_poll_ns");
  const json_t *memory = json_object_get(report, "memory");
  keys_check(memory, "memory",
             "allocations frees bytes_allocated live_bytes live_blocks peak_bytes temporary sites "
             "leaks sizes");
  keys_check(first_of(memory, "sites"), "site",
             "stack allocations bytes live_bytes live_blocks peak_bytes temporary lifetime_ns");
  keys_check(first_of(memory, "leaks"), "leak", "stack blocks bytes runtime");
  json_decref(report);
}
END_TEST

START_TEST(json_says_what_was_in_the_trace) {
  json_t *report = json_report(&analysis, &options);
  const json_t *trace = json_object_get(report, "trace"),
               *memory = json_object_get(report, "memory");
  ck_assert_str_eq(json_string_value(json_object_get(trace, "start")),
                   "2023-11-14T22:13:20.000000000Z");
  ck_assert_int_eq(json_integer_value(json_object_get(trace, "duration_ns")), 1000000);
  ck_assert(json_is_true(json_object_get(trace, "complete")));
  ck_assert_int_eq(json_integer_value(json_object_get(memory, "allocations")), 2);
  ck_assert_int_eq(json_integer_value(json_object_get(memory, "live_bytes")), 128);
  ck_assert_int_eq(json_integer_value(json_object_get(first_of(memory, "leaks"), "bytes")), 128);
  json_decref(report);
}
END_TEST

START_TEST(what_a_killed_process_held_is_no_leak) {
  teardown();
  trace_make(TRACE_END_DIED, -1);
  analyse();
  char *text = text_of_report();
  line_check(text, 1,
             "example --flag, pid 4242, ran 1.00 ms and was killed, crashed, or ended by a raw "
             "exit_group; ");
  ck_assert(strstr(text, "what is live is no leak"));
  ck_assert(!strstr(text, "Left at exit"));
  free(text);
  json_t *report = json_report(&analysis, &options);
  ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(report, "memory"), "leaks")),
                    0);
  json_decref(report);
}
END_TEST

Suite *reports_document_suite(void);
Suite *reports_document_suite(void) {
  Suite *suite = suite_create("reports_document");
  TCase *test_case = tcase_create("document");
  tcase_add_checked_fixture(test_case, setup, teardown);
  tcase_add_test(test_case, the_first_lines_say_what_was_seen_and_what_is_wrong);
  tcase_add_test(test_case, nothing_in_the_text_commands_a_terminal);
  tcase_add_test(test_case, locks_are_called_by_variable_block_or_address);
  tcase_add_test(test_case, only_the_sections_asked_for_are_printed);
  tcase_add_test(test_case, a_section_shows_so_many_rows_and_says_how_many_more);
  tcase_add_test(test_case, json_has_the_keys_that_scripts_rely_on);
  tcase_add_test(test_case, json_says_what_was_in_the_trace);
  tcase_add_test(test_case, what_a_killed_process_held_is_no_leak);
  suite_add_tcase(suite, test_case);
  return suite;
}
