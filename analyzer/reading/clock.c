// SPDX-License-Identifier: Apache-2.0
// From clock ticks to nanoseconds. See the header.
#include "analyzer/reading/clock.h"

#include "analyzer/reading/memory.h"

#include <stdlib.h>

// A moment is read to within about 100 ns: moments closer together than this would turn that into
// a slope that is off by more than 1e-5.
#define NEAREST_NS UINT64_C(10000000)
enum { SLOPE_BITS = 48 };
// No processor's counter runs slower than 1 MHz or faster than 100 GHz.
#define SLOPE_MAX (UINT64_C(1000) << SLOPE_BITS)
#define SLOPE_MIN ((UINT64_C(1) << SLOPE_BITS) / 100)

void reading_clock_free(reading_clock_t *clock) {
  free(clock->moments);
  free(clock->lines);
  *clock = (reading_clock_t){0};
}

void reading_clock_add(reading_clock_t *clock, const reading_moment_t *moment) {
  clock->moments = memory_grow(clock->moments, &clock->moment_capacity, clock->moment_count + 1,
                               sizeof *clock->moments);
  clock->moments[clock->moment_count++] = *moment;
}

static int moment_compare(const void *left, const void *right) {
  const reading_moment_t *a = left, *b = right;
  return (a->ticks > b->ticks) - (a->ticks < b->ticks);
}

// 0 where no clock runs like that.
static uint64_t slope_between(const reading_moment_t *from, const reading_moment_t *to) {
  if (to->ticks <= from->ticks || to->monotonic_ns <= from->monotonic_ns) return 0;
  unsigned __int128 ns = (unsigned __int128)(to->monotonic_ns - from->monotonic_ns) << SLOPE_BITS;
  unsigned __int128 slope = ns / (to->ticks - from->ticks);
  return slope >= SLOPE_MIN && slope <= SLOPE_MAX ? (uint64_t)slope : 0;
}

static void line_add(reading_clock_t *clock, const reading_moment_t *from, uint64_t slope) {
  clock->lines[clock->line_count++] = (reading_line_t){from->ticks, from->monotonic_ns, slope};
}

// Lines through the moments, which are sorted. The last may be near the one before it: it is what
// is known latest. Behind it goes on what was true on the whole.
static void lines_fit(reading_clock_t *clock) {
  const reading_moment_t *moments = clock->moments;
  size_t count = clock->moment_count, from = 0;
  for (size_t i = 1; i < count; i++) {
    if (i + 1 < count && moments[i].monotonic_ns - moments[from].monotonic_ns < NEAREST_NS)
      continue;
    uint64_t slope = slope_between(&moments[from], &moments[i]);
    if (!slope) continue;
    line_add(clock, &moments[from], slope);
    from = i;
  }
  if (from > 0) line_add(clock, &moments[from], slope_between(&moments[0], &moments[from]));
}

bool reading_clock_fit(reading_clock_t *clock, bool identity, uint64_t start_ticks) {
  size_t count = clock->moment_count;
  if (count > 0) qsort(clock->moments, count, sizeof *clock->moments, moment_compare);
  free(clock->lines);
  clock->lines = memory_new(count + 1, sizeof *clock->lines);
  clock->line_count = clock->current = 0;
  clock->start_ns = 0;
  if (!identity) lines_fit(clock);
  bool fitted = clock->line_count > 0 || identity;
  if (clock->line_count == 0) {
    reading_moment_t zero = {0};
    line_add(clock, count > 0 && !identity ? clock->moments : &zero, UINT64_C(1) << SLOPE_BITS);
  }
  if (start_ticks == 0 && count > 0) start_ticks = clock->moments[0].ticks;
  clock->start_ns = reading_clock_time(clock, start_ticks);
  return fitted;
}

static const reading_line_t *line_find(reading_clock_t *clock, uint64_t ticks) {
  const reading_line_t *lines = clock->lines;
  size_t low = clock->current;
  if (ticks >= lines[low].ticks && (low + 1 == clock->line_count || ticks < lines[low + 1].ticks))
    return &lines[low];
  low = 0;
  for (size_t high = clock->line_count; high - low > 1;) {
    size_t middle = low + (high - low) / 2;
    if (lines[middle].ticks <= ticks)
      low = middle;
    else
      high = middle;
  }
  clock->current = low;
  return &lines[low];
}

static uint64_t scale(uint64_t ticks, uint64_t slope) {
  unsigned __int128 ns = (unsigned __int128)ticks * slope >> SLOPE_BITS;
  return ns > INT64_MAX ? INT64_MAX : (uint64_t)ns;
}

uint64_t reading_clock_time(reading_clock_t *clock, uint64_t ticks) {
  const reading_line_t *line = line_find(clock, ticks);
  if (ticks < line->ticks) {
    uint64_t before = scale(line->ticks - ticks, line->slope);
    uint64_t ns = line->ns > before ? line->ns - before : 0;
    return ns > clock->start_ns ? ns - clock->start_ns : 0;
  }
  uint64_t ns = scale(ticks - line->ticks, line->slope);
  if (ns > INT64_MAX - (line->ns & INT64_MAX)) return INT64_MAX;
  ns += line->ns;
  return ns > clock->start_ns ? ns - clock->start_ns : 0;
}

uint64_t reading_clock_duration(const reading_clock_t *clock, uint64_t ticks) {
  return scale(ticks, clock->lines[clock->current].slope);
}

uint64_t reading_clock_start_realtime(const reading_clock_t *clock) {
  if (clock->moment_count == 0) return 0;
  const reading_moment_t *first = &clock->moments[0];
  return first->realtime_ns + (clock->start_ns - first->monotonic_ns);
}
