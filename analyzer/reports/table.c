// SPDX-License-Identifier: Apache-2.0
// Text tables.
#include "analyzer/reports/table.h"

#include "analyzer/reading/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 2, INDENT = 2, FLEXIBLE_LEAST = 12, COLUMNS_MAX = 24 };

void table_open(table_t *table, const table_column_t *columns, size_t count) {
  *table = (table_t){.columns = columns, .column_count = count};
}

void table_put(table_t *table, const char *text) {
  table->cells =
      memory_grow(table->cells, &table->cell_capacity, table->cell_count + 1, sizeof *table->cells);
  char *cell = memory_text(text, strlen(text));
  table->cells[table->cell_count++] = page_clean(cell, strlen(text) + 1, text, 0);
}

// Takes what is too wide from the flexible columns, the widest first.
static void widths_fit(const table_t *table, size_t *widths, size_t limit) {
  for (;;) {
    size_t total = INDENT, widest = SIZE_MAX;
    for (size_t i = 0; i < table->column_count; i++) {
      total += widths[i] + (i ? GAP : 0);
      if (table->columns[i].flexible && (widest == SIZE_MAX || widths[i] > widths[widest]))
        widest = i;
    }
    if (total <= limit || widest == SIZE_MAX || widths[widest] <= FLEXIBLE_LEAST) return;
    widths[widest]--;
  }
}

static void widths_measure(const table_t *table, const page_t *page, size_t *widths) {
  for (size_t i = 0; i < table->column_count; i++)
    widths[i] = page_columns(table->columns[i].title);
  for (size_t i = 0; i < table->cell_count; i++) {
    size_t columns = page_columns(table->cells[i]);
    if (columns > widths[i % table->column_count]) widths[i % table->column_count] = columns;
  }
  if (page->width) widths_fit(table, widths, page->width);
}

static void cell_print(const page_t *page, const table_column_t *column, const char *text,
                       size_t width, bool last) {
  char cut[1024];
  size_t columns = page_columns(text);
  if (columns > width) {
    text = page_clean(cut, sizeof cut, text, width);
    columns = page_columns(text);
  }
  size_t fill = columns < width ? width - columns : 0;
  if (!column->left) fprintf(page->stream, "%*s", (int)fill, "");
  fputs(text, page->stream);
  if (column->left && !last) fprintf(page->stream, "%*s", (int)fill, "");
}

void table_print(const table_t *table, const page_t *page) {
  size_t widths[COLUMNS_MAX], count = table->column_count;
  widths_measure(table, page, widths);
  page_style(page, PAGE_FAINT);
  for (size_t i = 0; i < count; i++) {
    fprintf(page->stream, "%*s", i ? GAP : INDENT, "");
    cell_print(page, &table->columns[i], table->columns[i].title, widths[i], i + 1 == count);
  }
  page_style(page, PAGE_PLAIN);
  for (size_t i = 0; i < table->cell_count; i++) {
    size_t column = i % count;
    if (!column) fputc('\n', page->stream);
    fprintf(page->stream, "%*s", column ? GAP : INDENT, "");
    cell_print(page, &table->columns[column], table->cells[i], widths[column], column + 1 == count);
  }
  fputc('\n', page->stream);
}

void table_close(table_t *table) {
  for (size_t i = 0; i < table->cell_count; i++) free(table->cells[i]);
  free(table->cells);
  table->cells = NULL;
  table->cell_count = table->cell_capacity = 0;
}
