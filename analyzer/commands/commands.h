// SPDX-License-Identifier: Apache-2.0
// The commands of inspect-analyze. One file each; main() finds them in this table.
#ifndef ANALYZER_COMMANDS_COMMANDS_H
#define ANALYZER_COMMANDS_COMMANDS_H

#include "analyzer/options.h"

// COMMAND(name, NAME, "word", fewest traces, most traces, "arguments", "what it does"). The first
// is the one that runs when no word is given.
#define COMMAND_TABLE(COMMAND)                                                                     \
  COMMAND(report, REPORT, "report", 1, 1000000, "TRACE...", "what the traces show")                \
  COMMAND(info, INFO, "info", 1, 1, "TRACE", "header, modules, coverage, integrity")               \
  COMMAND(dump, DUMP, "dump", 1, 1, "TRACE", "events, one line each")                              \
  COMMAND(recover, RECOVER, "recover", 1, 1, "TRACE -o FILE",                                      \
          "an interrupted trace and its leftovers as one complete file")                           \
  COMMAND(export, EXPORT, "export", 1, 1, "TRACE --to FORMAT -o FILE",                             \
          "the trace in another tool's format")

enum {
#define COMMAND(name, NAME, word, fewest, most, arguments, meaning) COMMAND_##NAME,
  COMMAND_TABLE(COMMAND)
#undef COMMAND
      COMMAND_COUNT
};

// Runs the command: writes its result to stdout (or where the options say) and complaints to
// stderr, each line beginning "inspect-analyze: ". Returns a STATUS_*. Need not check stdout for
// errors at the end: main() flushes it and does.
#define COMMAND(name, NAME, word, fewest, most, arguments, meaning)                                \
  int command_##name(const options_t *options);
COMMAND_TABLE(COMMAND)
#undef COMMAND

// Prints "inspect-analyze: MESSAGE" as one line on stderr.
void command_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
