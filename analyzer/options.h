// SPDX-License-Identifier: Apache-2.0
// The command line of inspect-analyze, parsed by one table of options that --help is printed from.
#ifndef ANALYZER_OPTIONS_H
#define ANALYZER_OPTIONS_H

#include "analyzer/findings/lints.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

// Sections of a report, in the order of --report's names. The text shows them gravest first.
#define OPTIONS_SECTION_TABLE(SECTION)                                                             \
  SECTION(SUMMARY, "summary")                                                                      \
  SECTION(DEADLOCKS, "deadlocks")                                                                  \
  SECTION(LOCKS, "locks")                                                                          \
  SECTION(TASKS, "tasks")                                                                          \
  SECTION(LOOPS, "loops")                                                                          \
  SECTION(MEMORY, "memory")                                                                        \
  SECTION(THREADS, "threads")                                                                      \
  SECTION(WARNINGS, "warnings")

// What --sort orders a table by; a table without that column keeps its own order.
#define OPTIONS_SORT_TABLE(SORT)                                                                   \
  SORT(DEFAULT, "default")                                                                         \
  SORT(WAIT, "wait")                                                                               \
  SORT(HOLD, "hold")                                                                               \
  SORT(ACQUISITIONS, "acquisitions")                                                               \
  SORT(CONTENDED, "contended")                                                                     \
  SORT(RUNNING, "running")                                                                         \
  SORT(LIVE, "live")                                                                               \
  SORT(PEAK, "peak")                                                                               \
  SORT(BYTES, "bytes")                                                                             \
  SORT(ALLOCATIONS, "allocations")                                                                 \
  SORT(TEMPORARY, "temporary")                                                                     \
  SORT(NAME, "name")                                                                               \
  SORT(ID, "id")

enum {
#define SECTION(NAME, name) OPTIONS_SECTION_NUMBER_##NAME,
  OPTIONS_SECTION_TABLE(SECTION)
#undef SECTION
      OPTIONS_SECTION_COUNT
};
enum {
#define SECTION(NAME, name) OPTIONS_SECTION_##NAME = 1 << OPTIONS_SECTION_NUMBER_##NAME,
  OPTIONS_SECTION_TABLE(SECTION)
#undef SECTION
};
typedef enum {
#define SORT(NAME, name) OPTIONS_SORT_##NAME,
  OPTIONS_SORT_TABLE(SORT)
#undef SORT
} options_sort_t;

typedef enum { OPTIONS_TEXT, OPTIONS_JSON } options_format_t;

// Exit statuses of inspect-analyze, the same for every command.
enum {
  STATUS_DONE = 0,
  STATUS_FOUND = 1,  // --fail-on found something
  STATUS_USAGE = 2,
  STATUS_FILES = 3,  // input that is no trace, or output that cannot be written
};

enum { OPTIONS_TOP_DEFAULT = 10 };

typedef struct {
  int command;  // COMMAND_*, see commands/commands.h
  options_format_t format;
  const char *csv_folder;     // --csv, NULL without
  const char *output;         // -o, NULL without
  const char *export_format;  // --to, NULL without
  unsigned sections;          // OPTIONS_SECTION_*; all without --report
  uint32_t fail_on;           // set of 1 << fail_on_kind_t
  lint_settings_t lints;      // --allow, --lint-threshold
  uint32_t lints_warned;      // set of 1 << lint_kind_t
  size_t top;                 // rows a section; SIZE_MAX for --top 0
  options_sort_t sort;
  bool all;                  // findings that were ruled out, too
  bool all_processes;        // the traces of the same run beside each are read as well
  bool strict_order;         // any two orders of locks are reported
  const char *suppressions;  // --suppressions, NULL without
  bool events;               // events.csv, too
  bool facts;                // dump: what the reader keeps for itself, too
  bool help, version;        // asked for; nothing else is checked then
  const char **traces;       // the arguments that are no options; the array is owned
  size_t trace_count;
} options_t;

// Parses `argv` (argv[0] is the program). The strings are those of argv and must outlive `options`.
// True, or false with one line in `error` that says what is wrong, without prefix or newline.
// Release with options_close in either case.
bool options_parse(options_t *options, int argc, char **argv, char *error, size_t size);
void options_close(options_t *options);

// Prints what --help prints.
void options_print_help(FILE *stream);

#endif
