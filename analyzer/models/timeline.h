// SPDX-License-Identifier: Apache-2.0
// A figure over the time of a run, in a fixed number of parts of equal width that doubles as the
// run goes on. Part i stands for [i * width_ns, (i + 1) * width_ns) of the trace.
#ifndef ANALYZER_MODELS_TIMELINE_H
#define ANALYZER_MODELS_TIMELINE_H

#include <stdint.h>

enum { TIMELINE_PARTS = 64 };

// Zero-initialised is empty and valid. A timeline is fed by one of the two functions only.
typedef struct {
  uint64_t width_ns;
  uint64_t parts[TIMELINE_PARTS];
} timeline_t;

// Times over INT64_MAX are ignored. The level from `from` to `until`; a part keeps the highest.
void timeline_level(timeline_t *timeline, uint64_t from, uint64_t until, uint64_t level);
// Time spent; a part keeps the sum.
void timeline_spend(timeline_t *timeline, uint64_t from, uint64_t until);
// Of a timeline that is fed by timeline_spend with times in [begin, end) only: time spent in
// [from, until), taken to be spread evenly over what each part has of [begin, end).
typedef struct {
  uint64_t begin, end;
} timeline_extent_t;
uint64_t timeline_spent(const timeline_t *timeline, timeline_extent_t extent, uint64_t from,
                        uint64_t until);

#endif
