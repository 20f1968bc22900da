// SPDX-License-Identifier: Apache-2.0
// Timelines keep sums and maxima while their parts grow; queues pair what is put with what is
// taken.
#include "analyzer/models/pool_queue.h"

#include <check.h>

enum { MS = 1000000 };
static const timeline_extent_t all = {0, UINT64_MAX};

static uint64_t parts_sum(const timeline_t *timeline) {
  uint64_t sum = 0;
  for (unsigned at = 0; at < TIMELINE_PARTS; ++at) sum += timeline->parts[at];
  return sum;
}

START_TEST(time_spent_is_kept_however_long_the_run) {
  timeline_t timeline = {0};
  uint64_t spent = 0;
  for (uint64_t from = 0; from < UINT64_C(1) << 40; from = from * 3 + 7 * MS) {
    timeline_spend(&timeline, from, from + 5 * MS);
    spent += 5 * MS;
    ck_assert_uint_eq(parts_sum(&timeline), spent);
  }
  ck_assert_uint_eq(timeline_spent(&timeline, all, 0, UINT64_MAX), spent);
  for (unsigned at = 0; at < TIMELINE_PARTS; ++at)
    ck_assert_uint_le(timeline.parts[at], timeline.width_ns);
}
END_TEST

START_TEST(share_of_a_part) {
  timeline_t timeline = {0};
  timeline_spend(&timeline, 0, 64 << 20);
  ck_assert_uint_eq(timeline_spent(&timeline, all, 1 << 20, 3 << 20), 2 << 20);
  ck_assert_uint_eq(timeline_spent(&timeline, all, 3 << 20, 3 << 20), 0);
  timeline_t short_life = {0};  // of which the first part has only an eighth
  timeline_extent_t life = {7 << 17, 9 << 17};
  timeline_spend(&short_life, 7 << 17, 1 << 20);
  ck_assert_uint_eq(timeline_spent(&short_life, life, 0, 1 << 20), 1 << 17);
  ck_assert_uint_eq(timeline_spent(&short_life, life, 0, 15 << 16), 1 << 16);
}
END_TEST

START_TEST(highest_level_is_kept) {
  timeline_t timeline = {0};
  timeline_level(&timeline, 10 * MS, 20 * MS, 3);
  timeline_level(&timeline, 20 * MS, 21 * MS, 9);
  timeline_level(&timeline, 900000 * (uint64_t)MS, 900001 * (uint64_t)MS, 1);
  ck_assert_uint_eq(timeline.parts[0], 9);
  ck_assert_uint_eq(timeline.parts[900000 * (uint64_t)MS / timeline.width_ns], 1);
}
END_TEST

START_TEST(first_put_first_taken) {
  timeline_t backlog = {0};
  pool_queue_t queue = {.backlog = &backlog};
  uint64_t queued;
  for (uint64_t at = 1; at <= 200; ++at)
    ck_assert(!pool_queue_put(&queue, 1, at * MS, at * MS, &queued));
  for (uint64_t at = 1; at <= 200; ++at) {
    ck_assert(pool_queue_take(&queue, 1, (300 + at) * MS, &queued));
    ck_assert_uint_eq(queued, 300 * MS);
  }
  ck_assert(!pool_queue_take(&queue, 1, 501 * MS, &queued));
  ck_assert_uint_eq(backlog.parts[200 * MS / backlog.width_ns], 200);
  pool_queue_clear(&queue);
}
END_TEST

START_TEST(bytes_are_taken_from_the_oldest_on) {
  pool_queue_t queue = {0};
  uint64_t queued;
  pool_queue_put(&queue, 24, 1 * MS, 1 * MS, &queued);
  pool_queue_put(&queue, 8, 2 * MS, 2 * MS, &queued);
  for (uint64_t at = 0; at < 2; ++at) {
    ck_assert(pool_queue_take(&queue, 8, (11 + at) * MS, &queued));
    ck_assert_uint_eq(queued, (10 + at) * MS);
  }
  ck_assert_uint_eq(queue.count, 2);
  ck_assert(pool_queue_take(&queue, 16, 13 * MS, &queued));
  ck_assert_uint_eq(queue.count, 0);
  pool_queue_clear(&queue);
}
END_TEST

START_TEST(taken_before_the_call_that_put_it_had_returned) {
  pool_queue_t queue = {0};
  uint64_t queued;
  ck_assert(!pool_queue_take(&queue, 1, 12 * MS, &queued));
  ck_assert(pool_queue_put(&queue, 1, 10 * MS, 15 * MS, &queued));
  ck_assert_uint_eq(queued, 2 * MS);
  ck_assert(!pool_queue_put(&queue, 1, 10 * MS, 15 * MS, &queued));  // once only
  ck_assert_uint_eq(queue.count, 1);
  pool_queue_found_empty(&queue, 20 * MS);
  ck_assert_uint_eq(queue.count, 0);
  pool_queue_clear(&queue);
}
END_TEST

Suite *models_timeline_suite(void);
Suite *models_timeline_suite(void) {
  Suite *suite = suite_create("models_timeline");
  TCase *timeline = tcase_create("timeline");
  tcase_add_test(timeline, time_spent_is_kept_however_long_the_run);
  tcase_add_test(timeline, share_of_a_part);
  tcase_add_test(timeline, highest_level_is_kept);
  tcase_add_test(timeline, first_put_first_taken);
  tcase_add_test(timeline, bytes_are_taken_from_the_oldest_on);
  tcase_add_test(timeline, taken_before_the_call_that_put_it_had_returned);
  suite_add_tcase(suite, timeline);
  return suite;
}
