// SPDX-License-Identifier: Apache-2.0
// The order in which rows are shown: by what --sort asks for, else by what hurts most; ties by id,
// so that it is the same every run.
#ifndef ANALYZER_REPORTS_RANKING_H
#define ANALYZER_REPORTS_RANKING_H

#include "analyzer/options.h"
#include "analyzer/reports/analysis.h"

// Ids in the order to be shown. For ranking_free.
typedef struct {
  uint32_t *ids;
  size_t count;
} ranking_t;

// Locks by what their holding cost others, then acquisitions. Of traces that are read as one only
// those that processes share.
ranking_t ranking_locks(const analysis_t *analysis, options_sort_t sort);
// Threads: those that wait for a lock or a join at the end first, then by time waiting for locks,
// then running.
ranking_t ranking_threads(const analysis_t *analysis, options_sort_t sort);
// Allocation sites (stack numbers) that allocated, by live bytes, then bytes.
ranking_t ranking_sites(const analysis_t *analysis, options_sort_t sort);
// Descriptor tasks (indices for tasks_get) by longest poll, then running.
ranking_t ranking_tasks(const analysis_t *analysis, options_sort_t sort);
// Loops (indices for loops_get) by stalls' time, then events.
ranking_t ranking_loops(const analysis_t *analysis, options_sort_t sort);
// Conditions (indices for locks_condition) by total wait, then waits.
ranking_t ranking_conditions(const analysis_t *analysis, options_sort_t sort);
void ranking_free(ranking_t *ranking);

#endif
