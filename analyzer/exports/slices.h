// SPDX-License-Identifier: Apache-2.0
// A bounded drawing of a run: spans of time on tracks, arrows between them, and a curve. What is
// too fine for the bound is merged, coarser and coarser, so that a trace of any length gives a
// drawing of at most so many parts.
#ifndef ANALYZER_EXPORTS_SLICES_H
#define ANALYZER_EXPORTS_SLICES_H

#include <stdint.h>

enum { SLICES_MAX = 100000, SLICE_ARROWS_MAX = 5000, SLICE_POINTS_MAX = 4000 };
#define SLICE_MIXED UINT32_MAX  // name of a span that several names were merged into

// `count` spans in one: neighbours on a track, each shorter than the resolution.
typedef struct {
  uint64_t track, begin, end;
  uint32_t name;
  uint32_t count;
  uint64_t used_ns;  // sum of the spans in it
} slice_t;

typedef struct {
  uint64_t from_track, from_ns, to_track, to_ns;
} slice_arrow_t;

typedef struct {
  uint64_t time, value;
} slice_point_t;

// Zero-initialised is empty and valid. items are in order of track and begin after slices_sort.
typedef struct {
  slice_t *items;
  uint32_t count, capacity;
  uint64_t resolution;  // ns; 0: nothing was merged
  slice_arrow_t *arrows;
  uint32_t arrow_count, arrow_capacity;
  uint64_t arrow_stride, arrows_seen;  // one in arrow_stride is kept
  slice_point_t *points;
  uint32_t point_count, point_capacity;
  uint64_t point_step;  // ns between points at least
} slices_t;

void slices_clear(slices_t *slices);
// There are at most SLICES_MAX / 2 tracks.
void slices_add(slices_t *slices, uint64_t track, uint32_t name, uint64_t begin, uint64_t end);
void slices_arrow(slices_t *slices, slice_arrow_t arrow);
// The curve at `time`; times rise.
void slices_point(slices_t *slices, uint64_t time, uint64_t value);
void slices_sort(slices_t *slices);

#endif
