// SPDX-License-Identifier: Apache-2.0
// See options.h.
#include "tools/run/options.h"

#include "tools/run/message.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: inspect-run [options] [--] COMMAND [ARGUMENT...]\n"
    "Records what COMMAND does with threads, locks, event loops and memory, and prints a report\n"
    "to stderr when it has ended.\n"
    "\n"
    "  -o, --output FILE      the trace; %p pid, %e program, %h host, %t start time\n"
    "                         (inspect.%e.%p.zst)\n"
    "      --mode MODE        development, analysis or production (development)\n"
    "      --sampling RATE    from 0 to 1 (1, 0.1 or 0.01 by mode)\n"
    "      --timeout SECONDS  end COMMAND after that long: the stacks of all threads, TERM, and\n"
    "                         KILL 5 seconds later\n"
    "      --fail-on LIST     exit with 1 if the report holds one of: deadlock,\n"
    "                         potential-deadlock, hazard, leak, stall, contention, lost, any\n"
    "      --no-report        do not print the report\n"
    "      --force            run COMMAND even if it cannot be recorded\n"
    "      --help, --version\n"
    "\n"
    "Exit status: that of COMMAND (128+N if signal N ended it); if that is 0, 1 if --fail-on "
    "found\n"
    "something; 124 after --timeout; 125 if inspect-run itself failed; 126 if COMMAND cannot be\n"
    "run; 127 if it is not found. See inspect-run(1).\n";

enum {
  OPTION_MODE = 256,
  OPTION_SAMPLING,
  OPTION_TIMEOUT,
  OPTION_FAIL_ON,
  OPTION_NO_REPORT,
  OPTION_FORCE,
  OPTION_HELP,
  OPTION_VERSION
};

static const struct option long_options[] = {
    {"output", required_argument, NULL, 'o'},
    {"mode", required_argument, NULL, OPTION_MODE},
    {"sampling", required_argument, NULL, OPTION_SAMPLING},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"fail-on", required_argument, NULL, OPTION_FAIL_ON},
    {"no-report", no_argument, NULL, OPTION_NO_REPORT},
    {"force", no_argument, NULL, OPTION_FORCE},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

// A number in [low, high] that takes up the whole text. NAN where it is none.
static double number_parse(const char *text, double low, double high) {
  char *end;
  double value = strtod(text, &end);
  bool whole = end != text && *end == '\0';
  return whole && value >= low && value <= high ? value : NAN;
}

static bool mode_is_known(const char *mode) {
  static const char *const modes[] = {"development", "analysis", "production"};
  for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
    if (strcmp(mode, modes[i]) == 0) return true;
  return false;
}

// The recorder and inspect-analyze check what is passed on to them, but they come too late: the
// command would have run already, unrecorded or for nothing.
static bool values_are_valid(const run_options_t *options, const char *timeout) {
  if (options->output && !*options->output) {
    message_print("--output \"\": expected the name of a file");
    return false;
  }
  if (options->mode && !mode_is_known(options->mode)) {
    message_print("--mode \"%s\": expected development, analysis or production", options->mode);
    return false;
  }
  if (options->sampling && isnan(number_parse(options->sampling, 0, 1))) {
    message_print("--sampling \"%s\": expected a number from 0 to 1", options->sampling);
    return false;
  }
  if (timeout && isnan(options->timeout)) {
    message_print("--timeout \"%s\": expected a number of seconds above 0", timeout);
    return false;
  }
  return true;
}

static bool fail_on_is_valid(const char *list) {
  static const char *const kinds[] = {"deadlock", "potential-deadlock", "hazard", "leak",
                                      "stall",    "contention",         "lost",   "any"};
  for (const char *item = list;; item++) {
    size_t length = strcspn(item, ",");
    bool known = false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
      known = known || (strlen(kinds[i]) == length && strncmp(kinds[i], item, length) == 0);
    if (!known) {
      message_print("--fail-on \"%.*s\": expected deadlock, potential-deadlock, hazard, leak, "
                    "stall, contention, lost or any",
                    (int)length, item);
      return false;
    }
    item += length;
    if (!*item) return true;
  }
}

options_result_t options_parse(int argc, char **argv, run_options_t *options) {
  const char *timeout = NULL;
  *options = (run_options_t){0};
  opterr = 0;
  int option;
  while ((option = getopt_long(argc, argv, "+:o:", long_options, NULL)) != -1) {
    switch (option) {
    case 'o':
      options->output = optarg;
      break;
    case OPTION_MODE:
      options->mode = optarg;
      break;
    case OPTION_SAMPLING:
      options->sampling = optarg;
      break;
    case OPTION_TIMEOUT:
      timeout = optarg;
      options->timeout = number_parse(optarg, 1e-3, 1e9);
      break;
    case OPTION_FAIL_ON:
      options->fail_on = optarg;
      break;
    case OPTION_NO_REPORT:
      options->no_report = true;
      break;
    case OPTION_FORCE:
      options->force = true;
      break;
    case OPTION_HELP:
      fputs(usage, stdout);
      return OPTIONS_DONE;
    case OPTION_VERSION:
      puts("inspect-run " INSPECT_VERSION);
      return OPTIONS_DONE;
    default:
      message_print(option == ':' ? "%s: needs a value" : "%s: no such option; see --help",
                    argv[optind - 1]);
      return OPTIONS_WRONG;
    }
  }
  if (!values_are_valid(options, timeout)) return OPTIONS_WRONG;
  if (options->fail_on && !fail_on_is_valid(options->fail_on)) return OPTIONS_WRONG;
  options->command = argv + optind;
  if (!*options->command) {
    message_print("no command given; see --help");
    return OPTIONS_WRONG;
  }
  return OPTIONS_RUN;
}
