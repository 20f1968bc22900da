// SPDX-License-Identifier: Apache-2.0
// The command line of inspect-run.
#ifndef TOOLS_RUN_OPTIONS_H
#define TOOLS_RUN_OPTIONS_H

#include <stdbool.h>

// Strings belong to argv. A NULL string or a zero is an option that was not given.
typedef struct {
  const char *output;    // INSPECT_OUTPUT, as written
  const char *mode;      // INSPECT_MODE
  const char *sampling;  // INSPECT_SAMPLING
  double timeout;        // seconds
  const char *fail_on;   // for inspect-analyze
  bool no_report;
  bool force;
  char **command;  // the command and its arguments, NULL-terminated; never empty
} run_options_t;

typedef enum {
  OPTIONS_RUN,   // *options is filled in
  OPTIONS_DONE,  // --help or --version: printed, nothing else to do
  OPTIONS_WRONG  // said why on stderr
} options_result_t;

options_result_t options_parse(int argc, char **argv, run_options_t *options);

#endif
