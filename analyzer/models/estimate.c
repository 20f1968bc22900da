// SPDX-License-Identifier: Apache-2.0
// Estimated sums and their standard errors.
#include "analyzer/models/estimate.h"

#include "formats/sampling.h"

#include <math.h>

// A damaged trace may name any size and distance: keeps the figures finite.
static const double least_probability = 1e-18, greatest_figure = 9e18;

double estimate_probability(uint64_t size, uint64_t distance) {
  if (!distance) return 1;
  return fmax(-expm1(-(double)trace_sampling_bytes(size) / (double)distance), least_probability);
}

static void change(estimate_t *estimate, uint64_t size, double probability, double sign) {
  double weight = sign / probability, spread = weight * (1 - probability) / probability;
  double bytes = (double)size;
  estimate->blocks += weight;
  estimate->bytes += weight * bytes;
  estimate->blocks_variance += spread;
  estimate->bytes_variance += spread * bytes * bytes;
}

void estimate_add(estimate_t *estimate, uint64_t size, double probability) {
  ++estimate->members;
  change(estimate, size, probability, 1);
}

void estimate_remove(estimate_t *estimate, uint64_t size, double probability) {
  // Without this, what rounding left of many additions would stay when all are gone.
  if (--estimate->members)
    change(estimate, size, probability, -1);
  else
    *estimate = (estimate_t){0};
}

uint64_t estimate_round(double value) {
  return value > 0 ? (uint64_t)fmin(value + 0.5, greatest_figure) : 0;
}

uint64_t estimate_error(double variance) {
  return variance > 0 ? (uint64_t)fmin(ceil(sqrt(variance)), greatest_figure) : 0;
}
