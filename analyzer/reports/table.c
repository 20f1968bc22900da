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

enum { LEFT_OUT = 0 };  // width of a column that is not shown

// Takes what is too wide from the flexible columns, the widest first.
static void widths_fit(const table_t *table, size_t *widths, size_t limit) {
  for (;;) {
    size_t total = INDENT, widest = SIZE_MAX;
    for (size_t i = 0; i < table->column_count; i++) {
      total += widths[i] == LEFT_OUT ? 0 : widths[i] + (i ? GAP : 0);
      if (table->columns[i].flexible && (widest == SIZE_MAX || widths[i] > widths[widest]))
        widest = i;
    }
    if (total <= limit || widest == SIZE_MAX || widths[widest] <= FLEXIBLE_LEAST) return;
    widths[widest]--;
  }
}

static bool cell_says_something(const char *cell) {
  return *cell && strcmp(cell, "0") && strcmp(cell, "0 %") && strcmp(cell, "-");
}

static void widths_measure(const table_t *table, const page_t *page, size_t *widths) {
  bool said[COLUMNS_MAX] = {false};
  for (size_t i = 0; i < table->column_count; i++)
    widths[i] = page_columns(table->columns[i].title);
  for (size_t i = 0; i < table->cell_count; i++) {
    size_t columns = page_columns(table->cells[i]), column = i % table->column_count;
    if (columns > widths[column]) widths[column] = columns;
    said[column] |= cell_says_something(table->cells[i]);
  }
  for (size_t i = 0; i < table->column_count; i++)
    if (table->columns[i].optional && !said[i]) widths[i] = LEFT_OUT;
  if (page->width) widths_fit(table, widths, page->width);
}

// Prints a cell after `*blanks` spaces, and leaves those that fill it up to the next one, so that
// no line ends in spaces.
static void cell_print(const page_t *page, const table_column_t *column, const char *text,
                       size_t width, size_t *blanks) {
  char cut[1024];
  size_t columns = page_columns(text);
  if (width == LEFT_OUT) {
    *blanks -= GAP;
    return;
  }
  if (columns > width) {
    text = page_clean(cut, sizeof cut, text, width);
    columns = page_columns(text);
  }
  size_t fill = columns < width ? width - columns : 0;
  if (!columns) {
    *blanks += width;
    return;
  }
  fprintf(page->stream, "%*s%s", (int)(*blanks + (column->left ? 0 : fill)), "", text);
  *blanks = column->left ? fill : 0;
}

static void titles_print(const table_t *table, const page_t *page, const size_t *widths) {
  size_t blanks = INDENT;
  page_style(page, PAGE_FAINT);
  for (size_t i = 0; i < table->column_count; i++, blanks += GAP)
    cell_print(page, &table->columns[i], table->columns[i].title, widths[i], &blanks);
  page_style(page, PAGE_PLAIN);
  fputc('\n', page->stream);
}

void table_print(const table_t *table, const page_t *page) {
  size_t widths[COLUMNS_MAX], blanks = INDENT;
  widths_measure(table, page, widths);
  titles_print(table, page, widths);
  for (size_t i = 0; i < table->cell_count; i++, blanks += GAP) {
    size_t column = i % table->column_count;
    if (!column) blanks = INDENT;
    cell_print(page, &table->columns[column], table->cells[i], widths[column], &blanks);
    if (column + 1 == table->column_count) fputc('\n', page->stream);
  }
}

void table_close(table_t *table) {
  for (size_t i = 0; i < table->cell_count; i++) free(table->cells[i]);
  free(table->cells);
  table->cells = NULL;
  table->cell_count = table->cell_capacity = 0;
}
