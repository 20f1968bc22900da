// SPDX-License-Identifier: Apache-2.0
// A table in text: columns as wide as what stands in them. Rows are collected first, then printed.
#ifndef ANALYZER_REPORTS_TABLE_H
#define ANALYZER_REPORTS_TABLE_H

#include "analyzer/reports/page.h"

typedef struct {
  const char *title;
  bool left;      // text; else a number, set to the right
  bool flexible;  // cut first where the page is too narrow
  bool optional;  // left out where no row has anything in it: "", "0", "0 %" or "-"
} table_column_t;

typedef struct {
  const table_column_t *columns;  // the caller's; must outlive the table
  size_t column_count;
  char **cells;  // rows one after the other
  size_t cell_count, cell_capacity;
} table_t;

// An empty table.
void table_open(table_t *table, const table_column_t *columns, size_t count);
// Puts the next cell, a copy of `text` made clean. Cells fill rows from left to right.
void table_put(table_t *table, const char *text);
// Titles and rows, each line indented by two. Fits the page's width if it has one.
void table_print(const table_t *table, const page_t *page);
void table_close(table_t *table);

#endif
