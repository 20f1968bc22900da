// SPDX-License-Identifier: Apache-2.0
// The file behind a module: found again, checked by its build id, its symbols sorted.
#ifndef ANALYZER_SYMBOLS_BINARY_H
#define ANALYZER_SYMBOLS_BINARY_H

#include "analyzer/reading/memory.h"
#include "analyzer/reading/reader.h"

#include <elfutils/libdwfl.h>

// Addresses in here are those of the file: address in the process - module bias.
typedef struct {
  uint64_t start, size;  // size 0: not known
  const char *name;      // as in the file
  uint8_t rank;          // which of several names is shown: the least
} symbols_symbol_t;

// Symbols of one sort in order of their addresses.
typedef struct {
  symbols_symbol_t *symbols;
  size_t count, capacity;
} symbols_table_t;

struct symbols_lines;
struct symbols_variables;

typedef struct {
  const reader_module_t *module;
  const char *name;  // as shown; kept by the owner of the binary
  bool opened;       // it was tried
  Dwfl *dwfl;        // NULL: there is no file to be believed
  Dwfl_Module *dwfl_module;
  GElf_Addr dwfl_bias;   // address in dwfl - address of the file
  bool has_all_symbols;  // not only those that the dynamic linker needs
  symbols_table_t functions, variables;
  struct symbols_lines *lines;
  struct symbols_variables *places;  // opened when the first variable is asked for
  bool places_opened;
} symbols_binary_t;

// Opens the file of `binary->module` and reads its symbols. Where it is missing or has changed, a
// line is added to `warnings`.
void symbols_binary_open(symbols_binary_t *binary, memory_lines_t *warnings);
void symbols_binary_close(symbols_binary_t *binary);

// The symbol that holds the address, NULL where none does. One whose size is not known holds what
// follows it up to the next symbol.
const symbols_symbol_t *symbols_binary_find(const symbols_binary_t *binary,
                                            const symbols_table_t *table, uint64_t address);

#endif
