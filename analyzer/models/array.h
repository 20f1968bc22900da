// SPDX-License-Identifier: Apache-2.0
// The one growable array of the models, and what happens when memory ends: the analysis cannot go
// on with half a model, so the program ends with a line on stderr.
#ifndef ANALYZER_MODELS_ARRAY_H
#define ANALYZER_MODELS_ARRAY_H

#include <stddef.h>
#include <stdint.h>

// There is no memory: says so and ends the program.
void array_end(void) __attribute__((noreturn));
// As realloc and calloc, but never return NULL for a size that is not 0.
void *array_resize(void *items, size_t count, size_t size);
void *array_zeroed(size_t count, size_t size);

// Makes room for `needed` items in an array whose capacity doubles; new items are zero.
void *array_reserve(void *items, uint32_t *capacity, uint32_t needed, size_t size);

// ARRAY_RESERVE(items, capacity, needed): the same for a typed pointer and its capacity.
#define ARRAY_RESERVE(items, capacity, needed)                                                     \
  do {                                                                                             \
    if ((needed) > (capacity))                                                                     \
      (items) = array_reserve((items), &(capacity), (needed), sizeof *(items));                    \
  } while (0)

#endif
