// SPDX-License-Identifier: Apache-2.0
// The recorder's clock: the processor's time stamp counter where it is invariant, else
// CLOCK_MONOTONIC in nanoseconds. Raw values are recorded; the analyzer fits them to time.
#ifndef PRELOAD_CLOCK_H
#define PRELOAD_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <x86intrin.h>

extern bool clock_is_tsc __attribute__((visibility("hidden")));

// Decides which clock it is. Called once, in the constructor, before any other.
void clock_choose(void);
uint64_t clock_monotonic(void);  // ns
uint64_t clock_realtime(void);   // ns since 1970

// The counter's rate as the processor gives it, in kHz, or 2500000 where it does not say.
double clock_khz(void);

// Ticks now. Signal-safe, does not touch errno.
static inline uint64_t clock_ticks(void) {
  return __builtin_expect(clock_is_tsc, 1) ? __rdtsc() : clock_monotonic();
}

#endif
