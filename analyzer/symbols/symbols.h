// SPDX-License-Identifier: Apache-2.0
// From addresses to names, with elfutils, offline: functions, files, lines, inlined calls, and
// variables. A module without symbols still gives its name and the offset in the file.
#ifndef ANALYZER_SYMBOLS_SYMBOLS_H
#define ANALYZER_SYMBOLS_SYMBOLS_H

#include "analyzer/reading/reader.h"

typedef struct symbols symbols_t;

// One frame as people read it. Strings live as long as the symbols_t; NULL where unknown.
typedef struct {
  const char *function;  // demangled
  const char *file;
  unsigned line;
  const char *module;  // file name without its folder; "[unknown]" outside all modules
  uint64_t offset;     // of the call in the module's file (address - bias)
  bool inlined;        // the function was inlined into the next frame
} symbols_frame_t;

typedef struct {
  size_t count;
  const symbols_frame_t *frames;  // innermost first
} symbols_stack_t;

// Never fails: modules that are missing or changed on disk (build id differs) give offsets only,
// with a warning. `reader` must outlive it; to be used after the modules are known.
symbols_t *symbols_open(const reader_t *reader);
void symbols_close(symbols_t *symbols);

// The frames of a stack, inlined calls expanded; cached. Stack 0 gives no frames.
const symbols_stack_t *symbols_resolve_stack(symbols_t *symbols, uint32_t stack);
// The function that starts at or holds `address`, e.g. a start routine; "module+0x123" else.
const char *symbols_function(symbols_t *symbols, uint64_t address);
// The variable that holds `address`: "account_a", "table[3].lock" with debug information,
// "table+64" without; NULL where no data symbol covers it.
const char *symbols_variable(symbols_t *symbols, uint64_t address);
// "module+0x123" for an address inside a module's data or code, NULL outside all modules.
const char *symbols_place(symbols_t *symbols, uint64_t address);
// True where the frame belongs to the loader or to libc itself (their own allocations).
bool symbols_frame_is_runtime(const symbols_frame_t *frame);
const char *symbols_warning(const symbols_t *symbols, size_t index);

#endif
