// SPDX-License-Identifier: Apache-2.0
// Command line: one table of options, one loop over the arguments.
#include "analyzer/options.h"

#include "analyzer/commands/commands.h"
#include "analyzer/findings/fail_on.h"
#include "analyzer/findings/lints.h"
#include "analyzer/reports/quantity.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// What is said back where an argument cannot be taken.
typedef struct {
  char *text;
  size_t size;
} complaint_t;

static bool complain(const complaint_t *complaint, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool complain(const complaint_t *complaint, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(complaint->text, complaint->size, format, arguments);
  va_end(arguments);
  return false;
}

// ---- values ------------------------------------------------------------------------------------
static const char *const section_names[] = {
#define SECTION(NAME, name) name,
    OPTIONS_SECTION_TABLE(SECTION)
#undef SECTION
};
static const char *const sort_names[] = {
#define SORT(NAME, name) name,
    OPTIONS_SORT_TABLE(SORT)
#undef SORT
};
static const char *const format_names[] = {"text", "json"};

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static int name_find(const char *const *names, size_t count, const char *text, size_t length) {
  for (size_t i = 0; i < count; i++)
    if (strlen(names[i]) == length && !memcmp(names[i], text, length)) return (int)i;
  return -1;
}

static bool name_complain(const complaint_t *complaint, const char *option,
                          const char *const *names, size_t count, const char *text, size_t length) {
  char known[256] = "";
  size_t end = 0;
  for (size_t i = 0; i < count && end < sizeof known; i++)
    end += (size_t)snprintf(known + end, sizeof known - end, "%s%s", i ? ", " : "", names[i]);
  return complain(complaint, "%s \"%.*s\": expected one of %s", option, (int)length, text, known);
}

// A comma-separated list of names as bits.
static bool list_parse(unsigned *bits, const char *option, const char *text,
                       const char *const *names, size_t count, const complaint_t *complaint) {
  *bits = 0;
  for (const char *item = text;; item++) {
    size_t length = strcspn(item, ",");
    int found = name_find(names, count, item, length);
    if (found < 0) return name_complain(complaint, option, names, count, item, length);
    *bits |= 1u << found;
    item += length;
    if (!*item) return true;
  }
}

static bool choice_parse(int *choice, const char *option, const char *text,
                         const char *const *names, size_t count, const complaint_t *complaint) {
  *choice = name_find(names, count, text, strlen(text));
  return *choice >= 0 || name_complain(complaint, option, names, count, text, strlen(text));
}

// ---- options -----------------------------------------------------------------------------------
typedef bool option_take_t(options_t *options, const char *value, const complaint_t *complaint);

static bool take_format(options_t *options, const char *value, const complaint_t *complaint) {
  int choice;
  if (!choice_parse(&choice, "--format", value, format_names, LENGTH(format_names), complaint))
    return false;
  options->format = (options_format_t)choice;
  return true;
}
static bool take_sort(options_t *options, const char *value, const complaint_t *complaint) {
  int choice;
  if (!choice_parse(&choice, "--sort", value, sort_names, LENGTH(sort_names), complaint))
    return false;
  options->sort = (options_sort_t)choice;
  return true;
}
static bool take_report(options_t *options, const char *value, const complaint_t *complaint) {
  return list_parse(&options->sections, "--report", value, section_names, LENGTH(section_names),
                    complaint);
}
static bool take_fail_on(options_t *options, const char *value, const complaint_t *complaint) {
  const char *bad;
  size_t length;
  if (fail_on_parse(value, &options->fail_on, &bad, &length)) return true;
  const char *names[FAIL_ON_COUNT + 1];
  for (int i = 0; i < FAIL_ON_COUNT; i++) names[i] = fail_on_name((fail_on_kind_t)i);
  names[FAIL_ON_COUNT] = "any";
  return name_complain(complaint, "--fail-on", names, LENGTH(names), bad, length);
}
static bool take_top(options_t *options, const char *value, const complaint_t *complaint) {
  char *end;
  errno = 0;
  unsigned long long number = strtoull(value, &end, 10);
  if (*value < '0' || *value > '9' || *end || errno)
    return complain(complaint, "--top \"%s\": expected a number; 0 for all", value);
  options->top = number ? (size_t)number : SIZE_MAX;
  return true;
}
static bool take_csv(options_t *options, const char *value, const complaint_t *complaint) {
  if (!*value) return complain(complaint, "--csv: expected a folder");
  options->csv_folder = value;
  return true;
}
static bool take_output(options_t *options, const char *value, const complaint_t *complaint) {
  if (!*value) return complain(complaint, "-o: expected a file");
  options->output = value;
  return true;
}
static bool lints_take(uint32_t *set, const char *option, const char *value,
                       const complaint_t *complaint) {
  const char *bad;
  size_t length;
  uint32_t kinds;
  if (!lints_parse(value, &kinds, &bad, &length))
    return complain(complaint, "%s \"%.*s\": expected names of lints, or all", option, (int)length,
                    bad);
  *set |= kinds;
  return true;
}
static bool take_threshold(options_t *options, const char *value, const complaint_t *complaint) {
  const char *bad, *names[LINT_COUNT], *option = "--lint-threshold";
  size_t length;
  lint_kind_t kind;
  switch (lints_parse_thresholds(value, options->lints.thresholds, &bad, &length, &kind)) {
  case LINT_TAKEN:
    return true;
  case LINT_NO_NAME:
    for (int i = 0; i < LINT_COUNT; i++) names[i] = lint_name((lint_kind_t)i);
    length = strcspn(bad, "=,");
    return name_complain(complaint, option, names, LENGTH(names), bad, length);
  case LINT_NO_VALUE:
    break;
  }
  return complain(
      complaint, "%s \"%.*s\": expected %s=%s", option, (int)length, bad, lint_name(kind),
      lint_row(kind)->unit == LINT_TIME ? "TIME above 0, in us, ms or s: 200us, 10ms, 1.5s"
                                        : "NUMBER above 0");
}
static bool take_allow(options_t *options, const char *value, const complaint_t *complaint) {
  return lints_take(&options->lints.allowed, "--allow", value, complaint);
}
static bool take_warn(options_t *options, const char *value, const complaint_t *complaint) {
  return lints_take(&options->lints_warned, "--warn", value, complaint);
}
static bool take_to(options_t *options, const char *value, const complaint_t *complaint) {
  static const char *const names[] = {"perfetto"};
  int choice;
  if (!choice_parse(&choice, "--to", value, names, LENGTH(names), complaint)) return false;
  options->export_format = names[choice];
  return true;
}
static bool take_all(options_t *options, const char *value, const complaint_t *complaint) {
  (void)value, (void)complaint;
  return options->all = true;
}
static bool take_all_processes(options_t *options, const char *value,
                               const complaint_t *complaint) {
  (void)value, (void)complaint;
  return options->all_processes = true;
}
static bool take_strict_order(options_t *options, const char *value, const complaint_t *complaint) {
  (void)value, (void)complaint;
  return options->strict_order = true;
}
static bool take_suppressions(options_t *options, const char *value, const complaint_t *complaint) {
  if (!*value) return complain(complaint, "--suppressions: expected a file");
  options->suppressions = value;
  return true;
}
static bool take_events(options_t *options, const char *value, const complaint_t *complaint) {
  (void)value, (void)complaint;
  return options->events = true;
}
static bool take_facts(options_t *options, const char *value, const complaint_t *complaint) {
  (void)value, (void)complaint;
  return options->facts = true;
}
static bool take_help(options_t *options, const char *value, const complaint_t *complaint) {
  (void)value, (void)complaint;
  return options->help = true;
}
static bool take_version(options_t *options, const char *value, const complaint_t *complaint) {
  (void)value, (void)complaint;
  return options->version = true;
}

enum {
  FOR_REPORT = 1 << COMMAND_REPORT,
  FOR_DUMP = 1 << COMMAND_DUMP,
  FOR_RECOVER = 1 << COMMAND_RECOVER,
  FOR_EXPORT = 1 << COMMAND_EXPORT,
  FOR_ALL = (1 << COMMAND_COUNT) - 1
};

// `value` names what follows the option in --help, NULL where nothing does. `take` is NULL where
// the name is reserved and this version refuses it.
typedef struct {
  const char *name;
  const char *value;
  unsigned commands;
  option_take_t *take;
  const char *help;
} option_t;

static const option_t option_table[] = {
    {"--format", "FORMAT", FOR_REPORT | FOR_DUMP, take_format, "text (the default) or json"},
    {"--csv", "DIR", FOR_REPORT, take_csv, "write the tables as CSV files into DIR, no report"},
    {"--events", NULL, FOR_REPORT, take_events, "with --csv: events.csv as well"},
    {"--report", "LIST", FOR_REPORT, take_report,
     "only these sections: summary, deadlocks, locks,\n"
     "tasks, loops, memory, threads, warnings"},
    {"--fail-on", "LIST", FOR_REPORT, take_fail_on,
     "exit with 1 where one of these was found: deadlock,\n"
     "potential-deadlock, hazard, leak, stall, contention,\n"
     "lost, any"},
    {"--top", "N", FOR_REPORT, take_top, "rows a section, 10 unless told; 0 for all"},
    {"--sort", "KEY", FOR_REPORT, take_sort,
     "order tables by wait, hold, acquisitions, contended,\n"
     "running, live, peak, bytes, allocations, temporary,\n"
     "name or id"},
    {"--all", NULL, FOR_REPORT, take_all, "findings that were ruled out, too, with the reason"},
    {"--all-processes", NULL, FOR_REPORT, take_all_processes,
     "the other traces of the same run that lie beside it\n"
     "(children, earlier images), too, and what is between\n"
     "the processes"},
    {"--strict-order", NULL, FOR_REPORT, take_strict_order,
     "report any two orders of locks, even where they\n"
     "cannot meet (as lockdep and ThreadSanitizer do)"},
    {"--suppressions", "FILE", FOR_REPORT, take_suppressions,
     "leave out findings that FILE names, one rule a line:\n"
     "function:NAME, file:GLOB, module:GLOB, lock:NAME"},
    {"--allow", "LINTS", FOR_REPORT, take_allow, "do not look for these lints; all for every one"},
    {"--warn", "LINTS", FOR_REPORT, take_warn,
     "warn of these lints, although they may be wrong:\n"
     "self-wake, lost-wakeup, never-polled, busy-poll,\n"
     "thread-leak, oversubscribed; the others are warnings anyway"},
    {"--lint-threshold", "LIST", FOR_REPORT, take_threshold,
     "NAME=VALUE,...: from when on lints speak; a time, as\n"
     "200us, 10ms or 1.5s, or a number. See below"},
    {"-o", "FILE", FOR_RECOVER | FOR_EXPORT, take_output, "where recover and export write"},
    {"--to", "FORMAT", FOR_EXPORT, take_to, "perfetto: JSON for ui.perfetto.dev"},
    {"--facts", NULL, FOR_DUMP, take_facts, "stacks, modules, settings, clocks and the like, too"},
    {"--help", NULL, FOR_ALL, take_help, "print this"},
    {"--version", NULL, FOR_ALL, take_version, "print the version"},
    {"--where", "EXPR", FOR_REPORT, NULL, NULL},
};

typedef struct {
  const char *word;
  const char *arguments, *meaning;
  size_t fewest, most;
} command_row_t;

static const command_row_t command_rows[] = {
#define COMMAND(name, NAME, word, fewest, most, arguments, meaning)                                \
  {word, arguments, meaning, fewest, most},
    COMMAND_TABLE(COMMAND)
#undef COMMAND
};
static const char *const later_commands[] = {"compare"};

static const option_t *option_find(const char *argument, size_t length) {
  for (size_t i = 0; i < LENGTH(option_table); i++)
    if (strlen(option_table[i].name) == length && !memcmp(option_table[i].name, argument, length))
      return &option_table[i];
  return NULL;
}

// Takes the option at argv[*index], and its value where it has one.
static bool option_parse(options_t *options, int argc, char **argv, int *index, unsigned *used,
                         const complaint_t *complaint) {
  const char *argument = argv[*index];
  const char *equals = argument[1] == '-' ? strchr(argument, '=') : NULL;
  size_t length = equals ? (size_t)(equals - argument) : strlen(argument);
  const option_t *option = option_find(argument, length);
  if (!option) return complain(complaint, "unknown option %.*s", (int)length, argument);
  if (!option->take)
    return complain(complaint, "%s is not available in this version", option->name);
  if (!option->value && equals) return complain(complaint, "%s takes no value", option->name);
  const char *value = equals ? equals + 1 : NULL;
  if (option->value && !value) {
    if (*index + 1 >= argc) return complain(complaint, "%s needs %s", option->name, option->value);
    value = argv[++*index];
  }
  *used |= 1u << (option - option_table);
  return option->take(options, value, complaint);
}

// The first argument that is no option may be a command; `later` ones are known and refused.
static bool command_take(options_t *options, const char *word, bool *taken,
                         const complaint_t *complaint) {
  *taken = false;
  for (int i = 0; i < COMMAND_COUNT; i++)
    if (i != COMMAND_REPORT && !strcmp(command_rows[i].word, word)) {
      options->command = i;
      *taken = true;
    }
  for (size_t i = 0; i < LENGTH(later_commands); i++)
    if (!strcmp(later_commands[i], word))
      return complain(complaint, "the command %s is not available in this version", word);
  return true;
}

// What only the whole line can show to be wrong.
static bool options_check(const options_t *options, unsigned used, const complaint_t *complaint) {
  const command_row_t *command = &command_rows[options->command];
  for (size_t i = 0; i < LENGTH(option_table); i++)
    if (used >> i & 1 && !(option_table[i].commands >> options->command & 1))
      return options->command == COMMAND_REPORT
                 ? complain(complaint, "%s needs a command that takes it", option_table[i].name)
                 : complain(complaint, "%s does not go with %s", option_table[i].name,
                            command->word);
  if (options->trace_count < command->fewest) return complain(complaint, "no trace given");
  if (options->trace_count > command->most)
    return complain(complaint, "%s takes one trace, %zu were given", command->word,
                    options->trace_count);
  if (options->command == COMMAND_RECOVER && !options->output)
    return complain(complaint, "recover needs -o FILE");
  if (options->command == COMMAND_EXPORT && !(options->output && options->export_format))
    return complain(complaint, "export needs --to FORMAT and -o FILE");
  if (options->events && !options->csv_folder)
    return complain(complaint, "--events needs --csv DIR");
  if (options->csv_folder && options->format == OPTIONS_JSON)
    return complain(complaint, "--csv and --format json exclude each other");
  return true;
}

bool options_parse(options_t *options, int argc, char **argv, char *error, size_t size) {
  const complaint_t complaint = {error, size};
  *options = (options_t){.command = COMMAND_REPORT,
                         .sections = (1u << OPTIONS_SECTION_COUNT) - 1,
                         .top = OPTIONS_TOP_DEFAULT};
  options->traces = calloc((size_t)argc + 1, sizeof *options->traces);
  if (!options->traces) return complain(&complaint, "out of memory");
  bool only_traces = false, command_seen = false;
  unsigned used = 0;
  for (int i = 1; i < argc; i++) {
    if (!only_traces && !strcmp(argv[i], "--")) {
      only_traces = true;
    } else if (!only_traces && argv[i][0] == '-' && argv[i][1]) {
      if (!option_parse(options, argc, argv, &i, &used, &complaint)) return false;
    } else {
      bool taken = false;
      if (!only_traces && !command_seen && !command_take(options, argv[i], &taken, &complaint))
        return false;
      command_seen = true;
      if (!taken) options->traces[options->trace_count++] = argv[i];
    }
  }
  return options->help || options->version || options_check(options, used, &complaint);
}

void options_close(options_t *options) {
  free(options->traces);
  options->traces = NULL;
}

// ---- help --------------------------------------------------------------------------------------
static void option_print_help(FILE *stream, const option_t *option) {
  char left[40];
  snprintf(left, sizeof left, "%s%s%s", option->name, option->value ? " " : "",
           option->value ? option->value : "");
  fprintf(stream, "  %-18s ", left);
  for (const char *line = option->help;; line++) {
    size_t length = strcspn(line, "\n");
    fprintf(stream, "%.*s\n", (int)length, line);
    line += length;
    if (!*line) return;
    fprintf(stream, "  %-18s ", "");
  }
}

static const char *threshold_text(lint_kind_t kind, quantity_t *quantity) {
  const lint_row_t *row = lint_row(kind);
  if (kind == LINT_LOOP_HOG) return "INSPECT_STALL_MS";
  if (kind == LINT_OVERSUBSCRIBED) return "processors";
  return row->unit == LINT_TIME ? quantity_time(row->threshold, quantity)
                                : quantity_count(row->threshold, quantity);
}

static void lints_print_help(FILE *stream) {
  fprintf(stream, "\nLints:             threshold         grace time  confidence\n");
  for (int i = 0; i < LINT_COUNT; i++) {
    lint_kind_t kind = (lint_kind_t)i;
    const lint_row_t *row = lint_row(kind);
    fprintf(stream, "  %-16s %-17s %-11s %s\n", row->name, threshold_text(kind, QUANTITY),
            row->grace_ns ? quantity_time(row->grace_ns, QUANTITY) : "-",
            lint_confidence_name(kind));
  }
}

void options_print_help(FILE *stream) {
  for (int i = 0; i < COMMAND_COUNT; i++) {
    char line[80];
    snprintf(line, sizeof line, "%s%s%s",
             i == COMMAND_REPORT ? "[OPTION...]" : command_rows[i].word, " ",
             command_rows[i].arguments);
    fprintf(stream, "%s inspect-analyze %-24s %s\n", i ? "      " : "Usage:", line,
            command_rows[i].meaning);
  }
  fprintf(stream, "\nShows what a recorded program did with its threads, locks, event loops and "
                  "memory.\n\n");
  for (size_t i = 0; i < LENGTH(option_table); i++)
    if (option_table[i].take) option_print_help(stream, &option_table[i]);
  lints_print_help(stream);
  fprintf(stream, "\nExit status: 0 done; 1 --fail-on found something; 2 usage; 3 input that is no "
                  "trace,\nor output that cannot be written. See inspect-analyze(1).\n");
}
