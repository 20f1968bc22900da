// SPDX-License-Identifier: Apache-2.0
// Names as people write them, each kept once. See the header.
#include "analyzer/symbols/names.h"

#include "analyzer/reading/memory.h"

#include <libiberty/demangle.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

// Longer symbols are shown mangled: demangling takes time and memory that grow with the nesting.
enum { MANGLED_MAX = 4096 };

typedef struct symbols_name {
  UT_hash_handle hh;
  char text[];
} symbols_name_t;

void symbols_names_free(symbols_names_t *names) {
  symbols_name_t *name, *next;
  HASH_ITER(hh, *names, name, next) {
    HASH_DEL(*names, name);
    free(name);
  }
}

const char *symbols_names_keep(symbols_names_t *names, const char *text) {
  symbols_name_t *known;
  size_t length = strlen(text);
  HASH_FIND(hh, *names, text, length, known);
  if (known) return known->text;
  known = memory_new(1, sizeof *known + length + 1);
  memcpy(known->text, text, length + 1);
  HASH_ADD_KEYPTR(hh, *names, known->text, length, known);
  return known->text;
}

const char *symbols_names_print(symbols_names_t *names, const char *format, ...) {
  va_list arguments;
  char *text = NULL;
  va_start(arguments, format);
  if (vasprintf(&text, format, arguments) < 0) text = NULL;
  va_end(arguments);
  const char *kept = symbols_names_keep(names, memory_require(text));
  free(text);
  return kept;
}

const char *symbols_names_demangle(symbols_names_t *names, const char *symbol) {
  size_t length = strcspn(symbol, "@");
  if (length == 0) return symbols_names_keep(names, symbol);
  char *plain = memory_text(symbol, length), *readable = NULL;
  if (length <= MANGLED_MAX && plain[0] == '_')
    readable = cplus_demangle(plain, DMGL_PARAMS | DMGL_ANSI | DMGL_AUTO);
  const char *kept = symbols_names_keep(names, readable ? readable : plain);
  free(readable);
  free(plain);
  return kept;
}
