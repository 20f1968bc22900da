// SPDX-License-Identifier: Apache-2.0
// unit-tests [FILTER...]: runs the suites of suites.h under Check, each test in a process of its
// own, and prints `ok NAME` or `not ok NAME: why` for each. A NAME is suite/case/test; a filter
// picks the suites whose name holds it. Exit status 1 where a test failed or none was picked.
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SUITE(name) Suite *name##_suite(void);
#include "tests/unit/suites.h"
#undef SUITE

static const struct {
  const char *name;
  Suite *(*make)(void);
} suites[] = {
#define SUITE(name) {#name, name##_suite},
#include "tests/unit/suites.h"
#undef SUITE
    {NULL, NULL},
};

static bool suite_is_wanted(const char *name, int count, char **filters) {
  for (int i = 0; i < count; i++)
    if (strstr(name, filters[i])) return true;
  return count == 0;
}

// Check gives the name of a test function only to its log files. A line of its TAP log reads
// `ok 1 - FILE:CASE:TEST: MESSAGE`, and a message may have several lines, which follow as they are.
static void result_print(const char *suite, char *line) {
  bool passed = strncmp(line, "ok ", 3) == 0;
  char *file = strstr(line, " - ");
  char *group = file ? strchr(file, ':') : NULL;
  char *test = group ? strchr(group + 1, ':') : NULL;
  char *message = test ? strstr(test + 1, ": ") : NULL;
  if (!message) {
    printf(" | %s", line);
    return;
  }
  *group = *test = *message = '\0';
  printf("\n%s %s/%s/%s", passed ? "ok" : "not ok", suite, group + 1, test + 1);
  if (!passed) printf(": %s: %s", file + 3, message + 2);
}

static void results_print(const char *suite, FILE *tap) {
  char *line = NULL;
  size_t size = 0;
  ssize_t length;
  while ((length = getline(&line, &size, tap)) > 0) {
    if (line[length - 1] == '\n') line[length - 1] = '\0';
    if (strncmp(line, "1..", 3) != 0) result_print(suite, line);
  }
  free(line);
}

// Returns the number of failed tests.
static int suite_run(const char *name, Suite *suite) {
  int fd = memfd_create("tap", MFD_CLOEXEC);
  if (fd < 0) {
    perror("unit-tests: memfd_create");
    return 1;
  }
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), fd);
  SRunner *runner = srunner_create(suite);
  srunner_set_tap(runner, path);
  fflush(stdout);  // or each forked test would write what is still in the buffer
  srunner_run_all(runner, CK_SILENT);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  FILE *tap = fdopen(fd, "r");
  results_print(name, tap);
  fclose(tap);
  return failed;
}

int main(int argc, char **argv) {
  int failed = 0, run = 0;
  for (size_t i = 0; suites[i].name; i++) {
    if (!suite_is_wanted(suites[i].name, argc - 1, argv + 1)) continue;
    failed += suite_run(suites[i].name, suites[i].make());
    run++;
  }
  printf("\n");
  if (!run) fprintf(stderr, "unit-tests: no suite is called so\n");
  return failed || !run;
}
