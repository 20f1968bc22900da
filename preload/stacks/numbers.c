// SPDX-License-Identifier: Apache-2.0
// Numbers of stacks.
#include "preload/stacks/numbers.h"

#include <string.h>

// Between two stores that a longjmp out of a signal handler must not find swapped.
static void fence(void) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

static uint32_t place_first(uint64_t hash, uint32_t bits) {
  return (uint32_t)(hash >> (64 - bits));
}
static uint32_t place_next(uint32_t place, uint32_t bits) {
  return (place + 1) & ((1u << bits) - 1);
}

// The place of the hash in the index, or the free one where it would go.
static uint32_t place_find(const numbers_t *numbers, uint64_t hash, uint32_t bits) {
  uint32_t place = place_first(hash, bits);
  while (numbers->index[place] && numbers->hashes[numbers->index[place] - 1] != hash)
    place = place_next(place, bits);
  return place;
}

static void index_rebuild(numbers_t *numbers) {
  uint32_t bits = NUMBERS_INDEX_BITS_MIN;
  while (bits < NUMBERS_INDEX_BITS_MAX && 1u << bits < 2 * (numbers->count + 1)) bits++;
  memset(numbers->index, 0, sizeof *numbers->index << bits);
  for (uint32_t number = 1; number <= numbers->count; number++) {
    uint64_t hash = numbers->hashes[number - 1];
    if (hash) numbers->index[place_find(numbers, hash, bits)] = (uint16_t)number;
  }
  fence();
  numbers->bits = bits;
}

// Takes a place out of the index, and moves up those that would no longer be found.
static void index_remove(numbers_t *numbers, uint32_t place, uint32_t bits) {
  const uint32_t mask = (1u << bits) - 1;
  for (uint32_t next = place_next(place, bits); numbers->index[next];
       next = place_next(next, bits)) {
    uint32_t first = place_first(numbers->hashes[numbers->index[next] - 1], bits);
    if (((next - first) & mask) < ((next - place) & mask)) continue;
    numbers->index[place] = numbers->index[next];
    place = next;
  }
  numbers->index[place] = 0;
}

uint32_t numbers_find(numbers_t *numbers, uint64_t hash) {
  if (!numbers->bits) index_rebuild(numbers);
  return numbers->index[place_find(numbers, hash, numbers->bits)];
}

uint32_t numbers_reserve(numbers_t *numbers) {
  if (numbers->count < STACKS_NUMBERS) return numbers->count + 1;
  uint32_t number = numbers->victim + 1, bits = numbers->bits;
  numbers->victim = number % STACKS_NUMBERS;
  numbers->evictions = (numbers->evictions + 1) % UINT32_MAX;  // never MEMO_OUTSIDE
  uint64_t hash = numbers->hashes[number - 1];
  if (!hash || !bits) {
    numbers->hashes[number - 1] = 0;
    return number;
  }
  numbers->bits = 0;
  fence();
  uint32_t place = place_find(numbers, hash, bits);
  if (numbers->index[place] == number) index_remove(numbers, place, bits);
  numbers->hashes[number - 1] = 0;
  fence();
  numbers->bits = bits;
  return number;
}

void numbers_give(numbers_t *numbers, uint32_t number, uint64_t hash) {
  numbers->hashes[number - 1] = hash;
  fence();
  if (number > numbers->count) numbers->count = number;
  fence();
  bool full = numbers->bits < NUMBERS_INDEX_BITS_MAX && 2 * numbers->count > 1u << numbers->bits;
  if (full || !numbers->bits)
    index_rebuild(numbers);
  else
    numbers->index[place_find(numbers, hash, numbers->bits)] = (uint16_t)number;
}

void numbers_forget(numbers_t *numbers) {
  numbers->bits = 0;
  fence();
  numbers->evictions = (numbers->evictions + 1) % UINT32_MAX;  // never MEMO_OUTSIDE
  numbers->count = numbers->victim = 0;
}
