// SPDX-License-Identifier: Apache-2.0
// Streams, colours, and text that is fit to be shown.
#include "analyzer/reports/page.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WIDTH_DEFAULT = 100, WIDTH_LEAST = 60 };

static bool colour_wanted(void) {
  const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
  return !(no && *no) && !(term && !strcmp(term, "dumb"));
}

page_t page_of(FILE *stream) {
  page_t page = {.stream = stream};
  int fd = fileno(stream);
  if (fd < 0 || !isatty(fd)) return page;
  struct winsize size;
  page.colour = colour_wanted();
  page.width = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : WIDTH_DEFAULT;
  if (page.width < WIDTH_LEAST) page.width = WIDTH_LEAST;
  return page;
}

void page_style(const page_t *page, page_style_t style) {
  static const char *const codes[] = {
      [PAGE_PLAIN] = "\033[0m",     [PAGE_HEADING] = "\033[1m", [PAGE_BAD] = "\033[1;31m",
      [PAGE_DOUBTFUL] = "\033[33m", [PAGE_GOOD] = "\033[32m",   [PAGE_FAINT] = "\033[2m",
  };
  if (page->colour) fputs(codes[style], page->stream);
}

void page_print(const page_t *page, page_style_t style, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  if (style != PAGE_PLAIN) page_style(page, style);
  vfprintf(page->stream, format, arguments);
  if (style != PAGE_PLAIN) page_style(page, PAGE_PLAIN);
  va_end(arguments);
}

void page_heading(const page_t *page, const char *title, const char *note) {
  fputc('\n', page->stream);
  page_print(page, PAGE_HEADING, "%s", title);
  if (note && *note) page_print(page, PAGE_PLAIN, "  %s", note);
  fputc('\n', page->stream);
}

void page_paragraph(const page_t *page, const char *first, const char *text) {
  size_t indent = page_columns(first), column = indent;
  size_t width = page->width ? page->width : WIDTH_DEFAULT;
  fputs(first, page->stream);
  for (bool begun = false; *text; begun = true) {
    char word[1024];
    size_t length = strcspn(text, " ");
    snprintf(word, sizeof word, "%.*s", (int)length, text);
    size_t columns = page_columns(word);
    if (begun && column + 1 + columns > width) {
      fprintf(page->stream, "\n%*s", (int)indent, "");
      column = indent;
    } else if (begun) {
      fputc(' ', page->stream);
      column++;
    }
    fputs(word, page->stream);
    column += columns;
    text += length + (text[length] == ' ');
  }
  fputc('\n', page->stream);
}

size_t page_character(const char *text) {
  const unsigned char *byte = (const unsigned char *)text;
  if (byte[0] >= 0x20 && byte[0] < 0x7f) return 1;
  size_t length = byte[0] >= 0xf0 && byte[0] <= 0xf4   ? 4
                  : byte[0] >= 0xe0 && byte[0] <= 0xef ? 3
                  : byte[0] >= 0xc2 && byte[0] <= 0xdf ? 2
                                                       : 0;
  for (size_t i = 1; i < length; i++)
    if ((byte[i] & 0xc0) != 0x80) return 0;
  if (length == 2 && byte[0] == 0xc2 && byte[1] < 0xa0) return 0;  // C1 controls
  if (length == 3 && byte[0] == 0xe0 && byte[1] < 0xa0) return 0;  // overlong
  if (length == 3 && byte[0] == 0xed && byte[1] > 0x9f) return 0;  // surrogates
  if (length == 4 && byte[0] == 0xf0 && byte[1] < 0x90) return 0;
  if (length == 4 && byte[0] == 0xf4 && byte[1] > 0x8f) return 0;
  return length;
}

char *page_clean(char *text, size_t size, const char *source, size_t limit) {
  size_t end = 0, columns = 0, cut = 0;  // cut: where the dots go when it turns out too long
  while (*source) {
    size_t length = page_character(source);
    size_t bytes = length ? length : 1;
    if (limit && columns == limit) break;
    if (end + bytes >= size) break;
    if (columns + 3 <= limit) cut = end;
    if (length)
      memmove(text + end, source, bytes);
    else
      text[end] = '?';
    source += bytes;
    end += bytes;
    columns++;
  }
  text[end] = '\0';
  if (*source && limit > 3 && columns == limit && cut + 4 <= size) strcpy(text + cut, "...");
  return text;
}

size_t page_columns(const char *text) {
  size_t columns = 0;
  for (; *text; text++) columns += ((unsigned char)*text & 0xc0) != 0x80;
  return columns;
}
