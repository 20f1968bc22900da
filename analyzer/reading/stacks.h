// SPDX-License-Identifier: Apache-2.0
// Stacks of all lanes, each kept once. A lane numbers its stacks for itself and may use a number
// again: what a number means is looked up where the record stands that names it.
#ifndef ANALYZER_READING_STACKS_H
#define ANALYZER_READING_STACKS_H

#include "analyzer/reading/modules.h"

// All stacks; index 0 is "none".
typedef struct {
  reader_stack_t *stacks;
  size_t count, capacity;
  uint32_t *slots;  // hash table of indices, 0 empty; slot_count is a power of two
  size_t slot_count;
  uint64_t **chunks;  // memory of the frames
  size_t chunk_count, chunk_capacity, chunk_used, chunk_size;
  uint64_t truncated;  // stacks marked so
} reading_stacks_t;

void reading_stacks_init(reading_stacks_t *table);
void reading_stacks_free(reading_stacks_t *table);
// The index of the stack with these frames at that time: the same index for the same frames, as
// long as the modules they lie in stayed.
uint32_t reading_stacks_add(reading_stacks_t *table, const reading_modules_t *modules,
                            const uint64_t *frames, size_t count, bool truncated, uint64_t time);

enum { READING_PAGE_BITS = 10, READING_PAGE_SIZE = 1 << READING_PAGE_BITS };

// What the numbers of one lane mean now. All-zero bytes are an empty map.
typedef struct {
  uint32_t **pages;
  size_t page_count;
} reading_numbers_t;
void reading_numbers_set(reading_numbers_t *numbers, uint32_t number, uint32_t stack);
// 0: not defined.
static inline uint32_t reading_numbers_get(const reading_numbers_t *numbers, uint32_t number) {
  size_t page = number >> READING_PAGE_BITS;
  if (page >= numbers->page_count || !numbers->pages[page]) return 0;
  return numbers->pages[page][number & (READING_PAGE_SIZE - 1)];
}
void reading_numbers_free(reading_numbers_t *numbers);

#endif
