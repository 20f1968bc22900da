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

void timeline_level(timeline_t *timeline, uint64_t from, uint64_t until, uint64_t level) {
  if (until < from) return;
  reach(timeline, until, false);
  for (uint64_t at = from / timeline->width_ns; at <= until / timeline->width_ns; ++at)
    if (level > timeline->parts[at]) timeline->parts[at] = level;
}

void timeline_spend(timeline_t *timeline, uint64_t from, uint64_t until) {
  if (until <= from) return;
  reach(timeline, until, true);
  for (uint64_t at = from / timeline->width_ns; from < until; ++at) {
    uint64_t end = (at + 1) * timeline->width_ns;
    if (end > until) end = until;
    timeline->parts[at] += end - from;
    from = end;
  }
}

uint64_t timeline_spent(const timeline_t *timeline, uint64_t from, uint64_t until) {
  double spent = 0;
  if (!timeline->width_ns || until <= from) return 0;
  for (uint64_t at = from / timeline->width_ns; at < TIMELINE_PARTS; ++at) {
    uint64_t begin = at * timeline->width_ns, end = begin + timeline->width_ns;
    if (begin >= until) break;
    if (begin < from) begin = from;
    if (end > until) end = until;
    spent += (double)timeline->parts[at] * (double)(end - begin) / (double)timeline->width_ns;
  }
  return (uint64_t)spent;
}
