// SPDX-License-Identifier: Apache-2.0
// A map from 64-bit keys (addresses, handles, tokens) to 64-bit values: open addressing, one
// multiplication a look-up, no memory per entry, entries deleted without leaving tombstones.
#ifndef ANALYZER_MODELS_ADDRESS_MAP_H
#define ANALYZER_MODELS_ADDRESS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint64_t key;  // 0: the slot is empty
  uint64_t value;
} address_slot_t;

// Zero-initialised is empty and valid. Keys are not 0. count <= 3/4 of 1 << bits.
typedef struct {
  address_slot_t *slots;
  size_t count;
  unsigned bits;
} address_map_t;

void address_map_clear(address_map_t *map);
// Place of the value, NULL where there is none. Valid until the next put or remove.
uint64_t *address_map_get(const address_map_t *map, uint64_t key);
// Place of the value, made as 0 where there was none. Valid until the next put or remove.
uint64_t *address_map_put(address_map_t *map, uint64_t key);
// True, and the value in *value (may be NULL), where there was one.
bool address_map_remove(address_map_t *map, uint64_t key, uint64_t *value);
// Visits all entries in no order. *position starts at 0. False at the end.
bool address_map_next(const address_map_t *map, size_t *position, address_slot_t *slot);

#endif
