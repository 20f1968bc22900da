// SPDX-License-Identifier: Apache-2.0
// Where text goes: a stream, whether it shows colours, and how wide it is. Everything that comes
// from the recorded program (names, paths, arguments) passes page_clean on its way here, so that
// no trace can send control sequences to somebody's terminal.
#ifndef ANALYZER_REPORTS_PAGE_H
#define ANALYZER_REPORTS_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef enum {
  PAGE_PLAIN,
  PAGE_HEADING,
  PAGE_BAD,
  PAGE_DOUBTFUL,
  PAGE_GOOD,
  PAGE_FAINT
} page_style_t;

typedef struct {
  FILE *stream;
  bool colour;
  size_t width;  // columns of the terminal; 0: no terminal, nothing is cut
} page_t;

// The page for a stream: colours and a width only where it is a terminal, no colours where
// NO_COLOR is set to anything but "" or TERM is "dumb".
page_t page_of(FILE *stream);

// Switches the style on; PAGE_PLAIN switches it off. Prints nothing where colour is off.
void page_style(const page_t *page, page_style_t style);
// printf in a style.
void page_print(const page_t *page, page_style_t style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// "LOCKS   note" with an empty line before it.
void page_heading(const page_t *page, const char *title, const char *note);

// Text in lines of at most the page's width (100 where it has none), broken at spaces: the first
// begins with `first`, the others with as many spaces.
void page_paragraph(const page_t *page, const char *first, const char *text);

// Text of at most `limit` columns (0: as it is): control characters and bytes that are no UTF-8
// become '?', what is too long ends in "...". Writes at most `size` bytes, terminated. Returns
// `text`.
char *page_clean(char *text, size_t size, const char *source, size_t limit);
// Columns that a clean text takes: its UTF-8 characters.
size_t page_columns(const char *text);
// Bytes of the UTF-8 character at `text`, 0 where none stands there. Believes nothing.
size_t page_character(const char *text);

#endif
