// SPDX-License-Identifier: Apache-2.0
// Memory for facts. A reader that has none left cannot go on: these print one line and exit with
// status 3 instead of returning NULL. What depends on a number in a file is bounded before it
// gets here.
#ifndef ANALYZER_READING_MEMORY_H
#define ANALYZER_READING_MEMORY_H

#include <stddef.h>

// `memory`, unless it is NULL.
void *memory_require(void *memory);
// Zeroed; to be freed with free().
void *memory_new(size_t count, size_t size);
// `array` with room for at least `wanted` elements of `size` bytes; grows by doubling, new elements
// are not initialised. Updates *capacity.
void *memory_grow(void *array, size_t *capacity, size_t wanted, size_t size);
// A terminated copy of `length` bytes.
char *memory_text(const char *text, size_t length);

// Lines of text in order: properties, warnings. All-zero bytes are an empty list.
typedef struct {
  char **lines;
  size_t count, capacity;
} memory_lines_t;
void memory_lines_add(memory_lines_t *list, char *line);  // takes `line` over
void memory_lines_print(memory_lines_t *list, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
const char *memory_lines_get(const memory_lines_t *list, size_t index);  // NULL behind the last
void memory_lines_free(memory_lines_t *list);

#endif
