// SPDX-License-Identifier: Apache-2.0
// The heap model: totals, sites, temporary blocks, realloc and reuse across threads.
#include "analyzer/models/heap.h"

#include "tests/unit/models_feed.h"

#include <check.h>

enum { P = 0x10000, Q = 0x20000, R = 0x30000 };

static feed_t feed;

static void setup(void) { feed = feed_begin(); }
static void teardown(void) { feed_free(&feed); }

static const heap_totals_t *totals(void) { return heap_totals(models_heap(feed.models)); }
static const heap_site_t *site(uint32_t stack) {
  return heap_site(models_heap(feed.models), stack);
}

static void expect_live(uint64_t blocks, uint64_t bytes) {
  ck_assert_uint_eq(totals()->live_blocks, blocks);
  ck_assert_uint_eq(totals()->live_bytes, bytes);
  ck_assert_uint_eq(totals()->allocations - totals()->frees, blocks);
}

START_TEST(totals_by_site) {
  feed_allocate(&feed, 1, P, 100, 5);
  feed_allocate(&feed, 1, Q, 50, 6);
  feed_allocate(&feed, 1, R, 10, 5);
  feed_release_block(&feed, 1, P);
  feed_end(&feed);
  expect_live(2, 60);
  ck_assert_uint_eq(totals()->bytes_allocated, 160);
  ck_assert_uint_eq(totals()->peak_bytes, 160);
  ck_assert_uint_eq(totals()->temporary, 0);
  ck_assert_uint_eq(site(5)->allocations, 2);
  ck_assert_uint_eq(site(5)->bytes, 110);
  ck_assert_uint_eq(site(5)->live_bytes, 10);
  ck_assert_uint_eq(site(5)->peak_bytes, 110);
  ck_assert_uint_eq(site(5)->lifetime_ns.count, 1);
  ck_assert_uint_eq(site(5)->lifetime_ns.max, 3000);
  ck_assert_uint_eq(site(6)->live_blocks, 1);
  ck_assert_uint_eq(site(7)->allocations, 0);
}
END_TEST

START_TEST(share_of_the_peak) {
  feed_allocate(&feed, 1, P, 100, 5);
  feed_allocate(&feed, 1, Q, 10, 6);
  feed_release_block(&feed, 1, P);
  feed_allocate(&feed, 1, P, 300, 6);  // the peak: 310, all of site 6
  feed_release_block(&feed, 1, P);
  feed_allocate(&feed, 1, P, 200, 5);  // 210
  feed_end(&feed);
  ck_assert_uint_eq(totals()->peak_bytes, 310);
  ck_assert_uint_eq(site(5)->at_peak_bytes, 0);
  ck_assert_uint_eq(site(5)->peak_bytes, 200);
  ck_assert_uint_eq(site(6)->at_peak_bytes, 310);
}
END_TEST

START_TEST(temporary_is_freed_by_the_next_call_of_its_thread) {
  feed_allocate(&feed, 1, P, 8, 5);
  feed_allocate(&feed, 2, Q, 8, 6);  // another thread's call is not between
  feed_release_block(&feed, 1, P);
  feed_allocate(&feed, 1, P, 8, 5);
  feed_allocate(&feed, 1, R, 8, 7);
  feed_release_block(&feed, 1, P);  // not temporary: R came between
  feed_release_block(&feed, 1, R);  // nor this: the free of P did
  feed_release_block(&feed, 1, Q);  // nor this: freed by another thread than its own
  feed_end(&feed);
  ck_assert_uint_eq(totals()->temporary, 1);
  ck_assert_uint_eq(site(5)->temporary, 1);
  expect_live(0, 0);
}
END_TEST

START_TEST(unknown_frees_are_counted_apart) {
  feed_release_block(&feed, 1, P);
  feed_allocate(&feed, 1, P, 8, 5);
  feed_end(&feed);
  ck_assert_uint_eq(totals()->unknown_frees, 1);
  ck_assert_uint_eq(totals()->frees, 0);
  expect_live(1, 8);
}
END_TEST

START_TEST(realloc_moves_the_block_to_its_site) {
  feed_allocate(&feed, 1, P, 100, 5);
  feed_reallocate_start(&feed, 1, P);
  feed_reallocate(&feed, 1, P, Q, 200, 6);
  feed_end(&feed);
  expect_live(1, 200);
  ck_assert_uint_eq(site(5)->live_bytes, 0);
  ck_assert_uint_eq(site(6)->live_bytes, 200);
  ck_assert_uint_eq(totals()->reallocations, 1);
  ck_assert_uint_eq(totals()->temporary, 1);  // as if freed by the next call
}
END_TEST

START_TEST(realloc_that_fails_changes_nothing) {
  feed_allocate(&feed, 1, P, 100, 5);
  feed_reallocate_start(&feed, 1, P);
  feed_reallocate(&feed, 1, P, 0, 1 << 30, 6);
  feed_end(&feed);
  expect_live(1, 100);
  ck_assert_uint_eq(totals()->failed, 1);
  ck_assert_uint_eq(site(6)->allocations, 0);
}
END_TEST

START_TEST(realloc_to_nothing_frees) {
  feed_allocate(&feed, 1, P, 100, 5);
  feed_reallocate_start(&feed, 1, P);
  feed_reallocate(&feed, 1, P, 0, 0, 6);
  feed_end(&feed);
  expect_live(0, 0);
}
END_TEST

START_TEST(realloc_of_nothing_allocates) {
  feed_reallocate(&feed, 1, 0, P, 64, 6);
  feed_end(&feed);
  expect_live(1, 64);
  ck_assert_uint_eq(totals()->unknown_frees, 0);
  ck_assert_uint_eq(totals()->reallocations, 0);
}
END_TEST

START_TEST(realloc_whose_start_is_missing) {
  feed_allocate(&feed, 1, P, 100, 5);
  feed_reallocate(&feed, 1, P, P, 50, 6);
  feed_end(&feed);
  expect_live(1, 50);
}
END_TEST

START_TEST(realloc_in_flight_at_the_end_is_live) {
  feed_allocate(&feed, 1, P, 100, 5);
  feed_reallocate_start(&feed, 1, P);
  feed_end(&feed);
  expect_live(1, 100);
}
END_TEST

START_TEST(old_place_of_a_moving_block_may_be_reused_before_the_result) {
  feed_allocate(&feed, 1, P, 100, 5);
  feed_reallocate_start(&feed, 1, P);
  feed_allocate(&feed, 2, P, 30, 7);
  feed_reallocate(&feed, 1, P, Q, 200, 6);
  feed_end(&feed);
  expect_live(2, 230);
  ck_assert_uint_eq(site(7)->live_bytes, 30);
  ck_assert_uint_eq(totals()->reused_early, 0);
}
END_TEST

START_TEST(reuse_read_before_the_free_is_not_counted_twice) {
  feed_allocate(&feed, 1, P, 100, 5);
  feed_allocate(&feed, 2, P, 30, 7);  // thread 1 has freed P, but that is read next
  feed_release_block(&feed, 1, P);
  feed_end(&feed);
  expect_live(1, 30);
  ck_assert_uint_eq(site(5)->live_bytes, 0);
  ck_assert_uint_eq(site(7)->live_bytes, 30);
  ck_assert_uint_eq(totals()->reused_early, 1);
  ck_assert_uint_eq(totals()->unknown_frees, 0);
}
END_TEST

START_TEST(free_read_before_the_allocation_of_another_thread) {
  feed_release_block(&feed, 2, P);  // thread 1 has handed P over, but that is read next
  feed_allocate(&feed, 1, P, 100, 5);
  feed_release_block(&feed, 2, Q);
  feed_allocate(&feed, 2, Q, 30, 7);  // the same thread: the first Q was another block
  feed_release_block(&feed, 2, R);
  feed_at(&feed, feed.now + 50000000);
  feed_allocate(&feed, 1, R, 30, 7);  // too late to be the same block
  feed_end(&feed);
  expect_live(2, 60);
  ck_assert_uint_eq(site(5)->live_blocks, 0);
  ck_assert_uint_eq(totals()->unknown_frees, 2);
}
END_TEST

START_TEST(new_owner_frees_before_the_owed_free_is_read) {
  feed_allocate(&feed, 1, P, 100, 5);
  feed_allocate(&feed, 2, P, 30, 7);
  feed_release_block(&feed, 2, P);  // its own block, not the one that thread 1 still owes
  expect_live(0, 0);
  feed_release_block(&feed, 1, P);
  feed_allocate(&feed, 3, P, 40, 8);
  feed_end(&feed);
  expect_live(1, 40);
  ck_assert_uint_eq(totals()->unknown_frees, 0);
}
END_TEST

START_TEST(reallocation_read_after_the_reuse_of_its_old_block) {
  feed_allocate(&feed, 1, P, 100, 5);
  feed_allocate(&feed, 2, P, 30, 7);
  feed_reallocate_start(&feed, 1, P);
  feed_reallocate(&feed, 1, P, Q, 200, 6);
  feed_end(&feed);
  expect_live(2, 230);
  ck_assert_uint_eq(totals()->unknown_frees, 0);
}
END_TEST

START_TEST(after_a_loss_no_free_is_owed) {
  feed_event(&feed, 1, TRACE_LOST, 0, TRACE_FREE, 3, 0, 0);
  feed_allocate(&feed, 1, P, 100, 5);
  feed_allocate(&feed, 2, P, 30, 7);  // the free of the first was lost
  feed_release_block(&feed, 3, P);
  feed_end(&feed);
  expect_live(0, 0);
  ck_assert_uint_eq(totals()->lost, 3);
}
END_TEST

START_TEST(loss_of_an_unknown_kind_may_be_of_the_heap) {
  feed_event(&feed, 1, TRACE_LOST, 0, 0, 9, 0, 0);
  feed_event(&feed, 1, TRACE_LOST, 0, TRACE_READ, 5, 0, 0);
  feed_end(&feed);
  ck_assert_uint_eq(totals()->lost, 9);
}
END_TEST

START_TEST(block_is_found_by_any_address_in_it) {
  const heap_t *heap = models_heap(feed.models);
  heap_block_t block;
  feed_allocate(&feed, 1, P, 100, 5);
  feed_allocate(&feed, 1, Q, 1 << 20, 6);
  ck_assert(heap_find(heap, P + 99, &block));
  ck_assert_uint_eq(block.address, P);
  ck_assert_uint_eq(block.stack, 5);
  ck_assert(!heap_find(heap, P + 100, &block));
  ck_assert(heap_find(heap, Q + (1 << 20) - 1, &block));
  ck_assert_uint_eq(block.size, 1 << 20);
  feed_release_block(&feed, 1, Q);
  ck_assert(!heap_find(heap, Q + 70000, &block));
}
END_TEST

Suite *models_heap_suite(void);
Suite *models_heap_suite(void) {
  const TTest *tests[] = {totals_by_site,
                          share_of_the_peak,
                          temporary_is_freed_by_the_next_call_of_its_thread,
                          unknown_frees_are_counted_apart,
                          realloc_moves_the_block_to_its_site,
                          realloc_that_fails_changes_nothing,
                          realloc_to_nothing_frees,
                          realloc_of_nothing_allocates,
                          realloc_whose_start_is_missing,
                          realloc_in_flight_at_the_end_is_live,
                          old_place_of_a_moving_block_may_be_reused_before_the_result,
                          reuse_read_before_the_free_is_not_counted_twice,
                          free_read_before_the_allocation_of_another_thread,
                          new_owner_frees_before_the_owed_free_is_read,
                          reallocation_read_after_the_reuse_of_its_old_block,
                          after_a_loss_no_free_is_owed,
                          loss_of_an_unknown_kind_may_be_of_the_heap,
                          block_is_found_by_any_address_in_it};
  Suite *suite = suite_create("models_heap");
  TCase *heap = tcase_create("heap");
  tcase_add_checked_fixture(heap, setup, teardown);
  for (size_t at = 0; at < sizeof tests / sizeof *tests; ++at) tcase_add_test(heap, tests[at]);
  suite_add_tcase(suite, heap);
  return suite;
}
