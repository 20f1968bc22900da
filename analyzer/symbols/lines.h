// SPDX-License-Identifier: Apache-2.0
// What the debug information of a file says of an address in it: function, inlined calls, lines.
#ifndef ANALYZER_SYMBOLS_LINES_H
#define ANALYZER_SYMBOLS_LINES_H

#include "analyzer/symbols/binary.h"

typedef struct symbols_lines symbols_lines_t;

// One function at an address. Strings belong to the file and are as it has them.
typedef struct {
  const char *name;  // linkage name, else plain name; NULL unknown
  bool is_linkage;
  const char *file;
  unsigned line;
} symbols_place_t;

// NULL where the file has no debug information.
symbols_lines_t *symbols_lines_open(const symbols_binary_t *binary);
void symbols_lines_close(symbols_lines_t *lines);
// The functions at `address` (of the file), the innermost first: all but the last are inlined into
// the next. Writes at most `limit`, returns how many; 0 where nothing is known.
size_t symbols_lines_find(symbols_lines_t *lines, uint64_t address, symbols_place_t *places,
                          size_t limit);

#endif
