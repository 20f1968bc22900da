// SPDX-License-Identifier: Apache-2.0
// The command without a word: analyses traces and writes text, JSON or CSV.
#include "analyzer/commands/commands.h"
#include "analyzer/models/address_map.h"
#include "analyzer/models/array.h"
#include "analyzer/reports/json.h"
#include "analyzer/reports/siblings.h"
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
  json_t *documents;     // with --format json
  json_t *joined;        // what is between the processes
  address_map_t places;  // of process-shared locks: key -> the first trace that met it, + 1
  bool together;         // two traces met the same lock
  uint32_t found;        // set of 1 << fail_on_kind_t, all traces together
  int status;            // of the worst trouble so far
} run_t;

static void trouble(run_t *run, const char *error) {
  command_complain("%s", error);
  run->status = STATUS_FILES;
}

// Locks that two of the traces share tie their processes together.
static void note_shared(run_t *run, const analysis_t *analysis, size_t i) {
  const locks_t *locks = models_locks(analysis->models);
  for (uint32_t id = 1; id < locks_limit(locks) && !run->together; id++) {
    const lock_t *lock = locks_get(locks, id);
    if (!lock || !lock->place) continue;
    uint64_t *first = address_map_put(&run->places, lock->place);
    if (!*first) *first = i + 1;
    run->together = *first != i + 1;
  }
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
  if (read) note_shared(run, &analysis, i);
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
  note_shared(run, &analysis, i);
  run->found |= analysis.found;
  analysis_close(&analysis);
}

// Reads all traces once more as one, where processes share locks.
static void report_joined(run_t *run, const page_t *page) {
  const options_t *options = run->options;
  size_t count = options->trace_count < READER_PARTS_MAX ? options->trace_count : READER_PARTS_MAX;
  char error[1024];
  analysis_t analysis;
  if (!run->together || run->status != STATUS_DONE) return;
  if (!analysis_open_joined(&analysis, options->traces, (uint32_t)count, &run->settings, error,
                            sizeof error)) {
    trouble(run, error);
    return;
  }
  if (options->format == OPTIONS_JSON)
    run->joined = json_joined(&analysis, options);
  else if (!options->csv_folder)
    text_joined(&(text_t){page, &analysis, options});
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
  if (run->joined) json_object_set(document, "between", run->joined);
  json_dumpf(document, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
  putchar('\n');
  json_decref(document);
}

// The reports of several traces wait until it is known what is between them.
static void reports_show(run_t *run, const page_t *page) {
  char *text = NULL;
  size_t length = 0;
  page_t later = *page;
  bool waits = run->options->trace_count > 1 && run->options->format == OPTIONS_TEXT;
  FILE *stream = waits ? open_memstream(&text, &length) : NULL;
  if (stream) later.stream = stream;
  for (size_t i = 0; i < run->options->trace_count; i++) report_shown(run, &later, i);
  if (stream) fclose(stream);
  report_joined(run, page);
  if (text && run->together) fputc('\n', page->stream);
  if (text) fwrite(text, 1, length, page->stream);
  free(text);
}

static void reports_make(run_t *run) {
  const page_t page = page_of(stdout);
  if (!run->options->csv_folder) {
    reports_show(run, &page);
    return;
  }
  for (size_t i = 0; i < run->options->trace_count; i++) report_tables(run, i);
  report_joined(run, &page);
}

static bool is_listed(const char *const *paths, size_t count, const char *path) {
  for (size_t i = 0; i < count; i++)
    if (!strcmp(paths[i], path)) return true;
  return false;
}

// With --all-processes: each trace and those of the same run beside it, once. The list is to be
// freed, and so are its strings.
static const char **family_expand(const options_t *options, size_t *count) {
  const char **all = NULL;
  *count = 0;
  for (size_t i = 0; i < options->trace_count; i++) {
    size_t found;
    char **paths = siblings_paths(options->traces[i], &found);
    all = array_resize(all, *count + found, sizeof *all);
    for (size_t j = 0; j < found; j++) {
      if (is_listed(all, *count, paths[j]))
        free(paths[j]);
      else
        all[(*count)++] = paths[j];
    }
    free(paths);
  }
  return all;
}

static int report_run(const options_t *options, suppressions_t *suppressions) {
  run_t run = {.options = options, .status = STATUS_DONE};
  char error[1024];
  run.settings = (analysis_settings_t){.strict_order = options->strict_order,
                                       .suppressions = suppressions,
                                       .lints = options->lints,
                                       .lints_warned = options->lints_warned};
  if (options->csv_folder && !folder_make(options->csv_folder, error, sizeof error)) {
    trouble(&run, error);
    return run.status;
  }
  if (options->format == OPTIONS_JSON) run.documents = json_array();
  reports_make(&run);
  if (run.documents) documents_print(&run);
  json_decref(run.documents);
  json_decref(run.joined);
  address_map_clear(&run.places);
  return run.status == STATUS_DONE && run.found & options->fail_on ? STATUS_FOUND : run.status;
}

int command_report(const options_t *options) {
  options_t family = *options;
  char error[1024];
  suppressions_t *suppressions = NULL;
  if (options->suppressions &&
      !(suppressions = suppressions_read(options->suppressions, error, sizeof error))) {
    command_complain("%s", error);
    return STATUS_USAGE;
  }
  if (options->all_processes) family.traces = family_expand(options, &family.trace_count);
  int status = report_run(&family, suppressions);
  for (size_t i = 0; options->all_processes && i < family.trace_count; i++)
    free((void *)(uintptr_t)family.traces[i]);
  if (options->all_processes) free(family.traces);
  suppressions_free(suppressions);
  return status;
}
