// SPDX-License-Identifier: Apache-2.0
// What the debug information of a file says of an address in it. See the header.
//
// Units and their functions are put in order of addresses once; .debug_aranges is not used, since
// not every compiler writes it.
#include "analyzer/symbols/lines.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>

enum { NESTING_MAX = 64, INLINED_MAX = 64 };

// [low, high) belongs to the unit or function with that index.
typedef struct {
  Dwarf_Addr low, high;
  size_t index;
} range_t;

typedef struct {
  range_t *ranges;
  size_t count, capacity;
} ranges_t;

typedef struct {
  Dwarf_Die die;
  Dwarf_Die *functions;
  size_t function_count, function_capacity;
  ranges_t ranges;  // of its functions
  bool read;
} unit_t;

struct symbols_lines {
  Dwarf_Addr shift;  // address in DWARF - address of the file
  unit_t *units;
  size_t unit_count, unit_capacity;
  ranges_t ranges;  // of units
};

// ---- ranges ----------------------------------------------------------------------------------

static void range_add(ranges_t *ranges, Dwarf_Addr low, Dwarf_Addr high, size_t index) {
  if (high <= low) return;
  ranges->ranges =
      memory_grow(ranges->ranges, &ranges->capacity, ranges->count + 1, sizeof *ranges->ranges);
  ranges->ranges[ranges->count++] = (range_t){low, high, index};
}

// False where the entry has no addresses.
static bool ranges_add_die(ranges_t *ranges, Dwarf_Die *die, size_t index) {
  Dwarf_Addr base, low, high;
  size_t before = ranges->count;
  for (ptrdiff_t at = 0; (at = dwarf_ranges(die, at, &base, &low, &high)) > 0;)
    range_add(ranges, low, high, index);
  return ranges->count > before;
}

static int range_compare(const void *left, const void *right) {
  const range_t *a = left, *b = right;
  if (a->low != b->low) return a->low < b->low ? -1 : 1;
  if (a->high != b->high) return a->high > b->high ? -1 : 1;
  return (a->index > b->index) - (a->index < b->index);
}

static void ranges_sort(ranges_t *ranges) {
  if (ranges->count) qsort(ranges->ranges, ranges->count, sizeof *ranges->ranges, range_compare);
}

// The range with the greatest low end that holds the address, NULL without.
static const range_t *range_find(const ranges_t *ranges, Dwarf_Addr address) {
  size_t low = 0;
  for (size_t high = ranges->count; low < high;) {
    size_t middle = low + (high - low) / 2;
    if (ranges->ranges[middle].low <= address)
      low = middle + 1;
    else
      high = middle;
  }
  enum { LOOK_BACK = 16 };  // ranges seldom overlap
  for (size_t i = low; i > 0 && low - i < LOOK_BACK; i--)
    if (address < ranges->ranges[i - 1].high) return &ranges->ranges[i - 1];
  return NULL;
}

// ---- units and functions ---------------------------------------------------------------------

static bool tag_holds_functions(int tag) {
  return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_class_type ||
         tag == DW_TAG_structure_type || tag == DW_TAG_union_type;
}

static void functions_collect(unit_t *unit, Dwarf_Die *parent, unsigned depth) {
  Dwarf_Die child;
  if (depth > NESTING_MAX || dwarf_child(parent, &child) != 0) return;
  do {
    int tag = dwarf_tag(&child);
    if (tag == DW_TAG_subprogram) {
      if (!ranges_add_die(&unit->ranges, &child, unit->function_count)) continue;
      unit->functions = memory_grow(unit->functions, &unit->function_capacity,
                                    unit->function_count + 1, sizeof *unit->functions);
      unit->functions[unit->function_count++] = child;
    } else if (tag_holds_functions(tag)) {
      functions_collect(unit, &child, depth + 1);
    }
  } while (dwarf_siblingof(&child, &child) == 0);
}

static void unit_read(unit_t *unit) {
  if (unit->read) return;
  unit->read = true;
  Dwarf_Die split;
  uint8_t type;
  bool is_split = dwarf_cu_info(unit->die.cu, NULL, &type, NULL, &split, NULL, NULL, NULL) == 0 &&
                  type == DW_UT_skeleton && split.addr;
  functions_collect(unit, is_split ? &split : &unit->die, 0);
  ranges_sort(&unit->ranges);
}

// A unit that does not say where its code is has to be read.
static void unit_add(symbols_lines_t *lines, const Dwarf_Die *die) {
  lines->units =
      memory_grow(lines->units, &lines->unit_capacity, lines->unit_count + 1, sizeof *lines->units);
  size_t index = lines->unit_count++;
  unit_t *unit = &lines->units[index];
  *unit = (unit_t){.die = *die};
  if (ranges_add_die(&lines->ranges, &unit->die, index)) return;
  unit_read(unit);
  for (size_t i = 0; i < unit->ranges.count; i++)
    range_add(&lines->ranges, unit->ranges.ranges[i].low, unit->ranges.ranges[i].high, index);
}

symbols_lines_t *symbols_lines_open(const symbols_binary_t *binary) {
  Dwarf_Addr bias;
  Dwarf *dwarf = dwfl_module_getdwarf(binary->dwfl_module, &bias);
  if (!dwarf) return NULL;
  symbols_lines_t *lines = memory_new(1, sizeof *lines);
  lines->shift = binary->dwfl_bias - bias;
  Dwarf_CU *cu = NULL;
  Dwarf_Die die;
  uint8_t type;
  while (dwarf_get_units(dwarf, cu, &cu, NULL, &type, &die, NULL) == 0)
    if (type == DW_UT_compile || type == DW_UT_skeleton) unit_add(lines, &die);
  ranges_sort(&lines->ranges);
  return lines;
}

void symbols_lines_close(symbols_lines_t *lines) {
  if (!lines) return;
  for (size_t i = 0; i < lines->unit_count; i++) {
    free(lines->units[i].functions);
    free(lines->units[i].ranges.ranges);
  }
  free(lines->units);
  free(lines->ranges.ranges);
  free(lines);
}

// ---- one address -----------------------------------------------------------------------------

static void name_find(Dwarf_Die *function, symbols_place_t *place) {
  Dwarf_Attribute attribute;
  if (dwarf_attr_integrate(function, DW_AT_linkage_name, &attribute) ||
      dwarf_attr_integrate(function, DW_AT_MIPS_linkage_name, &attribute)) {
    place->name = dwarf_formstring(&attribute);
    place->is_linkage = place->name != NULL;
  }
  if (!place->name) place->name = dwarf_diename(function);
}

// The entry among the children of `scope` that holds the address and may hold inlined calls.
static bool scope_enter(Dwarf_Die *scope, Dwarf_Addr address, Dwarf_Die *inner) {
  if (dwarf_child(scope, inner) != 0) return false;
  do {
    int tag = dwarf_tag(inner);
    if ((tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
         tag == DW_TAG_try_block || tag == DW_TAG_catch_block) &&
        dwarf_haspc(inner, address) > 0)
      return true;
  } while (dwarf_siblingof(inner, inner) == 0);
  return false;
}

// The function and what is inlined in it at the address, outermost first.
static size_t calls_collect(const Dwarf_Die *function, Dwarf_Addr address,
                            Dwarf_Die calls[INLINED_MAX]) {
  size_t count = 0;
  Dwarf_Die scope = *function, inner;
  calls[count++] = scope;
  for (unsigned depth = 0; depth < NESTING_MAX && scope_enter(&scope, address, &inner); depth++) {
    if (dwarf_tag(&inner) == DW_TAG_inlined_subroutine && count < INLINED_MAX)
      calls[count++] = inner;
    scope = inner;
  }
  return count;
}

// Where an inlined function was called.
static void call_site(unit_t *unit, Dwarf_Die *call, symbols_place_t *place) {
  Dwarf_Attribute attribute;
  Dwarf_Word number;
  Dwarf_Files *files;
  size_t count;
  if (dwarf_formudata(dwarf_attr(call, DW_AT_call_line, &attribute), &number) == 0)
    place->line = (unsigned)number;
  if (dwarf_formudata(dwarf_attr(call, DW_AT_call_file, &attribute), &number) == 0 &&
      dwarf_getsrcfiles(&unit->die, &files, &count) == 0 && number < count)
    place->file = dwarf_filesrc(files, number, NULL, NULL);
}

static void line_find(unit_t *unit, Dwarf_Addr address, symbols_place_t *place) {
  Dwarf_Line *line = dwarf_getsrc_die(&unit->die, address);
  int number;
  if (!line) return;
  place->file = dwarf_linesrc(line, NULL, NULL);
  if (dwarf_lineno(line, &number) == 0) place->line = (unsigned)number;
}

size_t symbols_lines_find(symbols_lines_t *lines, uint64_t address, symbols_place_t *places,
                          size_t limit) {
  if (!lines || limit == 0) return 0;
  address += lines->shift;
  const range_t *range = range_find(&lines->ranges, address);
  if (!range) return 0;
  unit_t *unit = &lines->units[range->index];
  unit_read(unit);
  places[0] = (symbols_place_t){0};
  line_find(unit, address, &places[0]);
  const range_t *function = range_find(&unit->ranges, address);
  if (!function) return places[0].file ? 1 : 0;
  Dwarf_Die calls[INLINED_MAX];
  size_t count = calls_collect(&unit->functions[function->index], address, calls), used = 0;
  while (count > 0 && used < limit) {
    name_find(&calls[--count], &places[used++]);
    if (count == 0 || used == limit) break;
    places[used] = (symbols_place_t){0};
    call_site(unit, &calls[count], &places[used]);
  }
  return used;
}
