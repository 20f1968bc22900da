// SPDX-License-Identifier: Apache-2.0
// Sampling of allocations: what recorder and analyzer agree on.
//
// Points lie on the line of all bytes that a thread allocates, one after the other, at random: the
// distance between two is exponential with the mean `distance` (a Poisson process). A block in
// which a point lies is in the sample, and stays in it for its whole life. So a block of `size`
// bytes is in the sample with the probability
//
//   p = 1 - exp(-(size + 1) / distance)
//
// independently of all others: large blocks nearly always, small ones in proportion to their size.
// The one byte more lets an empty block be drawn, too.
#ifndef FORMATS_SAMPLING_H
#define FORMATS_SAMPLING_H

#include <stdint.h>

// Of blocks of this size the part INSPECT_SAMPLING is kept (1 - exp(-rate), which is nearly the
// rate). It bounds what the sample costs by the byte: at 0.01 a point in 50 KiB, that is 20,000
// samples of some 100 ns for each GiB allocated; the total of 100 MiB is then known to 2.2 %.
enum { TRACE_SAMPLING_BLOCK = 512 };

// The mean distance in bytes at a rate above 0 and below 1; 0 for 1: everything is kept.
static inline uint64_t trace_sampling_distance(double rate) {
  return rate >= 1 ? 0 : (uint64_t)(TRACE_SAMPLING_BLOCK / rate + 0.5);
}

// What a block counts as on the line.
static inline uint64_t trace_sampling_bytes(uint64_t size) { return size + 1; }

#endif
