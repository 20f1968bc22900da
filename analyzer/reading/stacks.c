// SPDX-License-Identifier: Apache-2.0
// Stacks of all lanes, each kept once. See the header.
#include "analyzer/reading/stacks.h"

#include "analyzer/reading/memory.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
  SLOTS_FIRST = 1024,
  CHUNK_WORDS = 64 << 10,
};

void reading_stacks_init(reading_stacks_t *table) {
  *table = (reading_stacks_t){.count = 1, .slot_count = SLOTS_FIRST};
  table->stacks = memory_grow(NULL, &table->capacity, 1, sizeof *table->stacks);
  table->stacks[0] = (reader_stack_t){0};
  table->slots = memory_new(table->slot_count, sizeof *table->slots);
}

void reading_stacks_free(reading_stacks_t *table) {
  for (size_t i = 0; i < table->chunk_count; i++) free(table->chunks[i]);
  free(table->chunks);
  free(table->stacks);
  free(table->slots);
  *table = (reading_stacks_t){0};
}

static uint64_t stack_hash(const uint64_t *frames, size_t count, bool truncated) {
  return XXH3_64bits_withSeed(frames, count * sizeof *frames, truncated);
}

static void slots_grow(reading_stacks_t *table) {
  size_t slot_count = table->slot_count * 2, mask = slot_count - 1;
  uint32_t *slots = memory_new(slot_count, sizeof *slots);
  for (uint32_t i = 1; i < table->count; i++) {
    const reader_stack_t *stack = &table->stacks[i];
    size_t slot = stack_hash(stack->frames, stack->count, stack->truncated) & mask;
    while (slots[slot]) slot = (slot + 1) & mask;
    slots[slot] = i;
  }
  free(table->slots);
  table->slots = slots;
  table->slot_count = slot_count;
}

static const uint64_t *frames_keep(reading_stacks_t *table, const uint64_t *frames, size_t count) {
  if (table->chunk_count == 0 || table->chunk_used + count > table->chunk_size) {
    table->chunks = memory_grow(table->chunks, &table->chunk_capacity, table->chunk_count + 1,
                                sizeof *table->chunks);
    table->chunk_size = count > CHUNK_WORDS ? count : CHUNK_WORDS;
    table->chunks[table->chunk_count++] = memory_new(table->chunk_size, sizeof *frames);
    table->chunk_used = 0;
  }
  uint64_t *kept = table->chunks[table->chunk_count - 1] + table->chunk_used;
  memcpy(kept, frames, count * sizeof *frames);
  table->chunk_used += count;
  return kept;
}

// Whether the addresses of a stack met before still mean what they meant.
static bool stack_still_means(const reader_stack_t *stack, const reading_modules_t *modules,
                              uint64_t time) {
  uint64_t earlier = stack->defined < time ? stack->defined : time;
  uint64_t later = stack->defined < time ? time : stack->defined;
  if (!reading_modules_changed(modules, earlier, later)) return true;
  for (uint32_t i = 0; i < stack->count; i++)
    if (!reading_modules_same(modules, stack->frames[i], earlier, later)) return false;
  return true;
}

uint32_t reading_stacks_add(reading_stacks_t *table, const reading_modules_t *modules,
                            const uint64_t *frames, size_t count, bool truncated, uint64_t time) {
  size_t mask = table->slot_count - 1;
  size_t slot = stack_hash(frames, count, truncated) & mask;
  for (; table->slots[slot]; slot = (slot + 1) & mask) {
    const reader_stack_t *stack = &table->stacks[table->slots[slot]];
    if (stack->count == count && stack->truncated == truncated &&
        memcmp(stack->frames, frames, count * sizeof *frames) == 0 &&
        stack_still_means(stack, modules, time))
      return table->slots[slot];
  }
  table->stacks =
      memory_grow(table->stacks, &table->capacity, table->count + 1, sizeof *table->stacks);
  uint32_t index = (uint32_t)table->count++;
  table->stacks[index] = (reader_stack_t){.count = (uint32_t)count,
                                          .truncated = truncated,
                                          .frames = frames_keep(table, frames, count),
                                          .defined = time};
  table->truncated += truncated;
  table->slots[slot] = index;
  if (table->count * 2 > table->slot_count) slots_grow(table);
  return index;
}

void reading_numbers_set(reading_numbers_t *numbers, uint32_t number, uint32_t stack) {
  size_t page = number >> READING_PAGE_BITS;
  if (page >= numbers->page_count) {
    size_t count = numbers->page_count;
    numbers->pages = memory_grow(numbers->pages, &count, page + 1, sizeof *numbers->pages);
    memset(numbers->pages + numbers->page_count, 0,
           (count - numbers->page_count) * sizeof *numbers->pages);
    numbers->page_count = count;
  }
  if (!numbers->pages[page]) numbers->pages[page] = memory_new(READING_PAGE_SIZE, sizeof(uint32_t));
  numbers->pages[page][number & (READING_PAGE_SIZE - 1)] = stack;
}

void reading_numbers_free(reading_numbers_t *numbers) {
  for (size_t i = 0; i < numbers->page_count; i++) free(numbers->pages[i]);
  free(numbers->pages);
  *numbers = (reading_numbers_t){0};
}
