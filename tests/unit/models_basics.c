// SPDX-License-Identifier: Apache-2.0
// The containers that the models stand on, each against a plain one.
#include "analyzer/models/address_map.h"
#include "analyzer/models/block_table.h"
#include "analyzer/models/histogram.h"
#include "analyzer/models/site_table.h"
#include "analyzer/models/vector_clock.h"

#include <check.h>
#include <stdlib.h>

// ---- histogram ---------------------------------------------------------------------------------

START_TEST(small_values_are_exact) {
  histogram_t histogram = {0};
  for (uint64_t value = 0; value < 64; ++value) histogram_add(&histogram, value);
  ck_assert_uint_eq(histogram.count, 64);
  ck_assert_uint_eq(histogram.total, 63 * 64 / 2);
  ck_assert_uint_eq(histogram_quantile(&histogram, 0.5), 31);
  ck_assert_uint_eq(histogram_quantile(&histogram, 1), 63);
  histogram_clear(&histogram);
}
END_TEST

START_TEST(buckets_hold_their_value_and_are_narrow) {
  for (unsigned shift = 0; shift < 64; ++shift)
    for (int offset = -1; offset <= 1; ++offset) {
      histogram_t histogram = {0};
      histogram_bucket_t bucket;
      size_t position = 0;
      uint64_t value = (UINT64_C(1) << shift) + (uint64_t)(int64_t)offset;
      histogram_add(&histogram, value);
      ck_assert(histogram_next(&histogram, &position, &bucket));
      ck_assert_uint_le(bucket.low, value);
      ck_assert(value < bucket.high || bucket.high == UINT64_MAX);
      ck_assert(value < 64 || bucket.high - bucket.low <= value / 32 + 1);
      ck_assert(!histogram_next(&histogram, &position, &bucket));
      ck_assert_uint_eq(histogram_quantile(&histogram, 0.5), value);
      histogram_clear(&histogram);
    }
}
END_TEST

START_TEST(quantiles_are_right_within_a_bucket) {
  histogram_t histogram = {0};
  for (uint64_t value = 1; value <= 100000; ++value) histogram_add(&histogram, value * 10);
  const double quantiles[] = {0.01, 0.5, 0.95, 0.99, 0.999};
  for (size_t at = 0; at < sizeof quantiles / sizeof *quantiles; ++at) {
    double truth = quantiles[at] * 1e6,
           found = (double)histogram_quantile(&histogram, quantiles[at]);
    ck_assert_double_ge(found, truth * 0.999);
    ck_assert_double_le(found, truth * (1 + 1.0 / 32));
  }
  ck_assert_uint_eq(histogram.min, 10);
  ck_assert_uint_eq(histogram.max, 1000000);
  histogram_clear(&histogram);
}
END_TEST

START_TEST(merged_equals_added) {
  histogram_t left = {0}, right = {0}, both = {0};
  srand(3);
  for (int at = 0; at < 5000; ++at) {
    uint64_t value = (uint64_t)rand() << (rand() % 20);
    histogram_add(at % 3 ? &left : &right, value);
    histogram_add(&both, value);
  }
  histogram_merge(&left, &right);
  ck_assert_uint_eq(left.count, both.count);
  ck_assert_uint_eq(left.total, both.total);
  ck_assert_uint_eq(left.min, both.min);
  ck_assert_uint_eq(left.max, both.max);
  size_t a = 0, b = 0;
  histogram_bucket_t one, other;
  while (histogram_next(&both, &a, &one)) {
    ck_assert(histogram_next(&left, &b, &other));
    ck_assert_uint_eq(one.low, other.low);
    ck_assert_uint_eq(one.count, other.count);
  }
  ck_assert(!histogram_next(&left, &b, &other));
  histogram_clear(&left);
  histogram_clear(&right);
  histogram_clear(&both);
}
END_TEST

START_TEST(merging_nothing_changes_nothing) {
  histogram_t empty = {0}, histogram = {0};
  histogram_merge(&histogram, &empty);
  ck_assert_uint_eq(histogram.count, 0);
  ck_assert_uint_eq(histogram_quantile(&histogram, 0.5), 0);
  histogram_add_many(&histogram, 5, 1000);
  histogram_merge(&histogram, &empty);
  ck_assert_uint_eq(histogram.count, 1000);
  ck_assert_uint_eq(histogram.min, 5);
  histogram_clear(&histogram);
}
END_TEST

START_TEST(sums_saturate) {
  histogram_t histogram = {0};
  histogram_add(&histogram, UINT64_MAX);
  histogram_add_many(&histogram, UINT64_MAX / 2, 3);
  ck_assert_uint_eq(histogram.total, UINT64_MAX);
  ck_assert_uint_eq(histogram.count, 4);
  histogram_clear(&histogram);
}
END_TEST

// ---- address map -------------------------------------------------------------------------------

enum { KEYS = 512, ROUNDS = 30000 };

// Keys that collide: addresses of blocks, a few pages apart.
static uint64_t key_number(unsigned number) { return 0x7f0000000010 + (uint64_t)number * 4096; }

START_TEST(map_agrees_with_an_array) {
  address_map_t map = ADDRESS_MAP(uint64_t[3]);
  static uint64_t truth[KEYS];
  size_t count = 0;
  srand(7);
  for (unsigned round = 1; round <= ROUNDS; ++round) {
    unsigned at = (unsigned)rand() % KEYS;
    uint64_t key = key_number(at), removed[3];
    if (rand() % 2) {
      uint64_t *value = address_map_put(&map, key);
      ck_assert_uint_eq(value[0], truth[at]);
      count += !truth[at];
      value[0] = truth[at] = round;
    } else if (address_map_remove(&map, key, removed)) {
      ck_assert_uint_eq(removed[0], truth[at]);
      truth[at] = 0;
      --count;
    } else {
      ck_assert_uint_eq(truth[at], 0);
    }
    ck_assert_uint_eq(map.count, count);
  }
  for (unsigned at = 0; at < KEYS; ++at) {
    const uint64_t *value = address_map_get(&map, key_number(at));
    ck_assert_uint_eq(value ? *value : 0, truth[at]);
  }
  size_t position = 0, visited = 0;
  uint64_t key;
  while (address_map_next(&map, &position, &key)) ++visited;
  ck_assert_uint_eq(visited, count);
  address_map_clear(&map);
}
END_TEST

START_TEST(empty_map_has_nothing) {
  address_map_t map = {0};
  size_t position = 0;
  uint64_t key;
  ck_assert_ptr_null(address_map_get(&map, 5));
  ck_assert(!address_map_remove(&map, 5, NULL));
  ck_assert_ptr_null(address_map_next(&map, &position, &key));
  *(uint64_t *)address_map_put(&map, 5) = 6;
  ck_assert_uint_eq(*(uint64_t *)address_map_get(&map, 5), 6);
  ck_assert_ptr_null(address_map_get(&map, 0));
  address_map_clear(&map);
}
END_TEST

// ---- table of blocks ---------------------------------------------------------------------------

enum { BLOCKS = 400, BLOCK_STEP = 40 };

// Every place in a region, places in between, and several regions.
static uint64_t block_address(unsigned number) {
  return 0x7f0000000000 + (uint64_t)number * BLOCK_STEP;
}

static void expect_blocks(const block_table_t *table, const uint64_t *truth) {
  for (unsigned at = 0; at < BLOCKS; ++at) {
    const block_t *block = block_table_get(table, block_address(at));
    ck_assert_uint_eq(block ? block->size : 0, truth[at]);
  }
}

START_TEST(blocks_agree_with_an_array) {
  block_table_t table;
  static uint64_t truth[BLOCKS];
  block_table_open(&table);
  srand(11);
  for (unsigned round = 1; round <= ROUNDS; ++round) {
    unsigned at = (unsigned)rand() % BLOCKS;
    block_t taken;
    bool made;
    if (rand() % 2) {
      block_t *block = block_table_put(&table, block_address(at), &made);
      ck_assert_int_eq(made, !truth[at]);
      if (!made) ck_assert_uint_eq(block->size, truth[at]);
      block->size = truth[at] = round;
    } else {
      made = block_table_take(&table, block_address(at), &taken);
      ck_assert_int_eq(made, truth[at] != 0);
      if (made) ck_assert_uint_eq(taken.size, truth[at]);
      truth[at] = 0;
    }
  }
  expect_blocks(&table, truth);
  ck_assert_ptr_null(block_table_get(&table, 0));
  block_table_clear(&table);
}
END_TEST

START_TEST(block_before_an_address) {
  block_table_t table;
  uint64_t start;
  bool made;
  block_table_open(&table);
  ck_assert_ptr_null(block_table_before(&table, 0x5000, 0x10, &start));
  block_table_put(&table, 0x1010, &made)->size = 1;
  block_table_put(&table, 0x4000, &made)->size = 2;
  block_table_put(&table, 0x4018, &made)->size = 3;  // no multiple: not looked for
  ck_assert_uint_eq(block_table_before(&table, 0x4fff, 0x10, &start)->size, 2);
  ck_assert_uint_eq(start, 0x4000);
  ck_assert_uint_eq(block_table_before(&table, 0x400f, 0x4000, &start)->size, 2);
  ck_assert_ptr_null(block_table_before(&table, 0x4fff, 0x4010, &start));
  ck_assert_uint_eq(block_table_before(&table, 0x3fff, 0x1010, &start)->size, 1);
  ck_assert_uint_eq(start, 0x1010);
  ck_assert_ptr_null(block_table_before(&table, 0x100f, 0, &start));
  block_table_clear(&table);
}
END_TEST

START_TEST(regions_without_blocks_are_given_back) {
  enum { MANY = 100 * BLOCK_REGIONS_KEPT };
  block_table_t table;
  block_table_open(&table);
  for (uint64_t at = 1; at <= MANY; ++at) {
    block_t taken;
    bool made;
    block_table_put(&table, at << BLOCK_REGION_BITS, &made);
    ck_assert(block_table_take(&table, at << BLOCK_REGION_BITS, &taken));
  }
  ck_assert_uint_le(table.pool_used, BLOCK_REGIONS_KEPT);
  ck_assert_uint_le(table.block_used, 2);
  block_table_clear(&table);
}
END_TEST

// ---- site table --------------------------------------------------------------------------------

START_TEST(site_totals_by_kind_and_stack) {
  site_table_t table = {0}, other = {0};
  for (uint32_t at = 0; at < 1000; ++at) site_table_add(&table, at % 2, at % 10, at);
  ck_assert_uint_eq(table.count, 10);  // the parity of a stack fixes its kind
  site_table_add(&other, 0, 4, 1000000);
  site_table_add(&other, 9, 4, 1);
  site_table_merge(&table, &other);
  site_table_sort(&table);
  ck_assert_uint_eq(table.count, 11);
  ck_assert_uint_eq(table.items[0].stack, 4);
  ck_assert_uint_eq(table.items[0].count, 101);
  ck_assert_uint_eq(table.items[0].max_ns, 1000000);
  ck_assert_uint_eq(table.items[10].kind, 9);
  site_table_add(&table, 0, 4, 0);
  ck_assert_uint_eq(table.items[0].count, 102);
  site_table_clear(&table);
  site_table_clear(&other);
}
END_TEST

// ---- vector clocks -----------------------------------------------------------------------------

enum { CLOCKS = 24, THREADS = 700 };

START_TEST(clocks_agree_with_arrays) {
  const vector_clock_t *clocks[CLOCKS] = {NULL};
  static uint32_t truth[CLOCKS][THREADS];
  srand(11);
  for (unsigned round = 0; round < 2000; ++round) {
    unsigned to = (unsigned)rand() % CLOCKS, from = (unsigned)rand() % CLOCKS;
    uint32_t thread = (uint32_t)rand() % (round < 200 ? 10 : THREADS),
             epoch = (uint32_t)rand() % 50;
    switch (rand() % 3) {
    case 0:
      clocks[to] = vector_clock_raise(clocks[to], thread, epoch);
      if (truth[to][thread] < epoch) truth[to][thread] = epoch;
      break;
    case 1:
      clocks[to] = vector_clock_join(clocks[to], clocks[from]);
      for (unsigned at = 0; at < THREADS; ++at)
        if (truth[to][at] < truth[from][at]) truth[to][at] = truth[from][at];
      break;
    default:
      vector_clock_keep(clocks[from]);
      vector_clock_drop(clocks[to]);
      clocks[to] = clocks[from];
      for (unsigned at = 0; at < THREADS; ++at) truth[to][at] = truth[from][at];
    }
    ck_assert_uint_eq(vector_clock_get(clocks[to], thread), truth[to][thread]);
  }
  for (unsigned clock = 0; clock < CLOCKS; ++clock) {
    for (unsigned at = 0; at < THREADS; ++at)
      ck_assert_uint_eq(vector_clock_get(clocks[clock], at), truth[clock][at]);
    vector_clock_drop(clocks[clock]);
  }
}
END_TEST

Suite *models_basics_suite(void);
Suite *models_basics_suite(void) {
  Suite *suite = suite_create("models_basics");
  TCase *tests = tcase_create("histogram");
  tcase_add_test(tests, small_values_are_exact);
  tcase_add_test(tests, buckets_hold_their_value_and_are_narrow);
  tcase_add_test(tests, quantiles_are_right_within_a_bucket);
  tcase_add_test(tests, merged_equals_added);
  tcase_add_test(tests, merging_nothing_changes_nothing);
  tcase_add_test(tests, sums_saturate);
  suite_add_tcase(suite, tests);
  tests = tcase_create("tables");
  tcase_add_test(tests, map_agrees_with_an_array);
  tcase_add_test(tests, empty_map_has_nothing);
  tcase_add_test(tests, blocks_agree_with_an_array);
  tcase_add_test(tests, block_before_an_address);
  tcase_add_test(tests, regions_without_blocks_are_given_back);
  tcase_add_test(tests, site_totals_by_kind_and_stack);
  tcase_add_test(tests, clocks_agree_with_arrays);
  suite_add_tcase(suite, tests);
  return suite;
}
