// SPDX-License-Identifier: Apache-2.0
// The bounded store of spans, arrows and points.
#include "analyzer/exports/slices.h"

#include "analyzer/models/array.h"

#include <stdbool.h>
#include <stdlib.h>

enum { FIRST_RESOLUTION_NS = 1000 };

void slices_clear(slices_t *slices) {
  free(slices->items);
  free(slices->arrows);
  free(slices->points);
  *slices = (slices_t){0};
}

static int compare(const void *left, const void *right) {
  const slice_t *a = left, *b = right;
  if (a->track != b->track) return a->track < b->track ? -1 : 1;
  if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
  return a->end < b->end ? -1 : a->end > b->end;
}

void slices_sort(slices_t *slices) {
  if (slices->count) qsort(slices->items, slices->count, sizeof *slices->items, compare);
}

static bool mergeable(const slice_t *first, const slice_t *next, uint64_t resolution) {
  return first->track == next->track && next->begin < first->end + resolution &&
         next->end - next->begin < resolution &&
         (first->count > 1 || first->end - first->begin < resolution);
}

static void merge(slice_t *into, const slice_t *next) {
  if (into->name != next->name) into->name = SLICE_MIXED;
  if (next->end > into->end) into->end = next->end;
  into->count += next->count;
  into->used_ns += next->used_ns;
}

static void compact(slices_t *slices) {
  uint32_t kept = 0;
  slices_sort(slices);
  for (uint32_t at = 1; at < slices->count; ++at) {
    if (mergeable(&slices->items[kept], &slices->items[at], slices->resolution))
      merge(&slices->items[kept], &slices->items[at]);
    else
      slices->items[++kept] = slices->items[at];
  }
  slices->count = kept + 1;
}

void slices_add(slices_t *slices, uint64_t track, uint32_t name, uint64_t begin, uint64_t end) {
  ARRAY_RESERVE(slices->items, slices->capacity, slices->count + 1);
  if (end < begin) end = begin;
  slices->items[slices->count++] = (slice_t){track, begin, end, name, 1, end - begin};
  if (slices->count < SLICES_MAX) return;
  while (slices->count > SLICES_MAX / 2) {
    slices->resolution = slices->resolution ? slices->resolution * 2 : FIRST_RESOLUTION_NS;
    compact(slices);
  }
}

void slices_arrow(slices_t *slices, slice_arrow_t arrow) {
  if (!slices->arrow_stride) slices->arrow_stride = 1;
  if (slices->arrows_seen++ % slices->arrow_stride) return;
  if (slices->arrow_count == SLICE_ARROWS_MAX) {
    for (uint32_t at = 0; at < SLICE_ARROWS_MAX / 2; ++at)
      slices->arrows[at] = slices->arrows[2 * at];
    slices->arrow_count /= 2;
    slices->arrow_stride *= 2;
  }
  ARRAY_RESERVE(slices->arrows, slices->arrow_capacity, slices->arrow_count + 1);
  slices->arrows[slices->arrow_count++] = arrow;
}

void slices_point(slices_t *slices, uint64_t time, uint64_t value) {
  if (slices->point_count) {
    const slice_point_t *last = &slices->points[slices->point_count - 1];
    if (last->value == value || time < last->time + slices->point_step) return;
  }
  if (slices->point_count == SLICE_POINTS_MAX) {
    for (uint32_t at = 0; at < SLICE_POINTS_MAX / 2; ++at)
      slices->points[at] = slices->points[2 * at];
    slices->point_count /= 2;
    slices->point_step = slices->point_step ? slices->point_step * 2 : FIRST_RESOLUTION_NS;
  }
  ARRAY_RESERVE(slices->points, slices->point_capacity, slices->point_count + 1);
  slices->points[slices->point_count++] = (slice_point_t){time, value};
}
