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

void estimate_sum_add(estimate_sum_t *sum, uint64_t value, bool drawn) {
  double amount = (double)value;
  if (!drawn) {
    sum->whole += amount;
    return;
  }
  sum->drawn += amount;
  sum->squares += amount * amount;
}

estimate_total_t estimate_sum_total(const estimate_sum_t *sum, uint64_t drawn,
                                    uint64_t population) {
  estimate_total_t total = {.value = sum->whole};
  if (!drawn) return total;
  double count = (double)drawn, all = (double)population;
  double spread =
      drawn > 1 ? (sum->squares - sum->drawn * sum->drawn / count) / (count - 1) : sum->squares;
  total.value += sum->drawn * all / count;
  total.variance = fmax(all * (all - count) / count * spread, 0);
  return total;
}

uint64_t estimate_round(double value) {
  return value > 0 ? (uint64_t)fmin(value + 0.5, greatest_figure) : 0;
}

uint64_t estimate_error(double variance) {
  return variance > 0 ? (uint64_t)fmin(ceil(sqrt(variance)), greatest_figure) : 0;
}
