// SPDX-License-Identifier: Apache-2.0
// The recorder's sampler draws what it says, and the set of sampled blocks is exact.
#include "preload/sampled_blocks.h"
#include "preload/sampler.h"
#include "tests/unit/rounds.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWS_USUALLY = 200000, BLOCKS = 100000 };
static int draws;
static void setup(void) { draws = rounds(DRAWS_USUALLY); }

// Mean and tail of an exponential distribution: of N draws the mean lies within 4 / sqrt(N) of it.
START_TEST(distances_are_exponential) {
  sampler_t sampler = {0};
  sampler_seed(&sampler, 1);
  double sum = 0;
  int beyond_1 = 0, beyond_3 = 0;
  for (int i = 0; i < draws; i++) {
    const int64_t distance = sampler_distance(&sampler, 50000);
    ck_assert_int_gt(distance, 0);
    sum += (double)distance;
    beyond_1 += distance > 50000;
    beyond_3 += distance > 150000;
  }
  ck_assert_double_lt(fabs(sum / draws / 50000 - 1), 4 / sqrt(draws));
  ck_assert_double_lt(fabs((double)beyond_1 / draws - exp(-1)), 4 * sqrt(0.24 / draws));
  ck_assert_double_lt(fabs((double)beyond_3 / draws - exp(-3)), 4 * sqrt(0.05 / draws));
}
END_TEST

START_TEST(trials_are_geometric) {
  static const double rates[] = {0.5, 0.1, 0.01};
  sampler_t sampler = {0};
  sampler_seed(&sampler, 2);
  for (int at = 0; at < 3; at++) {
    double sum = 0;
    int none = 0;
    for (int i = 0; i < draws; i++) {
      const int64_t trials = sampler_trials(&sampler, rates[at]);
      ck_assert_int_ge(trials, 0);
      sum += (double)trials;
      none += trials == 0;
    }
    const double mean = (1 - rates[at]) / rates[at];
    ck_assert_double_lt(fabs(sum / draws / mean - 1), 4 / sqrt(draws * (1 - rates[at])));
    ck_assert_double_lt(fabs((double)none / draws - rates[at]), 4 * sqrt(rates[at] / draws));
  }
  ck_assert_int_eq(sampler_trials(&sampler, 1), 0);
}
END_TEST

// The part of blocks that is hit is what formats/sampling.h says, also with the first draw.
START_TEST(hits_are_as_likely_as_said) {
  enum { SIZE = 300, MEAN = 1000 };
  int hits = 0, first_hits = 0;
  for (uint64_t seed = 1; seed <= 2000; seed++) {
    sampler_t sampler = {0};
    sampler_seed(&sampler, seed);
    sampler.left = sampler_distance(&sampler, MEAN);
    for (int i = 0; i < 100; i++) {
      const bool hit = !sampler_passes(&sampler, SIZE) && sampler_hits(&sampler, SIZE, MEAN);
      hits += hit;
      first_hits += hit && i == 0;
    }
  }
  const double expected = -expm1(-(double)SIZE / MEAN);
  ck_assert_double_lt(fabs(hits / 200000.0 - expected), 4 * sqrt(expected / 200000));
  ck_assert_double_lt(fabs(first_hits / 2000.0 - expected), 4 * sqrt(expected / 2000));
}
END_TEST

START_TEST(unseeded_samplers_differ) {
  sampler_t samplers[2] = {{0}};
  ck_assert(!sampler_passes(&samplers[0], 1));
  sampler_hits(&samplers[0], 1, 1 << 20);
  sampler_hits(&samplers[1], 1, 1 << 20);
  ck_assert(samplers[0].random && samplers[0].random != samplers[1].random);
}
END_TEST

// ---- the set -----------------------------------------------------------------------------------

static void blocks_begin(void) {
  memset(&sampled_blocks, 0, sizeof sampled_blocks);
  ck_assert(sampled_blocks_reserve());
}

// Addresses as an allocator gives them: `pages` pages with a block every so many bytes.
static uintptr_t block_at(int i, uintptr_t gap) {
  return UINT64_C(0x7f1234560000) + (uintptr_t)i * gap;
}

static int count_known(int count, uintptr_t gap) {
  int known = 0;
  for (int i = 0; i < count; i++) known += sampled_blocks_may_have(block_at(i, gap));
  return known;
}

START_TEST(blocks_are_known_until_taken) {
  blocks_begin();
  for (int i = 0; i < BLOCKS; i += 2) ck_assert(sampled_blocks_add(block_at(i, 4096 + 16)));
  for (int i = 0; i < BLOCKS; i++)
    ck_assert_msg(sampled_blocks_may_have(block_at(i, 4096 + 16)) == !(i % 2), "block %d", i);
  for (int i = 0; i < BLOCKS; i++)
    ck_assert(sampled_blocks_take(block_at(i, 4096 + 16)) == !(i % 2));
  ck_assert_int_eq(count_known(BLOCKS, 4096 + 16), 0);
}
END_TEST

// More blocks in a page than a line has room for, and more than all near lines have.
START_TEST(crowded_pages_spill) {
  blocks_begin();
  for (int i = 0; i < BLOCKS; i++) ck_assert(sampled_blocks_add(block_at(i, 32)));
  ck_assert(sampled_blocks.spilled);
  ck_assert_int_eq(count_known(BLOCKS, 32), BLOCKS);
  ck_assert(!sampled_blocks_may_have(block_at(0, 32) + 16));
  for (int i = 0; i < BLOCKS; i++) ck_assert(sampled_blocks_take(block_at(i, 32)));
  ck_assert_int_eq(count_known(BLOCKS, 32), 0);
}
END_TEST

START_TEST(a_block_is_in_once) {
  blocks_begin();
  ck_assert(sampled_blocks_add(block_at(7, 16)));
  ck_assert(sampled_blocks_add(block_at(7, 16)));
  ck_assert(sampled_blocks_take(block_at(7, 16)));
  ck_assert(!sampled_blocks_take(block_at(7, 16)));
}
END_TEST

// What the set cannot tell from others it does not take: no alignment of 8, no user address, none.
START_TEST(strange_addresses_are_refused) {
  blocks_begin();
  static const uintptr_t strange[] = {0, 0x7f1234560004, UINT64_C(1) << 47};
  for (int i = 0; i < 3; i++) {
    ck_assert(!sampled_blocks_add(strange[i]));
    ck_assert(!sampled_blocks_take(strange[i]));
  }
}
END_TEST

// At last there is no place: it says so, and what is in stays in.
START_TEST(a_full_set_refuses) {
  blocks_begin();
  int added = 0;
  while (added < 2000000 && sampled_blocks_add(block_at(added, 4096))) added++;
  ck_assert_int_gt(added, 500000);
  ck_assert_int_lt(added, 2000000);
  ck_assert_int_eq(count_known(added, 4096), added);
}
END_TEST

Suite *sampling_draws_suite(void);
Suite *sampling_draws_suite(void) {
  const TTest *tests[] = {
      distances_are_exponential, trials_are_geometric,          hits_are_as_likely_as_said,
      unseeded_samplers_differ,  blocks_are_known_until_taken,  crowded_pages_spill,
      a_block_is_in_once,        strange_addresses_are_refused, a_full_set_refuses};
  Suite *suite = suite_create("sampling_draws");
  TCase *group = tcase_create("draws");
  tcase_add_checked_fixture(group, setup, NULL);
  tcase_set_timeout(group, 60);
  for (size_t at = 0; at < sizeof tests / sizeof *tests; ++at) tcase_add_test(group, tests[at]);
  suite_add_tcase(suite, group);
  return suite;
}
