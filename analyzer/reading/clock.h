// SPDX-License-Identifier: Apache-2.0
// From clock ticks to nanoseconds: straight lines between the moments at which the recorder read
// all of its clocks.
#ifndef ANALYZER_READING_CLOCK_H
#define ANALYZER_READING_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The clocks at one moment.
typedef struct {
  uint64_t ticks, monotonic_ns, realtime_ns;
} reading_moment_t;

// From `ticks` on, a tick lasts `slope` / 2^48 ns, and `ticks` itself was at `ns`.
typedef struct {
  uint64_t ticks, ns, slope;
} reading_line_t;

// Lines are in order of ticks, each valid to the next; the first also before, the last also after.
typedef struct {
  reading_moment_t *moments;
  size_t moment_count, moment_capacity;
  reading_line_t *lines;
  size_t line_count;
  size_t current;     // line that was used last
  uint64_t start_ns;  // monotonic time of the start
} reading_clock_t;

void reading_clock_free(reading_clock_t *clock);
// Adds a moment. Order does not matter; those that contradict others are left out of the fit.
void reading_clock_add(reading_clock_t *clock, const reading_moment_t *moment);
// Fits. `identity`: ticks are monotonic ns. Times are counted from `start_ticks`; where that is 0,
// from the earliest moment. Returns false where there is nothing to fit from and a tick was taken
// to last 1 ns. May be called again after more moments.
bool reading_clock_fit(reading_clock_t *clock, bool identity, uint64_t start_ticks);
// ns from the start; 0 for what was before.
uint64_t reading_clock_time(reading_clock_t *clock, uint64_t ticks);
// How many ns `ticks` ticks last, about where the clock was asked last.
uint64_t reading_clock_duration(const reading_clock_t *clock, uint64_t ticks);
// ns since 1970 at the start, 0 unknown.
uint64_t reading_clock_start_realtime(const reading_clock_t *clock);

#endif
