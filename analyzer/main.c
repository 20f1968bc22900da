// SPDX-License-Identifier: Apache-2.0
// inspect-analyze: parses the command line, runs the command, and sees that its output arrived.
#include "analyzer/commands/commands.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <string.h>

static int run_command(const options_t *options) {
  switch (options->command) {
#define COMMAND(name, NAME, word, fewest, most, arguments, meaning)                                \
  case COMMAND_##NAME:                                                                             \
    return command_##name(options);
    COMMAND_TABLE(COMMAND)
#undef COMMAND
  }
  return STATUS_USAGE;
}

// A report that did not arrive whole must not look like success.
static int output_check(int status) {
  errno = 0;
  if (fflush(stdout) == 0 && !ferror(stdout)) return status;
  // A reader that has seen enough (head, less) is no error to speak of.
  if (errno != EPIPE) command_complain("standard output: %s", strerror(errno ? errno : EIO));
  return STATUS_FILES;
}

static int run(const options_t *options) {
  if (options->help) return options_print_help(stdout), STATUS_DONE;
  if (options->version) return printf("inspect-analyze %s\n", INSPECT_VERSION), STATUS_DONE;
  return run_command(options);
}

int main(int argc, char **argv) {
  // A reader that goes away is an error like a full disk: told, not died of.
  signal(SIGPIPE, SIG_IGN);
  setlocale(LC_CTYPE, "");
  options_t options;
  char error[512];
  int status = STATUS_USAGE;
  if (options_parse(&options, argc, argv, error, sizeof error))
    status = output_check(run(&options));
  else
    command_complain("%s; see inspect-analyze --help", error);
  options_close(&options);
  return status;
}
