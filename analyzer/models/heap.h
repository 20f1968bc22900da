// SPDX-License-Identifier: Apache-2.0
// The heap: live blocks by address and totals by allocation site (stack).
//
//   live_blocks = allocations - frees, live_bytes accordingly, in total and for every site
//
// A moved or resized block (realloc) is a free at its old site and an allocation at the new one.
// Frees of blocks that were allocated before recording began count in unknown_frees alone.
//
// Where allocations were sampled, every count and sum is an estimate of what it would be with all
// of them recorded, rounded; `ever` and `live` have the standard errors. What a thread does between
// two allocations is not known then: nothing counts as temporary.
#ifndef ANALYZER_MODELS_HEAP_H
#define ANALYZER_MODELS_HEAP_H

#include "analyzer/models/estimate.h"
#include "analyzer/models/histogram.h"
#include "analyzer/reading/reader.h"

// One allocation site, i.e. one stack. Stack 0 gathers what had none.
typedef struct {
  uint32_t stack;
  uint64_t allocations, bytes;       // ever
  uint64_t live_blocks, live_bytes;  // now; at the end: what it leaves behind
  uint64_t peak_bytes;               // its own greatest live_bytes
  uint64_t at_peak_bytes;            // its live_bytes when the whole heap was at its peak
  uint64_t temporary;                // freed by the very next heap call of the same thread
  uint64_t peak_number;              // private: the heap peak that at_peak_bytes is valid for
  histogram_t lifetime_ns;           // of its freed blocks
  estimate_t ever, live;             // where sampled
  double peak_variance;              // of peak_bytes, where sampled
} heap_site_t;

typedef struct {
  uint64_t allocations, frees;  // realloc counts as one of each
  uint64_t reallocations;       // realloc calls that gave a block for a block
  uint64_t failed;              // realloc calls that failed
  uint64_t bytes_allocated;
  uint64_t live_bytes, live_blocks;
  uint64_t peak_bytes, peak_ns;  // when the peak was reached
  uint64_t temporary;
  uint64_t unknown_frees;  // blocks from before the record, or of a lost allocation
  uint64_t reused_early;   // reuse by another thread that was read before the free
  uint64_t lost;           // heap events missing: live counts are then upper bounds
  histogram_t sizes;       // requested sizes, bytes
  uint64_t distance;       // mean distance in bytes between samples; 0: everything was kept
  estimate_t ever, live;   // where sampled
  double peak_variance;    // of peak_bytes, where sampled
} heap_totals_t;

// A live block, for naming what lies in it.
typedef struct {
  uint64_t address, size;
  uint32_t stack;  // of its allocation
  uint64_t allocated_ns;
} heap_block_t;

typedef struct heap heap_t;

// `distance`: mean distance in bytes at which allocations were sampled, 0 where all were kept.
heap_t *heap_open(uint64_t distance);
void heap_close(heap_t *heap);
// Fetches what steps with these events will look up; at most HEAP_FETCH_MAX.
enum { HEAP_FETCH_MAX = 64 };
void heap_fetch(const heap_t *heap, const reader_event_t *events, size_t count);
// Returns true where the event ends the life of a block: *gone is the block as it was, so that
// whatever lay in it (locks) can be retired. `gone` may be NULL.
bool heap_step(heap_t *heap, const reader_event_t *event, heap_block_t *gone);
void heap_finish(heap_t *heap);

const heap_totals_t *heap_totals(const heap_t *heap);
// Sites in order of their stack number; sites that never allocated have allocations == 0.
uint32_t heap_site_limit(const heap_t *heap);
const heap_site_t *heap_site(const heap_t *heap, uint32_t stack);
// The live block that holds `address` (anywhere in it). False where none does.
bool heap_find(const heap_t *heap, uint64_t address, heap_block_t *block);

#endif
