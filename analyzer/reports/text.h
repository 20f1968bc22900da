// SPDX-License-Identifier: Apache-2.0
// The report as text: for somebody whose service hangs at three in the morning. The first three
// lines say what this is, how much of it was seen, and what is wrong; then the sections, those in
// which something was found first.
#ifndef ANALYZER_REPORTS_TEXT_H
#define ANALYZER_REPORTS_TEXT_H

#include "analyzer/options.h"
#include "analyzer/reports/analysis.h"
#include "analyzer/reports/page.h"

typedef struct {
  const page_t *page;
  const analysis_t *analysis;
  const options_t *options;
} text_t;

// Prints the whole report of one trace.
void text_report(const text_t *text);

// Prints what is between the processes of a joined analysis.
void text_joined(const text_t *text);

// ---- sections, one file each -------------------------------------------------------------------
void text_summary(const text_t *text);
void text_deadlocks(const text_t *text);
void text_locks(const text_t *text);
void text_threads(const text_t *text);
// Parts of text_locks: the lock that costs most; what it was held across, and convoys; its
// figures by call site, where there are several; the path.
void text_contention(const text_t *text, const lock_t *lock);
void text_held_across(const text_t *text, const lock_t *lock);
void text_lock_sites(const text_t *text, const lock_t *lock);
void text_critical_path(const text_t *text);
void text_tasks(const text_t *text);
void text_loops(const text_t *text);
void text_pools(const text_t *text);
void text_memory(const text_t *text);
void text_warnings(const text_t *text);

// ---- what they share ---------------------------------------------------------------------------
enum { TEXT_FRAMES = 8 };  // frames shown of a stack, unless --top 0
// The frames of a stack, one a line, at most `limit` and a line that says how many more.
void text_stack(const text_t *text, const char *indent, uint32_t stack, size_t limit);
// "... and 12 more (--top 0 for all)", where `count` is more than was shown.
void text_more(const text_t *text, size_t count);
// Rows of `count` to be shown.
size_t text_rows(const text_t *text, size_t count);

#endif
