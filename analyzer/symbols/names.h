// SPDX-License-Identifier: Apache-2.0
// Names as people write them, each kept once.
#ifndef ANALYZER_SYMBOLS_NAMES_H
#define ANALYZER_SYMBOLS_NAMES_H

#include <stdint.h>

// All strings given out; they live until symbols_names_free. NULL is an empty set.
typedef struct symbols_name *symbols_names_t;

void symbols_names_free(symbols_names_t *names);
// The one copy of `text`.
const char *symbols_names_keep(symbols_names_t *names, const char *text);
const char *symbols_names_print(symbols_names_t *names, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// A C++ or Rust name demangled, any other as it is; versions (@GLIBC_2.2.5) are cut off.
const char *symbols_names_demangle(symbols_names_t *names, const char *symbol);

#endif
