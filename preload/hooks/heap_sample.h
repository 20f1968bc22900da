// SPDX-License-Identifier: Apache-2.0
// Which blocks are in the sample: what the hooks of malloc and of the C++ operators share.
#ifndef PRELOAD_HOOKS_HEAP_SAMPLE_H
#define PRELOAD_HOOKS_HEAP_SAMPLE_H

#include "formats/sampling.h"
#include "preload/lane.h"
#include "preload/sampled_blocks.h"
#include "preload/sampler.h"

// Of the calling thread. 16 bytes.
extern __thread sampler_t heap_sampler __attribute__((tls_model("initial-exec")));

static inline bool heap_is_sampled(void) { return recorder_families.heap == RECORDER_HEAP_SAMPLED; }

// The fast half of the draw: true where the block to come is not in the sample.
static inline bool heap_sample_passes(size_t size) {
  return likely(sampler_passes(&heap_sampler, trace_sampling_bytes(size)));
}
// The slow half, for what did not pass.
static inline bool heap_sample_hits(size_t size) {
  return sampler_hits(&heap_sampler, trace_sampling_bytes(size), recorder_heap_distance);
}

// A drawn block was given. False where the set of sampled blocks has no place for it: counted.
static inline bool heap_sample_keeps(lane_t *lane, const void *block) {
  if (sampled_blocks_add((uintptr_t)block)) return true;
  lane_count_lost(lane, TRACE_ALLOCATE);
  return false;
}

#endif
