// SPDX-License-Identifier: Apache-2.0
// Log-linear buckets.
#include "analyzer/models/histogram.h"

#include "analyzer/models/array.h"

#include <stdlib.h>
#include <string.h>

enum { SUB = HISTOGRAM_SUB, BUCKETS = (64 - HISTOGRAM_SUB_BITS) * SUB + SUB, GRANULE = 8 };

static uint64_t bucket_low(unsigned bucket) {
  if (bucket < 2 * SUB) return bucket;
  unsigned shift = bucket / SUB - 1;
  return (uint64_t)(bucket % SUB + SUB) << shift;
}

// One past the greatest value; the last bucket's end does not fit and is the greatest number.
static uint64_t bucket_high(unsigned bucket) {
  return bucket + 1 >= BUCKETS ? UINT64_MAX : bucket_low(bucket + 1);
}

void histogram_clear(histogram_t *histogram) {
  free(histogram->counts);
  *histogram = (histogram_t){0};
}

// Widens the span to hold [first, last], in whole granules so that it rarely happens.
static void widen(histogram_t *histogram, unsigned first, unsigned last) {
  unsigned end = histogram->base + histogram->length;
  unsigned low = histogram->length && histogram->base < first ? histogram->base : first;
  unsigned high = end > last + 1 ? end : last + 1;
  low -= low % GRANULE;
  high += (GRANULE - high % GRANULE) % GRANULE;
  uint32_t *counts = array_zeroed(high - low, sizeof *counts);
  if (histogram->length)
    memcpy(counts + (histogram->base - low), histogram->counts, histogram->length * sizeof *counts);
  free(histogram->counts);
  histogram->counts = counts;
  histogram->base = (uint16_t)low;
  histogram->length = (uint16_t)(high - low);
}

static inline uint32_t *place_of(histogram_t *histogram, unsigned bucket) {
  if (bucket - histogram->base >= histogram->length || bucket < histogram->base)
    widen(histogram, bucket, bucket);
  return &histogram->counts[bucket - histogram->base];
}

static inline void count_up(uint32_t *place, uint64_t count) {
  uint64_t sum = *place + count;
  *place = sum < count || sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
}

static void add_totals(histogram_t *histogram, uint64_t count, uint64_t total, uint64_t min,
                       uint64_t max) {
  if (!histogram->count || min < histogram->min) histogram->min = min;
  if (max > histogram->max) histogram->max = max;
  histogram->count += count;
  if (__builtin_add_overflow(histogram->total, total, &histogram->total))
    histogram->total = UINT64_MAX;
}

void histogram_add_many(histogram_t *histogram, uint64_t value, uint64_t count) {
  if (!count) return;
  uint64_t total;
  if (__builtin_mul_overflow(value, count, &total)) total = UINT64_MAX;
  count_up(place_of(histogram, histogram_bucket_of(value)), count);
  add_totals(histogram, count, total, value, value);
}

void histogram_merge(histogram_t *histogram, const histogram_t *other) {
  if (!other->count) return;
  unsigned last = other->base + other->length - 1u;
  if (!histogram->length || other->base < histogram->base ||
      last >= (unsigned)histogram->base + histogram->length)
    widen(histogram, other->base, last);
  for (unsigned at = 0; at < other->length; ++at)
    count_up(&histogram->counts[other->base + at - histogram->base], other->counts[at]);
  add_totals(histogram, other->count, other->total, other->min, other->max);
}

uint64_t histogram_quantile(const histogram_t *histogram, double quantile) {
  uint64_t wanted = (uint64_t)(quantile * (double)histogram->count + 0.5), seen = 0;
  if (wanted < 1) wanted = 1;
  for (unsigned at = 0; at < histogram->length; ++at) {
    seen += histogram->counts[at];
    if (seen < wanted || !seen) continue;
    uint64_t high = bucket_high(histogram->base + at) - 1;
    return high < histogram->max ? high : histogram->max;
  }
  return histogram->max;
}

bool histogram_next(const histogram_t *histogram, size_t *position, histogram_bucket_t *bucket) {
  for (; *position < histogram->length; ++*position) {
    unsigned at = (unsigned)(*position);
    if (!histogram->counts[at]) continue;
    *bucket = (histogram_bucket_t){bucket_low(histogram->base + at),
                                   bucket_high(histogram->base + at), histogram->counts[at]};
    ++*position;
    return true;
  }
  return false;
}
