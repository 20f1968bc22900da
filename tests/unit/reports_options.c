// SPDX-License-Identifier: Apache-2.0
// The command line: what is taken, and what is refused with which words.
#include "analyzer/commands/commands.h"
#include "analyzer/findings/fail_on.h"
#include "analyzer/options.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { ARGUMENTS_MAX = 12 };
static options_t options;
static char error[512], line[256];

// Splits at spaces; '' stands for an empty argument.
static bool parse(const char *text) {
  static char *argv[ARGUMENTS_MAX];
  static char nothing[] = "";
  int argc = 0;
  snprintf(line, sizeof line, "inspect-analyze %s", text);
  error[0] = '\0';
  for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
    argv[argc++] = strcmp(word, "''") ? word : nothing;
  return options_parse(&options, argc, argv, error, sizeof error);
}

START_TEST(a_trace_alone_gives_a_text_report_of_all_sections) {
  ck_assert(parse("a.zst"));
  ck_assert_int_eq(options.command, COMMAND_REPORT);
  ck_assert_int_eq(options.format, OPTIONS_TEXT);
  ck_assert_uint_eq(options.sections, (1u << OPTIONS_SECTION_COUNT) - 1);
  ck_assert_uint_eq(options.top, OPTIONS_TOP_DEFAULT);
  ck_assert_uint_eq(options.fail_on, 0);
  ck_assert_uint_eq(options.trace_count, 1);
  ck_assert_str_eq(options.traces[0], "a.zst");
  options_close(&options);
}
END_TEST

START_TEST(options_may_stand_anywhere_and_with_equals) {
  ck_assert(parse("a.zst --format=json b.zst --top 3 --report locks,memory --sort hold --all"));
  ck_assert_uint_eq(options.trace_count, 2);
  ck_assert_int_eq(options.format, OPTIONS_JSON);
  ck_assert_uint_eq(options.top, 3);
  ck_assert_uint_eq(options.sections, OPTIONS_SECTION_LOCKS | OPTIONS_SECTION_MEMORY);
  ck_assert_int_eq(options.sort, OPTIONS_SORT_HOLD);
  ck_assert(options.all);
  options_close(&options);
}
END_TEST

START_TEST(fail_on_is_a_set) {
  ck_assert(parse("--fail-on deadlock,leak a"));
  ck_assert_uint_eq(options.fail_on, 1u << FAIL_ON_DEADLOCK | 1u << FAIL_ON_LEAK);
  options_close(&options);
  ck_assert(parse("--fail-on any a"));
  ck_assert_uint_eq(options.fail_on, (1u << FAIL_ON_COUNT) - 1);
  options_close(&options);
}
END_TEST

START_TEST(top_0_is_all) {
  ck_assert(parse("--top 0 a"));
  ck_assert_uint_eq(options.top, SIZE_MAX);
  options_close(&options);
}
END_TEST

START_TEST(the_first_word_may_be_a_command) {
  ck_assert(parse("recover a.zst -o b.zst"));
  ck_assert_int_eq(options.command, COMMAND_RECOVER);
  ck_assert_str_eq(options.output, "b.zst");
  options_close(&options);
  ck_assert(parse("--format json dump a"));
  ck_assert_int_eq(options.command, COMMAND_DUMP);
  options_close(&options);
  // ... but only the first.
  ck_assert(parse("a info"));
  ck_assert_int_eq(options.command, COMMAND_REPORT);
  ck_assert_uint_eq(options.trace_count, 2);
  options_close(&options);
  ck_assert(parse("-- info"));
  ck_assert_int_eq(options.command, COMMAND_REPORT);
  options_close(&options);
  ck_assert(parse("-- --top"));
  ck_assert_str_eq(options.traces[0], "--top");
  options_close(&options);
}
END_TEST

START_TEST(help_and_version_need_nothing_else) {
  ck_assert(parse("--help"));
  ck_assert(options.help);
  options_close(&options);
  ck_assert(parse("info --version"));
  ck_assert(options.version);
  options_close(&options);
}
END_TEST

static const struct {
  const char *line, *error;
} refused[] = {
    {"", "no trace given"},
    {"info", "no trace given"},
    {"info a b", "info takes one trace, 2 were given"},
    {"--bogus a", "unknown option --bogus"},
    {"--bogus=1 a", "unknown option --bogus"},
    {"-x a", "unknown option -x"},
    {"--top", "--top needs N"},
    {"--top x a", "--top \"x\": expected a number; 0 for all"},
    {"--top -1 a", "--top \"-1\": expected a number; 0 for all"},
    {"--top 1x a", "--top \"1x\": expected a number; 0 for all"},
    {"--top 99999999999999999999 a",
     "--top \"99999999999999999999\": expected a number; 0 for all"},
    {"--all=1 a", "--all takes no value"},
    {"--format yaml a", "--format \"yaml\": expected one of text, json"},
    {"--report locks,lock a",
     "--report \"lock\": expected one of summary, deadlocks, locks, tasks, "
     "loops, memory, threads, warnings"},
    {"--report '' a", "--report \"\": expected one of summary, deadlocks, locks, tasks, loops, "
                      "memory, threads, warnings"},
    {"--fail-on leak,rust a", "--fail-on \"rust\": expected one of deadlock, potential-deadlock, "
                              "hazard, leak, stall, contention, lost, any"},
    {"--suppressions '' a", "--suppressions: expected a file"},
    {"--strict-order=1 a", "--strict-order takes no value"},
    {"--where x a", "--where is not available in this version"},
    {"--all-processes=1 a", "--all-processes takes no value"},
    {"compare a b", "the command compare is not available in this version"},
    {"--allow loop-hog,x a", "--allow \"x\": expected names of lints, or all"},
    {"--warn '' a", "--warn \"\": expected names of lints, or all"},
    {"--lint-threshold hog=1s a",
     "--lint-threshold \"hog\": expected one of loop-hog, blocking-in-loop, busy-poll, self-wake, "
     "lost-wakeup, never-polled, starved-task, stuck-task, descriptor-leak, thread-leak, "
     "oversubscribed, saturated-loop, lock-in-loop"},
    {"--lint-threshold busy-poll=5,loop-hog=10 a",
     "--lint-threshold \"loop-hog=10\": expected loop-hog=TIME above 0, in us, ms or s: 200us, "
     "10ms, 1.5s"},
    {"--lint-threshold loop-hog a",
     "--lint-threshold \"loop-hog\": expected loop-hog=TIME above 0, in us, ms or s: 200us, 10ms, "
     "1.5s"},
    {"--lint-threshold stuck-task=0s a",
     "--lint-threshold \"stuck-task=0s\": expected stuck-task=TIME above 0, in us, ms or s: 200us, "
     "10ms, 1.5s"},
    {"--lint-threshold busy-poll=5s a",
     "--lint-threshold \"busy-poll=5s\": expected busy-poll=NUMBER above 0"},
    {"--lint-threshold thread-leak=-1 a",
     "--lint-threshold \"thread-leak=-1\": expected thread-leak=NUMBER above 0"},
    {"export a", "export needs --to FORMAT and -o FILE"},
    {"export --to perfetto a", "export needs --to FORMAT and -o FILE"},
    {"export --to dot -o f a", "--to \"dot\": expected one of perfetto"},
    {"recover a", "recover needs -o FILE"},
    {"-o b a", "-o needs a command that takes it"},
    {"info --top 3 a", "--top does not go with info"},
    {"--events a", "--events needs --csv DIR"},
    {"--csv d --format json a", "--csv and --format json exclude each other"},
    {"--csv '' a", "--csv: expected a folder"},
};

START_TEST(what_is_wrong_is_refused_and_said) {
  ck_assert_msg(!parse(refused[_i].line), "%s was taken", refused[_i].line);
  ck_assert_str_eq(error, refused[_i].error);
  options_close(&options);
}
END_TEST

START_TEST(thresholds_of_lints_are_times_and_numbers) {
  const uint64_t *thresholds = options.lints.thresholds;
  ck_assert(parse("--lint-threshold loop-hog=1.5s,busy-poll=20,starved-task=200us "
                  "--lint-threshold=stuck-task=2ms,loop-hog=3s a"));
  ck_assert_uint_eq(thresholds[LINT_LOOP_HOG], 3000000000);
  ck_assert_uint_eq(thresholds[LINT_BUSY_POLL], 20);
  ck_assert_uint_eq(thresholds[LINT_STARVED_TASK], 200000);
  ck_assert_uint_eq(thresholds[LINT_STUCK_TASK], 2000000);
  ck_assert_uint_eq(thresholds[LINT_LOCK_IN_LOOP], 0);
  options_close(&options);
}
END_TEST

START_TEST(help_names_what_there_is_and_nothing_else) {
  char *text = NULL;
  size_t length;
  FILE *stream = open_memstream(&text, &length);
  options_print_help(stream);
  fclose(stream);
  static const char *const there[] = {"--format",
                                      "--csv",
                                      "--events",
                                      "--report",
                                      "--fail-on",
                                      "--top",
                                      "--sort",
                                      "--all",
                                      "-o FILE",
                                      "--help",
                                      "--version",
                                      "info",
                                      "dump",
                                      "recover",
                                      "--strict-order",
                                      "--suppressions FILE",
                                      "--all-processes",
                                      "--allow LINTS",
                                      "--warn LINTS",
                                      "--lint-threshold LIST",
                                      "--to FORMAT",
                                      "export"};
  static const char *const not_there[] = {"--where", "compare"};
  for (size_t i = 0; i < sizeof there / sizeof *there; i++)
    ck_assert_msg(strstr(text, there[i]), "%s is missing", there[i]);
  for (size_t i = 0; i < sizeof not_there / sizeof *not_there; i++)
    ck_assert_msg(!strstr(text, not_there[i]), "%s is not there yet", not_there[i]);
  free(text);
}
END_TEST

Suite *reports_options_suite(void);
Suite *reports_options_suite(void) {
  Suite *suite = suite_create("reports_options");
  TCase *test_case = tcase_create("options");
  tcase_add_test(test_case, a_trace_alone_gives_a_text_report_of_all_sections);
  tcase_add_test(test_case, options_may_stand_anywhere_and_with_equals);
  tcase_add_test(test_case, fail_on_is_a_set);
  tcase_add_test(test_case, top_0_is_all);
  tcase_add_test(test_case, the_first_word_may_be_a_command);
  tcase_add_test(test_case, help_and_version_need_nothing_else);
  tcase_add_loop_test(test_case, what_is_wrong_is_refused_and_said, 0,
                      (int)(sizeof refused / sizeof *refused));
  tcase_add_test(test_case, thresholds_of_lints_are_times_and_numbers);
  tcase_add_test(test_case, help_names_what_there_is_and_nothing_else);
  suite_add_tcase(suite, test_case);
  return suite;
}
