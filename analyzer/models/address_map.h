// SPDX-License-Identifier: Apache-2.0
// A map from 64-bit keys (addresses, handles, tokens) to values of one type: open addressing, one
// multiplication a look-up, values in the table itself, no tombstones left by removals.
#ifndef ANALYZER_MODELS_ADDRESS_MAP_H
#define ANALYZER_MODELS_ADDRESS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Made by ADDRESS_MAP(type); all zero is an empty map of uint64_t. A slot is the key (0: empty) and
// the value. count <= 3/4 of 1 << bits. The value's type is aligned to 8 at most.
typedef struct {
  unsigned char *slots;
  size_t count;
  unsigned bits;
  uint32_t slot_size;
} address_map_t;

#define ADDRESS_MAP(type)                                                                          \
  { .slot_size = (uint32_t)((sizeof(uint64_t) + sizeof(type) + 7) & ~(size_t)7) }

void address_map_clear(address_map_t *map);
// The value, NULL where there is none. Valid until the next put or remove. No key is 0.
void *address_map_get(const address_map_t *map, uint64_t key);
// The value, made of zeros where there was none. Valid until the next put or remove.
void *address_map_put(address_map_t *map, uint64_t key);
// True, and the value copied to *value (may be NULL), where there was one.
bool address_map_remove(address_map_t *map, uint64_t key, void *value);
// Visits all values in no order: the next one and its key; NULL at the end. *position starts at 0.
void *address_map_next(const address_map_t *map, size_t *position, uint64_t *key);

#endif
