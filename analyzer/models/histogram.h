// SPDX-License-Identifier: Apache-2.0
// Counts of values in buckets whose width grows with the value: powers of two, each in 32 equal
// parts, so that a bucket is at most 1/32 of its values wide (values below 64 are exact).
//
// Only the span of buckets between the least and the greatest value seen takes memory, so that a
// hundred thousand mostly empty histograms are affordable.
#ifndef ANALYZER_MODELS_HISTOGRAM_H
#define ANALYZER_MODELS_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Zero-initialised is empty and valid. Invariant: count = sum of counts[0..length).
typedef struct {
  uint64_t count;
  uint64_t total;    // exact sum of the values, saturating
  uint64_t min;      // exact; 0 while empty
  uint64_t max;      // exact; 0 while empty
  uint32_t *counts;  // of buckets [base, base + length); saturating
  uint16_t base, length;
} histogram_t;

typedef struct {
  uint64_t low, high;  // values in [low, high)
  uint64_t count;
} histogram_bucket_t;

// Releases the memory and makes it empty.
void histogram_clear(histogram_t *histogram);
// Adds `count` values that are all `value`.
void histogram_add_many(histogram_t *histogram, uint64_t value, uint64_t count);

enum { HISTOGRAM_SUB_BITS = 5, HISTOGRAM_SUB = 1 << HISTOGRAM_SUB_BITS };
// Values below 2 * SUB are their own bucket; above, every power of two is cut into SUB equal parts.
static inline unsigned histogram_bucket_of(uint64_t value) {
  if (value < 2 * HISTOGRAM_SUB) return (unsigned)value;
  unsigned shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
  return shift * HISTOGRAM_SUB + (unsigned)(value >> shift);
}

static inline void histogram_add(histogram_t *histogram, uint64_t value) {
  unsigned at = histogram_bucket_of(value) - histogram->base;
  uint64_t total;
  if (at >= histogram->length || histogram->counts[at] == UINT32_MAX || !histogram->count ||
      __builtin_add_overflow(histogram->total, value, &total)) {
    histogram_add_many(histogram, value, 1);
    return;
  }
  ++histogram->counts[at];
  ++histogram->count;
  histogram->total = total;
  if (value < histogram->min) histogram->min = value;
  if (value > histogram->max) histogram->max = value;
}
// Adds all of `other`; min, max, count and total stay exact.
void histogram_merge(histogram_t *histogram, const histogram_t *other);
// The value below which `quantile` (0..1) of the values lie, rounded up to the highest value of
// its bucket but never above max. 0 while empty.
uint64_t histogram_quantile(const histogram_t *histogram, double quantile);
// Visits the buckets that are not empty in rising order. *position starts at 0. False at the end.
bool histogram_next(const histogram_t *histogram, size_t *position, histogram_bucket_t *bucket);

#endif
