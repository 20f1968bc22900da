// SPDX-License-Identifier: Apache-2.0
// The one growable array of the models.
#include "analyzer/models/array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_UNREADABLE = 3, FIRST_CAPACITY = 8 };

void array_end(void) {
  fputs("inspect-analyze: out of memory\n", stderr);
  exit(EXIT_UNREADABLE);
}

static void *check(void *memory, size_t count) {
  if (!memory && count) array_end();
  return memory;
}

void *array_resize(void *items, size_t count, size_t size) {
  return check(reallocarray(items, count, size), count);
}

void *array_zeroed(size_t count, size_t size) { return check(calloc(count, size), count); }

void *array_reserve(void *items, uint32_t *capacity, uint32_t needed, size_t size) {
  uint32_t grown = *capacity ? *capacity : FIRST_CAPACITY;
  while (grown < needed) grown = grown > UINT32_MAX / 2 ? UINT32_MAX : grown * 2;
  items = array_resize(items, grown, size);
  memset((char *)items + *capacity * size, 0, (grown - *capacity) * size);
  *capacity = grown;
  return items;
}
