// SPDX-License-Identifier: Apache-2.0
// Places in variables from debug information. See the header.
#include "analyzer/symbols/variables.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { NESTING_MAX = 32, DIMENSIONS_MAX = 8 };

typedef struct {
  Dwarf_Addr start;
  Dwarf_Word size;
  Dwarf_Die die;
} variable_t;

struct symbols_variables {
  Dwarf_Addr shift;  // address in DWARF - address of the file
  variable_t *list;  // in order of addresses
  size_t count, capacity;
};

// ---- finding them ----------------------------------------------------------------------------

// The type without names and qualifiers. False where there is none.
static bool type_of(Dwarf_Die *die, Dwarf_Die *type) {
  Dwarf_Attribute attribute;
  return dwarf_formref_die(dwarf_attr_integrate(die, DW_AT_type, &attribute), type) &&
         dwarf_peel_type(type, type) == 0;
}

static bool address_of(Dwarf_Die *die, Dwarf_Addr *address) {
  Dwarf_Attribute attribute;
  Dwarf_Op *operations;
  size_t count;
  if (!dwarf_attr(die, DW_AT_location, &attribute) ||
      dwarf_getlocation(&attribute, &operations, &count) != 0 || count != 1 ||
      operations[0].atom != DW_OP_addr)
    return false;
  *address = operations[0].number;
  return true;
}

static void variable_add(symbols_variables_t *variables, Dwarf_Die *die) {
  Dwarf_Die type;
  Dwarf_Addr start;
  Dwarf_Word size;
  if (!address_of(die, &start) || !type_of(die, &type) || dwarf_aggregate_size(&type, &size) != 0)
    return;
  variables->list = memory_grow(variables->list, &variables->capacity, variables->count + 1,
                                sizeof *variables->list);
  variables->list[variables->count++] = (variable_t){start, size, *die};
}

// Variables in functions are not looked for: that would be a walk over everything.
static void variables_collect(symbols_variables_t *variables, Dwarf_Die *parent, unsigned depth) {
  Dwarf_Die child;
  if (depth > NESTING_MAX || dwarf_child(parent, &child) != 0) return;
  do {
    int tag = dwarf_tag(&child);
    if (tag == DW_TAG_variable)
      variable_add(variables, &child);
    else if (tag == DW_TAG_namespace || tag == DW_TAG_module)
      variables_collect(variables, &child, depth + 1);
  } while (dwarf_siblingof(&child, &child) == 0);
}

static int variable_compare(const void *left, const void *right) {
  const variable_t *a = left, *b = right;
  if (a->start != b->start) return a->start < b->start ? -1 : 1;
  return (a->size > b->size) - (a->size < b->size);
}

symbols_variables_t *symbols_variables_open(const symbols_binary_t *binary) {
  Dwarf_Addr bias;
  Dwarf *dwarf = dwfl_module_getdwarf(binary->dwfl_module, &bias);
  if (!dwarf) return NULL;
  symbols_variables_t *variables = memory_new(1, sizeof *variables);
  variables->shift = binary->dwfl_bias - bias;
  Dwarf_CU *cu = NULL;
  Dwarf_Die die;
  uint8_t type;
  while (dwarf_get_units(dwarf, cu, &cu, NULL, &type, &die, NULL) == 0)
    if (type == DW_UT_compile) variables_collect(variables, &die, 0);
  if (variables->count)
    qsort(variables->list, variables->count, sizeof *variables->list, variable_compare);
  return variables;
}

void symbols_variables_close(symbols_variables_t *variables) {
  if (!variables) return;
  free(variables->list);
  free(variables);
}

// ---- places in them --------------------------------------------------------------------------

// What is left to be written, and to be found.
typedef struct {
  char *text;
  size_t size, used;
  Dwarf_Word offset;  // in the part that has been reached
} place_t;

static void place_print(place_t *place, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void place_print(place_t *place, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(place->text + place->used, place->size - place->used, format, arguments);
  va_end(arguments);
  place->used += (size_t)length;
  if (place->used >= place->size) place->used = place->size - 1;
}

// How many elements a dimension has; 0 unknown.
static Dwarf_Word dimension_length(Dwarf_Die *range) {
  Dwarf_Attribute attribute;
  Dwarf_Word number;
  if (dwarf_formudata(dwarf_attr_integrate(range, DW_AT_count, &attribute), &number) == 0)
    return number;
  if (dwarf_formudata(dwarf_attr_integrate(range, DW_AT_upper_bound, &attribute), &number) == 0)
    return number + 1;
  return 0;
}

static size_t dimensions_read(Dwarf_Die *array, Dwarf_Word lengths[DIMENSIONS_MAX]) {
  Dwarf_Die child;
  size_t count = 0;
  if (dwarf_child(array, &child) != 0) return 0;
  do
    if (dwarf_tag(&child) == DW_TAG_subrange_type && count < DIMENSIONS_MAX)
      lengths[count++] = dimension_length(&child);
  while (dwarf_siblingof(&child, &child) == 0);
  return count;
}

// Enters the element of an array. `type` becomes that of the element.
static bool element_enter(Dwarf_Die *type, place_t *place) {
  Dwarf_Word lengths[DIMENSIONS_MAX], size;
  size_t count = dimensions_read(type, lengths);
  Dwarf_Die element;
  if (count == 0 || !type_of(type, &element) || dwarf_aggregate_size(&element, &size) != 0 ||
      size == 0)
    return false;
  Dwarf_Word index = place->offset / size, stride = 1;
  for (size_t i = 1; i < count; i++) {
    if (lengths[i] == 0 || stride > UINT32_MAX / lengths[i]) return false;
    stride *= lengths[i];
  }
  for (size_t i = 0; i < count; i++) {
    place_print(place, "[%" PRIu64 "]", index / stride);
    index %= stride;
    if (i + 1 < count) stride /= lengths[i + 1];
  }
  place->offset %= size;
  *type = element;
  return true;
}

// The member or base class that holds the offset, and where it begins.
static bool member_find(Dwarf_Die *type, Dwarf_Word offset, Dwarf_Die *member, Dwarf_Die *inner,
                        Dwarf_Word *start) {
  if (dwarf_child(type, member) != 0) return false;
  do {
    int tag = dwarf_tag(member);
    Dwarf_Attribute attribute;
    Dwarf_Word size;
    if (tag != DW_TAG_member && tag != DW_TAG_inheritance) continue;
    *start = 0;
    if (dwarf_attr(member, DW_AT_data_member_location, &attribute) &&
        dwarf_formudata(&attribute, start) != 0)
      continue;
    if (type_of(member, inner) && dwarf_aggregate_size(inner, &size) == 0 && offset >= *start &&
        offset - *start < size)
      return true;
  } while (dwarf_siblingof(member, member) == 0);
  return false;
}

static bool member_enter(Dwarf_Die *type, place_t *place) {
  Dwarf_Die member, inner;
  Dwarf_Word start;
  if (!member_find(type, place->offset, &member, &inner, &start)) return false;
  const char *name = dwarf_diename(&member);
  if (dwarf_tag(&member) == DW_TAG_member && name) {
    if (name[0] == '_') return false;
    place_print(place, ".%s", name);
  }
  place->offset -= start;
  *type = inner;
  return true;
}

static bool part_enter(Dwarf_Die *type, place_t *place) {
  switch (dwarf_tag(type)) {
  case DW_TAG_array_type:
    return element_enter(type, place);
  case DW_TAG_structure_type:
  case DW_TAG_class_type:
    return member_enter(type, place);
  default:
    return false;
  }
}

static const variable_t *variable_find(const symbols_variables_t *variables, Dwarf_Addr address) {
  size_t low = 0;
  for (size_t high = variables->count; low < high;) {
    size_t middle = low + (high - low) / 2;
    if (variables->list[middle].start <= address)
      low = middle + 1;
    else
      high = middle;
  }
  const variable_t *found = low > 0 ? &variables->list[low - 1] : NULL;
  return found && address - found->start < found->size ? found : NULL;
}

bool symbols_variables_place(const symbols_variables_t *variables, uint64_t start, uint64_t address,
                             char *text, size_t size) {
  if (!variables) return false;
  const variable_t *variable = variable_find(variables, address + variables->shift);
  if (!variable || variable->start != start + variables->shift) return false;
  Dwarf_Die die = variable->die, type;
  if (!type_of(&die, &type)) return false;
  place_t place = {text, size, 0, address - start};
  *text = '\0';
  for (unsigned depth = 0; depth < NESTING_MAX && part_enter(&type, &place);) depth++;
  if (place.offset) place_print(&place, "+%" PRIu64, place.offset);
  return true;
}
