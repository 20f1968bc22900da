// SPDX-License-Identifier: Apache-2.0
// The command without a word: analyses traces and writes text, JSON or CSV.
#include "analyzer/commands/commands.h"
#include "analyzer/reports/json.h"
#include "analyzer/reports/tables.h"
#include "analyzer/reports/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// What goes on while the traces are taken one after the other.
typedef struct {
  const options_t *options;
  analysis_settings_t settings;
  json_t *documents;  // with --format json
  uint32_t found;     // set of 1 << fail_on_kind_t, all traces together
  int status;         // of the worst trouble so far
} run_t;

static void trouble(run_t *run, const char *error) {
  command_complain("%s", error);
  run->status = STATUS_FILES;
}

// The folder for the tables of trace `i`: DIR, or DIR/STEM-N where there are several traces.
static char *tables_folder(const options_t *options, size_t i) {
  char *folder;
  const char *slash = strrchr(options->traces[i], '/');
  const char *name = slash ? slash + 1 : options->traces[i];
  const char *suffix = strstr(name, ".zst");
  int stem = suffix && !suffix[4] ? (int)(suffix - name) : (int)strlen(name);
  int length = options->trace_count == 1
                   ? asprintf(&folder, "%s", options->csv_folder)
                   : asprintf(&folder, "%s/%.*s-%zu", options->csv_folder, stem, name, i + 1);
  return length < 0 ? NULL : folder;
}

static bool folder_make(const char *folder, char *error, size_t size) {
  if (mkdir(folder, 0777) == 0 || errno == EEXIST) return true;
  snprintf(error, size, "%s: %s", folder, strerror(errno));
  return false;
}

static void report_tables(run_t *run, size_t i) {
  const options_t *options = run->options;
  char error[1024], *folder = tables_folder(options, i);
  analysis_t analysis = {0};
  events_table_t events = {0};
  if (!folder || !folder_make(folder, error, sizeof error)) {
    trouble(run, folder ? error : "out of memory");
    free(folder);
    return;
  }
  bool written = !options->events || events_table_open(&events, folder);
  bool read = written && analysis_open(&analysis, options->traces[i], &run->settings,
                                       options->events ? events_table_add : NULL, &events, error,
                                       sizeof error);
  if (written && !read) trouble(run, error);
  if (options->events && !tables_end(&events.csv, error, sizeof error)) trouble(run, error);
  if (read && !tables_write(&analysis, folder, options->all, error, sizeof error))
    trouble(run, error);
  run->found |= analysis.found;
  analysis_close(&analysis);
  free(folder);
}

static void report_shown(run_t *run, const page_t *page, size_t i) {
  const options_t *options = run->options;
  char error[1024];
  analysis_t analysis;
  if (!analysis_open(&analysis, options->traces[i], &run->settings, NULL, NULL, error,
                     sizeof error)) {
    trouble(run, error);
    analysis_close(&analysis);
    return;
  }
  if (options->format == OPTIONS_JSON) {
    json_array_append_new(run->documents, json_report(&analysis, options));
  } else {
    char name[1024];
    if (options->trace_count > 1)
      page_print(page, PAGE_HEADING, "%s==> %s <==\n", i ? "\n" : "",
                 page_clean(name, sizeof name, options->traces[i], 0));
    text_report(&(text_t){page, &analysis, options});
  }
  run->found |= analysis.found;
  analysis_close(&analysis);
}

// One document: the report itself, or the list of them where several traces were given.
static void documents_print(const run_t *run) {
  json_t *document = run->options->trace_count == 1
                         ? json_incref(json_array_get(run->documents, 0))
                         : json_pack("{s:s, s:i, s:O}", "format", "inspect-report", "version", 1,
                                     "traces", run->documents);
  if (!document) return;  // the only trace could not be read
  json_dumpf(document, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
  putchar('\n');
  json_decref(document);
}

int command_report(const options_t *options) {
  run_t run = {.options = options, .status = STATUS_DONE};
  char error[1024];
  page_t page = page_of(stdout);
  run.settings.strict_order = options->strict_order;
  run.settings.lints_allowed = options->lints_allowed;
  run.settings.lints_warned = options->lints_warned;
  if (options->suppressions && !(run.settings.suppressions = suppressions_read(
                                     options->suppressions, error, sizeof error))) {
    command_complain("%s", error);
    return STATUS_USAGE;
  }
  if (options->csv_folder && !folder_make(options->csv_folder, error, sizeof error)) {
    trouble(&run, error);
    return run.status;
  }
  if (options->format == OPTIONS_JSON) run.documents = json_array();
  for (size_t i = 0; i < options->trace_count; i++)
    if (options->csv_folder)
      report_tables(&run, i);
    else
      report_shown(&run, &page, i);
  if (run.documents) documents_print(&run);
  json_decref(run.documents);
  suppressions_free(run.settings.suppressions);
  if (run.status == STATUS_DONE && run.found & options->fail_on) return STATUS_FOUND;
  return run.status;
}
