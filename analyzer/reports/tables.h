// SPDX-License-Identifier: Apache-2.0
// The report as CSV files in a folder, one a table.
#ifndef ANALYZER_REPORTS_TABLES_H
#define ANALYZER_REPORTS_TABLES_H

#include "analyzer/reports/analysis.h"
#include "analyzer/reports/csv.h"

// Writes all tables but events.csv into `folder`, which exists. True, or false with "FILE: what is
// wrong" in `error`.
bool tables_write(const analysis_t *analysis, const char *folder, bool all, char *error,
                  size_t size);
// Ends a file: true, or false with "FILE: what is wrong" in `error`. Releases `csv`.
bool tables_end(csv_t *csv, char *error, size_t size);

// ---- events.csv, which is written while the trace is read --------------------------------------
typedef struct {
  csv_t csv;
  uint64_t count;
} events_table_t;
// False where the file cannot be made; tables_end(&table->csv) is due in either case.
bool events_table_open(events_table_t *table, const char *folder);
// An analysis_watch_t; `table` is an events_table_t.
void events_table_add(void *table, const reader_t *reader, const reader_event_t *event);

#endif
