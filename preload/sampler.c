// SPDX-License-Identifier: Apache-2.0
// Random numbers, and distances from them. Without libm, which the recorder does not link.
#include "preload/sampler.h"

#include <time.h>

#define LN2 0.69314718055994530942

// SplitMix64 (Steele, Lea, Flood 2014): passes the usual tests, and any seed will do.
uint64_t sampler_random(sampler_t *sampler) {
  uint64_t z = sampler->random += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

void sampler_seed(sampler_t *sampler, uint64_t seed) {
  sampler->random = seed ? seed : 1;
  sampler->random = sampler_random(sampler) | 1;  // neighbouring seeds are to differ in all bits
}

// -ln(bits / 2^64). ln of the mantissa m in [1, 2) is 2 atanh(z) with z = (m - 1) / (m + 1) < 1/3;
// its series up to z^15 is exact to 1e-9.
static double minus_log(uint64_t bits) {
  const int zeros = bits ? __builtin_clzll(bits) : 63;
  const double mantissa = (double)(bits << zeros) / 9223372036854775808.0;
  const double z = (mantissa - 1) / (mantissa + 1), square = z * z;
  double sum = 0;
  for (int power = 15; power > 0; power -= 2) sum = sum * square + 1.0 / power;
  return (zeros + 1) * LN2 - 2 * z * sum;
}

static void seed_by_chance(sampler_t *sampler) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  sampler_seed(sampler, (uint64_t)now.tv_nsec * UINT64_C(0x9e3779b97f4a7c15) ^
                            (uint64_t)now.tv_sec << 32 ^ (uintptr_t)sampler);
}

int64_t sampler_distance(sampler_t *sampler, uint64_t mean) {
  if (!sampler->random) seed_by_chance(sampler);
  return (int64_t)(minus_log(sampler_random(sampler)) * (double)mean) + 1;
}

// Inverse of the geometric distribution: the exponential in units of -ln(1 - rate), rounded down.
int64_t sampler_trials(sampler_t *sampler, double rate) {
  if (!sampler->random) seed_by_chance(sampler);
  if (rate >= 1) return 0;
  double denominator = 0;  // -ln(1 - rate), which for small rates is a series
  double power = rate;
  if (rate < 0.125)
    for (int i = 1; i < 12; i++, power *= rate) denominator += power / i;
  else
    denominator = minus_log((uint64_t)((1 - rate) * 18446744073709549568.0));
  const double trials = minus_log(sampler_random(sampler)) / denominator;
  return trials < 1099511627776.0 ? (int64_t)trials : INT64_C(1) << 40;
}

bool sampler_hits(sampler_t *sampler, uint64_t amount, uint64_t mean) {
  if (!sampler->random) {
    sampler->left = sampler_distance(sampler, mean);
    if (sampler_passes(sampler, amount)) return false;
  }
  sampler->left = sampler_distance(sampler, mean);
  return true;
}
