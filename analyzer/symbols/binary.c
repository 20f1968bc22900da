// SPDX-License-Identifier: Apache-2.0
// The file behind a module. See the header.
#include "analyzer/symbols/binary.h"

#include "analyzer/symbols/lines.h"
#include "analyzer/symbols/variables.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEBUG_FOLDER "/usr/lib/debug/.build-id"
enum { BUILD_ID_MIN = 3, VDSO_SIZE_MAX = 64 << 10 };

// ---- finding the file ------------------------------------------------------------------------

static int regular_open(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  struct stat status;
  if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))) {
    close(fd);
    errno = EINVAL;
    return -1;
  }
  return fd;
}

static bool module_is_vdso(const reader_module_t *module) {
  return strcmp(module->path, "[vdso]") == 0 || strncmp(module->path, "linux-vdso", 10) == 0;
}

// This process' own: the same file where kernel and build id are the same.
static int vdso_open(void) {
  const uint8_t *image = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
  int fd = image ? memfd_create("vdso", MFD_CLOEXEC) : -1;
  if (fd < 0) return -1;
  size_t page = (size_t)sysconf(_SC_PAGESIZE), size = 0;
  // Whole pages until the kernel says that there is no more.
  while (size < VDSO_SIZE_MAX && write(fd, image + size, page) == (ssize_t)page) size += page;
  return fd;
}

// The separate debug file of a build id has the same symbols and addresses as the file itself.
static int debug_open(const reader_module_t *module) {
  if (module->build_id_length < BUILD_ID_MIN) return -1;
  char path[sizeof DEBUG_FOLDER + 2 * sizeof module->build_id + sizeof "//.debug"];
  char *next = path + sprintf(path, "%s/%02x/", DEBUG_FOLDER, module->build_id[0]);
  for (size_t i = 1; i < module->build_id_length; i++)
    next += sprintf(next, "%02x", module->build_id[i]);
  strcpy(next, ".debug");
  return regular_open(path);
}

// Whether the file has the build id that was recorded, as far as one was.
static bool file_matches(const reader_module_t *module, int fd) {
  if (module->build_id_length == 0) return true;
  Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
  const void *build_id;
  ssize_t length = elf ? dwelf_elf_gnu_build_id(elf, &build_id) : -1;
  bool same = length > 0 && (size_t)length == module->build_id_length &&
              memcmp(build_id, module->build_id, (size_t)length) == 0;
  if (elf) elf_end(elf);
  return same;
}

static int file_find(const reader_module_t *module, memory_lines_t *warnings) {
  int fd = module_is_vdso(module) ? vdso_open() : regular_open(module->path);
  const char *fault = fd < 0 ? strerror(errno) : NULL;
  if (fd >= 0 && !file_matches(module, fd)) {
    close(fd);
    fault = "the file has changed since it was recorded";
  }
  if (!fault) return fd;
  fd = debug_open(module);
  if (fd >= 0 && file_matches(module, fd)) return fd;
  if (fd >= 0) close(fd);
  memory_lines_print(warnings, "%s: %s; its functions are shown as offsets", module->path, fault);
  return -1;
}

// ---- symbols ---------------------------------------------------------------------------------

static void table_add(symbols_table_t *table, const symbols_symbol_t *symbol) {
  table->symbols =
      memory_grow(table->symbols, &table->capacity, table->count + 1, sizeof *table->symbols);
  table->symbols[table->count++] = *symbol;
}

// Of names for one address the public one is shown, and of those the one with fewer underscores.
static uint8_t symbol_rank(const GElf_Sym *symbol, const char *name) {
  unsigned binding = GELF_ST_BIND(symbol->st_info);
  uint8_t rank = binding == STB_LOCAL ? 16 : binding == STB_WEAK ? 4 : 0;
  return (uint8_t)(rank + strspn(name, "_") % 4);
}

static void symbol_add(symbols_binary_t *binary, const GElf_Sym *symbol, GElf_Addr address,
                       const char *name) {
  symbols_symbol_t added = {.start = address - binary->dwfl_bias,
                            .size = symbol->st_size,
                            .name = name,
                            .rank = symbol_rank(symbol, name)};
  switch (GELF_ST_TYPE(symbol->st_info)) {
  case STT_FUNC:
  case STT_GNU_IFUNC:
    table_add(&binary->functions, &added);
    break;
  case STT_OBJECT:
  case STT_COMMON:
    if (added.size > 0) table_add(&binary->variables, &added);
    break;
  case STT_NOTYPE:  // written in assembly
    if (name[0] != '.' && GELF_ST_BIND(symbol->st_info) != STB_LOCAL)
      table_add(&binary->functions, &added);
    break;
  default:
    break;
  }
}

static int symbol_compare(const void *left, const void *right) {
  const symbols_symbol_t *a = left, *b = right;
  if (a->start != b->start) return a->start < b->start ? -1 : 1;
  // The last of those at an address is found first.
  if (a->rank != b->rank) return a->rank > b->rank ? -1 : 1;
  return -strcmp(a->name, b->name);
}

static void symbols_read(symbols_binary_t *binary) {
  int count = dwfl_module_getsymtab(binary->dwfl_module);
  for (int i = 1; i < count; i++) {
    GElf_Sym symbol;
    GElf_Addr address;
    GElf_Word section;
    const char *name =
        dwfl_module_getsym_info(binary->dwfl_module, i, &symbol, &address, &section, NULL, NULL);
    if (!name || !*name || section == SHN_UNDEF || section == SHN_ABS) continue;
    symbol_add(binary, &symbol, address, name);
    if (GELF_ST_BIND(symbol.st_info) == STB_LOCAL) binary->has_all_symbols = true;
  }
  symbols_table_t *tables[] = {&binary->functions, &binary->variables};
  for (size_t i = 0; i < 2; i++)
    if (tables[i]->count)
      qsort(tables[i]->symbols, tables[i]->count, sizeof *tables[i]->symbols, symbol_compare);
}

const symbols_symbol_t *symbols_binary_find(const symbols_binary_t *binary,
                                            const symbols_table_t *table, uint64_t address) {
  size_t low = 0;
  for (size_t high = table->count; low < high;) {
    size_t middle = low + (high - low) / 2;
    if (table->symbols[middle].start <= address)
      low = middle + 1;
    else
      high = middle;
  }
  // Going back: a symbol may stand inside another. Few do, so a look at a few is enough.
  enum { LOOK_BACK = 64 };
  const symbols_symbol_t *sizeless = NULL;
  for (size_t i = low; i > 0 && low - i < LOOK_BACK; i--) {
    const symbols_symbol_t *symbol = &table->symbols[i - 1];
    if (address - symbol->start < symbol->size) return symbol;
    if (symbol->size == 0 && !sizeless && symbol->start == table->symbols[low - 1].start)
      sizeless = symbol;
  }
  return binary->has_all_symbols || (sizeless && sizeless->start == address) ? sizeless : NULL;
}

// ---- opening ---------------------------------------------------------------------------------

static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
};

// Takes `fd` over.
static bool dwfl_open(symbols_binary_t *binary, int fd) {
  binary->dwfl = dwfl_begin(&callbacks);
  if (!binary->dwfl) {
    close(fd);
    return false;
  }
  dwfl_report_begin(binary->dwfl);
  // At address 0: what dwfl is asked for is addresses of the file.
  binary->dwfl_module =
      dwfl_report_elf(binary->dwfl, binary->module->path, binary->module->path, fd, 0, true);
  if (!binary->dwfl_module) close(fd);
  dwfl_report_end(binary->dwfl, NULL, NULL);
  return binary->dwfl_module && dwfl_module_getelf(binary->dwfl_module, &binary->dwfl_bias) != NULL;
}

void symbols_binary_open(symbols_binary_t *binary, memory_lines_t *warnings) {
  if (binary->opened) return;
  binary->opened = true;
  int fd = file_find(binary->module, warnings);
  if (fd < 0) return;
  if (!dwfl_open(binary, fd)) {
    memory_lines_print(warnings, "%s: %s; its functions are shown as offsets", binary->module->path,
                       dwfl_errmsg(-1));
    dwfl_end(binary->dwfl);
    binary->dwfl = NULL;
    return;
  }
  symbols_read(binary);
  binary->lines = symbols_lines_open(binary);
}

void symbols_binary_close(symbols_binary_t *binary) {
  symbols_lines_close(binary->lines);
  symbols_variables_close(binary->places);
  free(binary->functions.symbols);
  free(binary->variables.symbols);
  if (binary->dwfl) dwfl_end(binary->dwfl);
}
