// SPDX-License-Identifier: Apache-2.0
// Memory for facts. See the header.
#include "analyzer/reading/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GROW_FIRST = 16, STATUS_NO_MEMORY = 3 };

void *memory_require(void *memory) {
  if (memory) return memory;
  fputs("inspect-analyze: out of memory\n", stderr);
  exit(STATUS_NO_MEMORY);
}

void *memory_new(size_t count, size_t size) {
  return memory_require(calloc(count ? count : 1, size));
}

void *memory_grow(void *array, size_t *capacity, size_t wanted, size_t size) {
  if (wanted <= *capacity) return array;
  size_t grown = *capacity ? *capacity * 2 : GROW_FIRST;
  if (grown < wanted) grown = wanted;
  if (grown > SIZE_MAX / 2 / size) memory_require(NULL);
  *capacity = grown;
  return memory_require(realloc(array, grown * size));
}

char *memory_text(const char *text, size_t length) {
  char *copy = memory_new(length + 1, 1);
  memcpy(copy, text, length);
  return copy;
}

void memory_lines_add(memory_lines_t *list, char *line) {
  list->lines = memory_grow(list->lines, &list->capacity, list->count + 1, sizeof *list->lines);
  list->lines[list->count++] = line;
}

void memory_lines_print(memory_lines_t *list, const char *format, ...) {
  va_list arguments;
  char *line = NULL;
  va_start(arguments, format);
  if (vasprintf(&line, format, arguments) < 0) line = NULL;
  va_end(arguments);
  memory_lines_add(list, memory_require(line));
}

const char *memory_lines_get(const memory_lines_t *list, size_t index) {
  return index < list->count ? list->lines[index] : NULL;
}

void memory_lines_free(memory_lines_t *list) {
  for (size_t i = 0; i < list->count; i++) free(list->lines[i]);
  free(list->lines);
  *list = (memory_lines_t){0};
}
