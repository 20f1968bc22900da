// SPDX-License-Identifier: Apache-2.0
// The report as JSON. Keys are added, never renamed; times are integers in ns, sizes bytes.
#ifndef ANALYZER_REPORTS_JSON_H
#define ANALYZER_REPORTS_JSON_H

#include "analyzer/options.h"
#include "analyzer/reports/analysis.h"

#include <jansson.h>

// The report of one trace. The caller owns it.
json_t *json_report(const analysis_t *analysis, const options_t *options);

// What is between the processes of a joined analysis. The caller owns it.
json_t *json_joined(const analysis_t *analysis, const options_t *options);

// ---- its parts, one file each ------------------------------------------------------------------
json_t *json_trace(const analysis_t *analysis);
json_t *json_coverage(const analysis_t *analysis);
json_t *json_warnings(const analysis_t *analysis);
json_t *json_deadlocks(const analysis_t *analysis, bool all);
json_t *json_locks(const analysis_t *analysis);
json_t *json_conditions(const analysis_t *analysis);
json_t *json_critical_path(const analysis_t *analysis);
// Adds to a lock's object: blame, sites, what it was held across, convoys, share of the path.
void json_lock_contention(const analysis_t *analysis, const lock_t *lock, json_t *value);
// Sites that held a lock while others waited, "through": the lock they waited for themselves.
json_t *json_holders(const analysis_t *analysis, const site_table_t *sites);
json_t *json_task_totals(const analysis_t *analysis);
json_t *json_tasks(const analysis_t *analysis);
json_t *json_loops(const analysis_t *analysis);
json_t *json_wakers(const analysis_t *analysis);
json_t *json_pools(const analysis_t *analysis);
json_t *json_memory(const analysis_t *analysis);

// ---- values ------------------------------------------------------------------------------------
// A string; bytes that are no UTF-8 become U+FFFD. NULL gives null.
json_t *json_text(const char *text);
// An integer; what JSON integers cannot hold (over 2^63 - 1) becomes that.
json_t *json_number(uint64_t number);
json_t *json_address(uint64_t address);  // "0x7ffe1234"
// Frames, innermost first, without the recorder's own.
json_t *json_stack(const analysis_t *analysis, uint32_t stack);
// {"id", "tid", "name"}; null for none.
json_t *json_thread(const analysis_t *analysis, uint32_t thread);
// {"width_ns", "parts"}, without the empty parts at its end.
json_t *json_timeline(const timeline_t *timeline);
// {"count", "total", "p50", "p95", "p99", "max"}.
json_t *json_histogram(const histogram_t *histogram);
// [{"low", "high", "count"}].
json_t *json_buckets(const histogram_t *histogram);
// [{"site", "stack", "kind", "count", "total_ns", "max_ns"}], most first; kind only where told.
json_t *json_sites(const analysis_t *analysis, const site_table_t *sites);

#endif
