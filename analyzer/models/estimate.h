// SPDX-License-Identifier: Apache-2.0
// Sums over a population of which a sample was recorded: each member of the sample stands for
// 1 / p of its kind, p being the probability with which it was drawn (Horvitz and Thompson 1952).
// Such a sum is right on average, whatever was drawn; as the draws are independent, the sum of
// y^2 (1 - p) / p^2 over the sample is, on average, the square of its standard error.
#ifndef ANALYZER_MODELS_ESTIMATE_H
#define ANALYZER_MODELS_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

// Blocks and bytes together. Zero-initialised is nothing. Members may be taken away again.
typedef struct {
  uint64_t members;  // of the sample
  double blocks, bytes;
  double blocks_variance, bytes_variance;  // squares of the standard errors
} estimate_t;

// The probability with which a block of `size` bytes is in a sample with that mean distance
// (formats/sampling.h); 1 for the distance 0: everything is kept.
double estimate_probability(uint64_t size, uint64_t distance);
// A member of the sample with `size` bytes, drawn with `probability`.
void estimate_add(estimate_t *estimate, uint64_t size, double probability);
void estimate_remove(estimate_t *estimate, uint64_t size, double probability);
// A sum of what members have of which some are recorded in any case and the others were drawn, all
// with the same probability. How many there were to draw from is known: given how many were drawn
// they are a simple random sample (Cochran, Sampling Techniques, 2.3 to 2.6).
typedef struct {
  double whole, drawn, squares;
} estimate_sum_t;
typedef struct {
  double value, variance;
} estimate_total_t;
void estimate_sum_add(estimate_sum_t *sum, uint64_t value, bool drawn);
// `drawn` of `population`. Of one member alone its square stands for the variance.
estimate_total_t estimate_sum_total(const estimate_sum_t *sum, uint64_t drawn, uint64_t population);

// To the nearest whole number; what is below 0 by rounding is 0.
uint64_t estimate_round(double value);
// The standard error to a variance, rounded up: 0 only where the value is exact.
uint64_t estimate_error(double variance);

#endif
