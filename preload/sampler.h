// SPDX-License-Identifier: Apache-2.0
// The sampler: draws at random which of a thread's allocations and holds of locks are kept.
// formats/sampling.h says what is drawn; this needs no other part of the recorder.
#ifndef PRELOAD_SAMPLER_H
#define PRELOAD_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

// Zero-initialised is valid: it is seeded at its first draw. Only one thread uses it; a signal
// handler of that thread may, which at worst repeats or skips a draw.
typedef struct {
  uint64_t random;  // state of the generator; 0: not seeded
  int64_t left;     // what may still pass before the next point
} sampler_t;

// `seed`: any number; then the caller sets `left` with one of the draws below. Without it the first
// draw seeds from the clock and the sampler's address, so that threads and runs differ.
void sampler_seed(sampler_t *sampler, uint64_t seed);

// 64 random bits.
uint64_t sampler_random(sampler_t *sampler);
// The distance to the next point: exponential with that mean, at least 1 and at most 64 means.
int64_t sampler_distance(sampler_t *sampler, uint64_t mean);
// How many trials go by before one that succeeds with the probability `rate` (0 < rate <= 1):
// geometric, at most 2^40.
int64_t sampler_trials(sampler_t *sampler, double rate);

// Moves on by `amount`. True where no point lies on the way: the fast half of every draw.
static inline bool sampler_passes(sampler_t *sampler, uint64_t amount) {
  sampler->left = (int64_t)((uint64_t)sampler->left - amount);
  return sampler->left > 0;
}

// After sampler_passes has said no: whether a point really lies on the way (an unseeded sampler
// knows none yet); then the distance to the next is drawn, from the end of the way, for the
// process has no memory.
bool sampler_hits(sampler_t *sampler, uint64_t amount, uint64_t mean);

#endif
