// SPDX-License-Identifier: Apache-2.0
// Timelines: two parts become one where a run outgrows them.
#include "analyzer/models/timeline.h"

#include <stdbool.h>

enum { FIRST_WIDTH_NS = 1 << 20 };

static uint64_t join(uint64_t first, uint64_t second, bool sums) {
  if (sums) return first + second;
  return first > second ? first : second;
}

// Makes `until` the time of a part.
static void reach(timeline_t *timeline, uint64_t until, bool sums) {
  if (!timeline->width_ns) timeline->width_ns = FIRST_WIDTH_NS;
  while (until / TIMELINE_PARTS >= timeline->width_ns) {
    for (unsigned at = 0; at < TIMELINE_PARTS; ++at)
      timeline->parts[at] = at < TIMELINE_PARTS / 2
                                ? join(timeline->parts[2 * at], timeline->parts[2 * at + 1], sums)
                                : 0;
    timeline->width_ns *= 2;
  }
}

// The width is a power of two: waits are many, and a division takes long.
static unsigned width_bits(const timeline_t *timeline) {
  return (unsigned)__builtin_ctzll(timeline->width_ns);
}

void timeline_level(timeline_t *timeline, uint64_t from, uint64_t until, uint64_t level) {
  if (until < from || until > INT64_MAX) return;
  reach(timeline, until, false);
  for (uint64_t at = from >> width_bits(timeline); at <= until >> width_bits(timeline); ++at)
    if (level > timeline->parts[at]) timeline->parts[at] = level;
}

void timeline_spend(timeline_t *timeline, uint64_t from, uint64_t until) {
  if (until <= from || until > INT64_MAX) return;
  reach(timeline, until, true);
  for (uint64_t at = from >> width_bits(timeline); from < until; ++at) {
    uint64_t end = (at + 1) * timeline->width_ns;
    if (end > until) end = until;
    timeline->parts[at] += end - from;
    from = end;
  }
}

static uint64_t later(uint64_t a, uint64_t b) { return a > b ? a : b; }
static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

uint64_t timeline_spent(const timeline_t *timeline, timeline_extent_t extent, uint64_t from,
                        uint64_t until) {
  double spent = 0;
  if (!timeline->width_ns || until <= from) return 0;
  for (uint64_t at = from >> width_bits(timeline); at < TIMELINE_PARTS; ++at) {
    uint64_t begin = later(at * timeline->width_ns, extent.begin);
    uint64_t end = earlier((at + 1) * timeline->width_ns, extent.end);
    if (begin >= until || begin >= end) continue;
    uint64_t first = later(begin, from), last = earlier(end, until);
    if (last > first)
      spent += (double)timeline->parts[at] * (double)(last - first) / (double)(end - begin);
  }
  return (uint64_t)(spent + 0.5);
}
