// SPDX-License-Identifier: Apache-2.0
// From addresses to names: finds the module, asks its file, and remembers the answer.
#include "analyzer/symbols/symbols.h"

#include "analyzer/symbols/lines.h"
#include "analyzer/symbols/names.h"
#include "analyzer/symbols/variables.h"

#include <inttypes.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uthash.h>

enum { PLACES_MAX = 64, NO_MODULE = UINT32_MAX };
#define ANY_TIME UINT64_MAX

// The frames of one call, inlined ones included.
typedef struct symbols_call {
  struct {
    uint64_t address;
    uint64_t module;
  } key;
  size_t count;
  symbols_frame_t *frames;
  UT_hash_handle hh;
} symbols_call_t;

struct symbols {
  const reader_t *reader;
  symbols_binary_t *binaries;  // by module
  size_t binary_count;
  symbols_names_t names;
  symbols_call_t *calls;
  symbols_stack_t **stacks;  // by stack; NULL: not resolved yet
  size_t stack_count;
  memory_lines_t warnings;
};

symbols_t *symbols_open(const reader_t *reader) {
  // libdwfl would ask servers for debug information if the environment names some. What a trace
  // holds is nobody else's business, and the same trace gives the same report everywhere.
  unsetenv("DEBUGINFOD_URLS");
  elf_version(EV_CURRENT);  // libelf refuses every file until it is told
  symbols_t *symbols = memory_new(1, sizeof *symbols);
  symbols->reader = reader;
  return symbols;
}

void symbols_close(symbols_t *symbols) {
  symbols_call_t *call, *next;
  HASH_ITER(hh, symbols->calls, call, next) {
    HASH_DEL(symbols->calls, call);
    free(call->frames);
    free(call);
  }
  for (size_t i = 0; i < symbols->stack_count; i++) {
    if (symbols->stacks[i]) free((void *)(uintptr_t)symbols->stacks[i]->frames);
    free(symbols->stacks[i]);
  }
  free(symbols->stacks);
  for (size_t i = 0; i < symbols->binary_count; i++) symbols_binary_close(&symbols->binaries[i]);
  free(symbols->binaries);
  symbols_names_free(&symbols->names);
  memory_lines_free(&symbols->warnings);
  free(symbols);
}

// ---- modules ---------------------------------------------------------------------------------

// The module that holds the address at that time; where none did, the one that did last.
static uint32_t module_find(const symbols_t *symbols, uint64_t address, uint64_t time) {
  uint32_t found = NO_MODULE;
  for (size_t i = reader_module_count(symbols->reader); i-- > 0;) {
    const reader_module_t *module = reader_module(symbols->reader, i);
    if (address < module->start || address >= module->end) continue;
    if (module->loaded <= time && time < module->unloaded) return (uint32_t)i;
    if (found == NO_MODULE) found = (uint32_t)i;
  }
  return found;
}

// Modules may become known while symbols are in use.
static symbols_binary_t *binary_at(symbols_t *symbols, uint32_t module) {
  size_t count = reader_module_count(symbols->reader);
  if (count > symbols->binary_count) {
    symbols->binaries =
        memory_require(reallocarray(symbols->binaries, count, sizeof *symbols->binaries));
    memset(symbols->binaries + symbols->binary_count, 0,
           (count - symbols->binary_count) * sizeof *symbols->binaries);
    symbols->binary_count = count;
  }
  symbols_binary_t *binary = &symbols->binaries[module];
  binary->module = reader_module(symbols->reader, module);
  return binary;
}

static symbols_binary_t *binary_of(symbols_t *symbols, uint32_t module) {
  symbols_binary_t *binary = binary_at(symbols, module);
  symbols_binary_open(binary, &symbols->warnings);
  return binary;
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

// A program may be started by another name than that of its file (redis-server is a link to
// redis-check-rdb): people know it by the name they used.
static bool module_is_program(const symbols_t *symbols, const reader_module_t *module) {
  struct stat program, file;
  const char *path = reader_summary(symbols->reader)->program;
  return path[0] == '/' && stat(path, &program) == 0 && stat(module->path, &file) == 0 &&
         program.st_dev == file.st_dev && program.st_ino == file.st_ino;
}

static const char *module_name(symbols_t *symbols, uint32_t number) {
  symbols_binary_t *binary = binary_at(symbols, number);
  if (!binary->name) {
    bool is_program = module_is_program(symbols, binary->module);
    const char *path = is_program ? reader_summary(symbols->reader)->program : binary->module->path;
    binary->name = symbols_names_keep(&symbols->names, base_name(path));
  }
  return binary->name;
}

// ---- calls and stacks ------------------------------------------------------------------------

static const char *symbol_name(symbols_t *symbols, const symbols_binary_t *binary,
                               uint64_t address) {
  const symbols_symbol_t *symbol = symbols_binary_find(binary, &binary->functions, address);
  return symbol ? symbols_names_demangle(&symbols->names, symbol->name) : NULL;
}

static const char *place_name(symbols_t *symbols, const symbols_place_t *place) {
  if (!place->name) return NULL;
  return place->is_linkage ? symbols_names_demangle(&symbols->names, place->name)
                           : symbols_names_keep(&symbols->names, place->name);
}

static void call_resolve(symbols_t *symbols, symbols_call_t *call, uint32_t module) {
  symbols_binary_t *binary = binary_of(symbols, module);
  uint64_t address = call->key.address - binary->module->bias;
  symbols_place_t places[PLACES_MAX];
  size_t count = symbols_lines_find(binary->lines, address, places, PLACES_MAX);
  bool known = count > 0;
  if (!known) places[count++] = (symbols_place_t){0};
  call->count = count;
  call->frames = memory_new(count, sizeof *call->frames);
  for (size_t i = 0; i < count; i++) {
    call->frames[i] = (symbols_frame_t){
        .function = place_name(symbols, &places[i]),
        .file = places[i].file ? symbols_names_keep(&symbols->names, places[i].file) : NULL,
        .line = places[i].line,
        .module = module_name(symbols, module),
        .offset = address,
        .inlined = i + 1 < count,
    };
  }
  symbols_frame_t *outermost = &call->frames[count - 1];
  if (!outermost->function) outermost->function = symbol_name(symbols, binary, address);
}

static const symbols_call_t *call_find(symbols_t *symbols, uint64_t address, uint32_t module) {
  symbols_call_t *call, wanted = {.key = {address, module}};
  HASH_FIND(hh, symbols->calls, &wanted.key, sizeof wanted.key, call);
  if (call) return call;
  call = memory_new(1, sizeof *call);
  call->key = wanted.key;
  if (module == NO_MODULE) {
    call->count = 1;
    call->frames = memory_new(1, sizeof *call->frames);
    *call->frames = (symbols_frame_t){.module = "[unknown]", .offset = address};
  } else {
    call_resolve(symbols, call, module);
  }
  HASH_ADD(hh, symbols->calls, key, sizeof call->key, call);
  return call;
}

static symbols_stack_t *stack_resolve(symbols_t *symbols, uint32_t number) {
  const reader_stack_t *stack = reader_stack(symbols->reader, number);
  symbols_frame_t *frames = NULL;
  size_t count = 0, capacity = 0;
  for (uint32_t i = 0; number != 0 && i < stack->count; i++) {
    // The call is before the address it returns to, which may be in the next function.
    uint64_t address = stack->frames[i] - 1;
    const symbols_call_t *call =
        call_find(symbols, address, module_find(symbols, address, stack->defined));
    frames = memory_grow(frames, &capacity, count + call->count, sizeof *frames);
    memcpy(frames + count, call->frames, call->count * sizeof *frames);
    count += call->count;
  }
  symbols_stack_t *resolved = memory_new(1, sizeof *resolved);
  resolved->count = count;
  resolved->frames = frames;
  return resolved;
}

const symbols_stack_t *symbols_resolve_stack(symbols_t *symbols, uint32_t stack) {
  size_t count = reader_stack_count(symbols->reader);
  if (stack >= count) stack = 0;
  if (count > symbols->stack_count) {
    symbols->stacks = memory_require(reallocarray(symbols->stacks, count, sizeof *symbols->stacks));
    memset(symbols->stacks + symbols->stack_count, 0,
           (count - symbols->stack_count) * sizeof *symbols->stacks);
    symbols->stack_count = count;
  }
  if (!symbols->stacks[stack]) symbols->stacks[stack] = stack_resolve(symbols, stack);
  return symbols->stacks[stack];
}

// ---- single addresses ------------------------------------------------------------------------

const char *symbols_place(symbols_t *symbols, uint64_t address) {
  uint32_t number = module_find(symbols, address, ANY_TIME);
  if (number == NO_MODULE) return NULL;
  const reader_module_t *module = reader_module(symbols->reader, number);
  return symbols_names_print(&symbols->names, "%s+0x%" PRIx64, module_name(symbols, number),
                             address - module->bias);
}

const char *symbols_function(symbols_t *symbols, uint64_t address) {
  uint32_t number = module_find(symbols, address, ANY_TIME);
  if (number == NO_MODULE) return symbols_names_print(&symbols->names, "0x%" PRIx64, address);
  symbols_binary_t *binary = binary_of(symbols, number);
  uint64_t offset = address - binary->module->bias;
  const char *name = symbol_name(symbols, binary, offset);
  if (name) return name;
  symbols_place_t places[PLACES_MAX];
  size_t count = symbols_lines_find(binary->lines, offset, places, PLACES_MAX);
  name = count ? place_name(symbols, &places[count - 1]) : NULL;
  return name ? name : symbols_place(symbols, address);
}

// The name without what the compiler put behind that of a static variable in a function: lock.0.
static const char *variable_name(symbols_t *symbols, const char *symbol) {
  const char *dot = strrchr(symbol, '.');
  if (dot && dot > symbol && dot[1] && strspn(dot + 1, "0123456789") == strlen(dot + 1))
    return symbols_names_print(&symbols->names, "%.*s", (int)(dot - symbol), symbol);
  return symbols_names_demangle(&symbols->names, symbol);
}

static bool place_in_variable(symbols_binary_t *binary, uint64_t start, uint64_t offset, char *text,
                              size_t size) {
  if (!binary->places_opened) {
    binary->places_opened = true;
    binary->places = symbols_variables_open(binary);
  }
  return symbols_variables_place(binary->places, start, offset, text, size);
}

const char *symbols_variable(symbols_t *symbols, uint64_t address) {
  uint32_t number = module_find(symbols, address, ANY_TIME);
  if (number == NO_MODULE) return NULL;
  symbols_binary_t *binary = binary_of(symbols, number);
  uint64_t offset = address - binary->module->bias;
  const symbols_symbol_t *symbol = symbols_binary_find(binary, &binary->variables, offset);
  if (!symbol) return NULL;
  const char *name = variable_name(symbols, symbol->name);
  char place[512];
  if (place_in_variable(binary, symbol->start, offset, place, sizeof place))
    return *place ? symbols_names_print(&symbols->names, "%s%s", name, place) : name;
  if (offset == symbol->start) return name;
  return symbols_names_print(&symbols->names, "%s+%" PRIu64, name, offset - symbol->start);
}

bool symbols_frame_is_runtime(const symbols_frame_t *frame) {
  static const char *const runtimes[] = {"ld-linux", "ld-2.",  "ld.so",      "ld64.so",  "libc.so",
                                         "libc-2.",  "libdl.", "libpthread", "libc.musl"};
  for (size_t i = 0; i < sizeof runtimes / sizeof *runtimes; i++)
    if (strncmp(frame->module, runtimes[i], strlen(runtimes[i])) == 0) return true;
  return false;
}

const char *symbols_warning(const symbols_t *symbols, size_t index) {
  return memory_lines_get(&symbols->warnings, index);
}
