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

static uint16_t slot_of(uint32_t number) { return (uint16_t)((number - 1) % STACKS_NUMBERS + 1); }

// The number before the first that is found.
static uint32_t before_first(const numbers_t *numbers) {
  const uint32_t oldest = numbers->last > STACKS_NUMBERS ? numbers->last - STACKS_NUMBERS : 0;
  return oldest > numbers->forgotten ? oldest : numbers->forgotten;
}

static void index_rebuild(numbers_t *numbers) {
  const uint32_t first = before_first(numbers) + 1;
  uint32_t bits = NUMBERS_INDEX_BITS_MIN;
  while (bits < NUMBERS_INDEX_BITS_MAX && 1u << bits < 2 * (numbers->last - first + 2)) bits++;
  memset(numbers->index, 0, sizeof *numbers->index << bits);
  for (uint32_t number = first; number <= numbers->last; number++) {
    const uint16_t slot = slot_of(number);
    const uint64_t hash = numbers->hashes[slot - 1];
    if (hash) numbers->index[place_find(numbers, hash, bits)] = slot;
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
  const uint32_t slot = numbers->index[place_find(numbers, hash, numbers->bits)];
  return slot ? numbers->last - (numbers->last - slot) % STACKS_NUMBERS : 0;
}

// Forgets whose hash has that place, which is the oldest number or one that is not found any more.
static void slot_clear(numbers_t *numbers, uint16_t slot) {
  const uint64_t hash = numbers->hashes[slot - 1];
  const uint32_t bits = numbers->bits;
  if (hash && bits) {
    numbers->bits = 0;
    fence();
    const uint32_t place = place_find(numbers, hash, bits);
    if (numbers->index[place] == slot) index_remove(numbers, place, bits);
  }
  numbers->hashes[slot - 1] = 0;
  fence();
  numbers->bits = bits;
}

uint32_t numbers_reserve(numbers_t *numbers) {
  slot_clear(numbers, slot_of(numbers->last + 1));
  return numbers->last + 1;
}

void numbers_give(numbers_t *numbers, uint32_t number, uint64_t hash) {
  numbers->last = number;
  fence();
  numbers->hashes[slot_of(number) - 1] = hash;
  fence();
  const bool full = numbers->bits < NUMBERS_INDEX_BITS_MAX &&
                    2 * (number - before_first(numbers)) > 1u << numbers->bits;
  if (full || !numbers->bits)
    index_rebuild(numbers);
  else
    numbers->index[place_find(numbers, hash, numbers->bits)] = slot_of(number);
}

void numbers_forget(numbers_t *numbers) {
  numbers->voids++;
  numbers->bits = 0;
  fence();
  numbers->forgotten = numbers->last;
}

void numbers_restart(numbers_t *numbers) {
  numbers_forget(numbers);
  fence();
  numbers->forgotten = 0;
  fence();
  numbers->last = 0;
}
