// SPDX-License-Identifier: Apache-2.0
// What was done with a lock from each call site: acquisitions, waits, holds; and what else its
// holders did meanwhile: the calls that blocked while they held it.
#ifndef ANALYZER_MODELS_LOCK_SITES_H
#define ANALYZER_MODELS_LOCK_SITES_H

#include "analyzer/models/address_map.h"
#include "analyzer/models/histogram.h"
#include "analyzer/models/threads.h"

typedef struct {
  uint32_t stack;  // of the acquiring call, 0: not taken
  uint64_t acquisitions, contended;
  histogram_t wait_ns;  // of those that waited
  histogram_t hold_ns;  // of those whose hold is timed, as in lock_t
} lock_site_t;

// Zero-initialised is empty and valid.
typedef struct {
  lock_site_t *items;
  uint32_t count, capacity;
  uint32_t last;        // looked up last: sites repeat
  address_map_t index;  // stack + 1 -> item + 1, once there are many
} lock_sites_t;

void lock_sites_clear(lock_sites_t *sites);
// The site's figures, begun if there were none. Valid until the next call.
lock_site_t *lock_sites_at(lock_sites_t *sites, uint32_t stack);
void lock_sites_merge(lock_sites_t *sites, const lock_sites_t *other);
// By falling time waited, then acquisitions. Nothing may be looked up afterwards.
void lock_sites_sort(lock_sites_t *sites);

// Calls of one kind from one site that blocked while the lock was held from one site.
typedef struct {
  uint32_t hold_stack, call_stack;  // call_stack 0: the call is recorded without one
  thread_state_t state;             // what it waited in
  uint64_t count, total_ns, max_ns;
  uint64_t waits, waited_ns;  // of others for the lock meanwhile
} lock_block_t;

typedef struct {
  lock_block_t *items;
  uint32_t count, capacity;
} lock_blocks_t;

// The longest of them during one hold: its row + 1, 0: none.
typedef struct {
  uint32_t row;
  uint64_t from, until;
} lock_blocked_t;

enum { LOCK_BLOCKS_MAX = 256 };  // kinds of such calls kept for a lock; later ones count for none

void lock_blocks_clear(lock_blocks_t *blocks);
// Index + 1 of the row, 0: too many.
uint32_t lock_blocks_at(lock_blocks_t *blocks, uint32_t hold_stack, uint32_t call_stack,
                        thread_state_t state);
void lock_blocks_merge(lock_blocks_t *blocks, const lock_blocks_t *other);
// By falling time that others waited, then by falling total.
void lock_blocks_sort(lock_blocks_t *blocks);

#endif
