// SPDX-License-Identifier: Apache-2.0
// inspect-run: runs a command under the recorder and prints the report. See inspect-run(1).
#include "tools/run/command.h"
#include "tools/run/message.h"
#include "tools/run/options.h"
#include "tools/run/parts.h"
#include "tools/run/progress.h"
#include "tools/run/report.h"
#include "tools/run/target.h"
#include "tools/run/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum { TRACE_WAIT_SECONDS = 5, PRELOAD_MAX = 64 << 10 };

// LD_PRELOAD with the recorder in front of what was there. False where it cannot be written so.
static bool preload_make(char preload[PRELOAD_MAX]) {
  char recorder[PATH_MAX];
  if (!part_find(PART_RECORDER, recorder)) return false;
  if (strpbrk(recorder, " :")) {
    message_print("%s: LD_PRELOAD cannot hold a path with a space or a colon; move it", recorder);
    return false;
  }
  const char *former = getenv("LD_PRELOAD");
  bool together = former && *former;
  int length = snprintf(preload, PRELOAD_MAX, "%s%s%s", recorder, together ? ":" : "",
                        together ? former : "");
  if (length < PRELOAD_MAX) return true;
  message_print("LD_PRELOAD is too long");
  return false;
}

static int command_not_started(const char *name, int error) {
  message_print("%s: %s", name, strerror(error));
  return error == ENOENT                      ? RUN_EXIT_NOT_FOUND
         : error == EAGAIN || error == ENOMEM ? RUN_EXIT_FAILED
                                              : RUN_EXIT_CANNOT_RUN;
}

// What is wrong with the recording itself counts only where a verdict was asked for: a command
// must not fail because its observer did.
static int verdict_missing(const run_options_t *options, int status) {
  return options->fail_on && status == 0 ? RUN_EXIT_FAILED : status;
}

// Reports on the command's trace. `status` is the exit status so far; returns the final one.
static int result_report(const run_options_t *options, const char *template, const char *trace,
                         int status) {
  if (!*trace) {
    message_print("%s left no trace (looked for %s)", options->command[0], template);
    return verdict_missing(options, status);
  }
  if (options->no_report && !options->fail_on) return status;
  int result = report_make(trace, options->fail_on, !options->no_report);
  if (!options->no_report && result >= 0) message_print("the trace is %s", trace);
  if (result == RUN_EXIT_FOUND && options->fail_on) return status ? status : RUN_EXIT_FOUND;
  return result == 0 ? status : verdict_missing(options, status);
}

static int run(const run_options_t *options, const char *preload) {
  const char *template = options->output ? options->output : getenv("INSPECT_OUTPUT");
  if (!template || !*template) template = TRACE_TEMPLATE_DEFAULT;
  command_variable_t variables[5] = {{"LD_PRELOAD", preload}, {"INSPECT_OUTPUT", template}};
  int count = 2;
  if (options->mode) variables[count++] = (command_variable_t){"INSPECT_MODE", options->mode};
  if (options->sampling)
    variables[count] = (command_variable_t){"INSPECT_SAMPLING", options->sampling};

  struct timespec started;
  clock_gettime(CLOCK_REALTIME_COARSE, &started);
  command_t command;
  int error = command_start(&command, options->command, variables);
  if (error) return command_not_started(options->command[0], error);
  command_wait(&command, options->timeout, progress_print);
  progress_clear();

  char trace[PATH_MAX] = "";
  if (trace_find(template, command.pid, started, trace) &&
      !trace_wait(trace, command.pid, TRACE_WAIT_SECONDS))
    message_print("%s is not complete after %d s", trace, TRACE_WAIT_SECONDS);
  command_restore(&command);
  int status = command_exit_status(command.status);
  status = result_report(options, template, trace, status);
  return command.timed_out ? RUN_EXIT_TIMEOUT : status;
}

int main(int argc, char **argv) {
  run_options_t options;
  switch (options_parse(argc, argv, &options)) {
  case OPTIONS_DONE:
    return EXIT_SUCCESS;
  case OPTIONS_WRONG:
    return RUN_EXIT_FAILED;
  case OPTIONS_RUN:
    break;
  }
  static char preload[PRELOAD_MAX];
  if (!preload_make(preload)) return RUN_EXIT_FAILED;
  if (!options.force && !target_is_recordable(options.command[0])) return RUN_EXIT_FAILED;
  return run(&options, preload);
}
