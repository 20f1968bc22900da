// SPDX-License-Identifier: Apache-2.0
// Everything a report is made from: one trace, read to its end, with models, findings and names.
#ifndef ANALYZER_REPORTS_ANALYSIS_H
#define ANALYZER_REPORTS_ANALYSIS_H

#include "analyzer/findings/deadlocks.h"
#include "analyzer/findings/fail_on.h"
#include "analyzer/findings/lints.h"
#include "analyzer/findings/warnings.h"
#include "analyzer/reports/suppressions.h"
#include "analyzer/symbols/symbols.h"

typedef struct names names_t;

// How findings are judged and shown.
typedef struct {
  bool strict_order;             // see deadlocks_find
  suppressions_t *suppressions;  // NULL: none
  lint_settings_t lints;         // what is looked for
  uint32_t lints_warned;  // set of 1 << lint_kind_t that are warnings whatever their confidence
} analysis_settings_t;

typedef struct analysis {
  const char *path;  // as given
  reader_t *reader;
  models_t *models;
  symbols_t *symbols;
  deadlocks_t *deadlocks;
  warnings_t *warnings;
  names_t *names;
  uint32_t found;  // set of 1 << fail_on_kind_t
  uint32_t grave;  // of those, what the verdict names and whose sections come first
} analysis_t;

// Sees every event on its way to the models. May be NULL.
typedef void analysis_watch_t(void *context, const reader_t *reader, const reader_event_t *event);

// Reads `path` to its end; `settings` may be NULL. False with "FILE: offset N: what is wrong" in
// `error`; close either way.
bool analysis_open(analysis_t *analysis, const char *path, const analysis_settings_t *settings,
                   analysis_watch_t *watch, void *context, char *error, size_t size);
// The same traces read once more as one, for what is between their processes: threads, locks and
// deadlocks of two or more of them. No warnings, loops or tasks.
bool analysis_open_joined(analysis_t *analysis, const char *const *paths, uint32_t count,
                          const analysis_settings_t *settings, char *error, size_t size);
void analysis_close(analysis_t *analysis);

// True where a block allocated there is the loader's or libc's own: all frames are theirs (or the
// C++ library's, for what it sets up at start), or the inner ones are those of a function that
// keeps blocks for itself. False for what libc allocates and hands over (strdup, getline).
bool analysis_stack_is_runtime(const analysis_t *analysis, uint32_t stack);
// What the program itself left at exit: not the loader's blocks, nor libc's own.
typedef struct {
  uint64_t blocks, bytes;
  const heap_site_t *worst;  // with the most bytes, NULL where there is none
} analysis_left_t;
analysis_left_t analysis_left(const analysis_t *analysis);
// The findings' warnings, then those of the symbols, of which there are the more the more has been
// resolved: a report asks for them last.
typedef struct {
  size_t id;  // 1, 2, ...
  warning_severity_t severity;
  const char *text, *where;
  warning_lint_t lint;
} analysis_warning_t;
bool analysis_warning(const analysis_t *analysis, size_t index, analysis_warning_t *warning);
size_t analysis_warning_count(const analysis_t *analysis);
// Value of the first property "key=..." whose value begins with `prefix` (may be ""), or NULL.
const char *analysis_property(const analysis_t *analysis, const char *key, const char *prefix);
// Why there is nothing of a family (TRACE_FAMILY_*): what the recorder said, or that no call of it
// was made. NULL where there is something.
const char *analysis_absence(const analysis_t *analysis, unsigned family);
// "thread", "lock", "heap", ... as in not_seen and hooks.
const char *analysis_family_name(unsigned family);

#endif
