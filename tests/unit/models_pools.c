// SPDX-License-Identifier: Apache-2.0
// Worker pools from waits and signals whose times are known.
#include "analyzer/models/pools.h"

#include "tests/unit/models_feed.h"

#include <check.h>
#include <errno.h>

enum { QUEUE = 0x1000, FILLED = 0x2000, OTHER = 0x3000, SEMAPHORE = 0x4000, ROUTINE = 0x5000 };
enum { FETCH = 30, FINISH = 31, MS = 1000000 };

static feed_t feed;

static void worker_start(uint32_t thread) {
  feed_event(&feed, thread, TRACE_THREAD_START, 0, 1000 + thread, feed_handle(thread), ROUTINE, 0);
}

static void setup(void) {
  feed = feed_begin();
  feed_start(&feed, 1);
  worker_start(2);
  worker_start(3);
}
static void teardown(void) { feed_free(&feed); }

static void signal_at(uint64_t time) {
  feed_at(&feed, time);
  feed_event(&feed, 1, TRACE_COND_SIGNAL, 20, 0, FILLED, 0, 0);
}

static void fetch_at(uint32_t thread, uint64_t time) {
  feed_at(&feed, time);
  feed_acquire(&feed, thread, QUEUE, FEED_MUTEX, FETCH);
}

static void release_at(uint32_t thread, uint64_t time) {
  feed_at(&feed, time);
  feed_release(&feed, thread, QUEUE, FEED_MUTEX);
}

// The worker has waited from `from` to `time`; it has the mutex.
static void woken_at(uint32_t thread, uint64_t from, uint64_t time, int64_t result) {
  feed_at(&feed, time);
  feed_event(&feed, thread, TRACE_COND_WAIT, FETCH, trace_zigzag(result), FILLED, QUEUE,
             time - from);
}

static const pool_t *pool(void) {
  const pools_t *pools = loops_pools(models_loops(feed.models));
  ck_assert_uint_eq(pools_count(pools), 1);
  return pools_get(pools, 0);
}

// Three jobs of worker 2, of 3, 4 and 5 ms, the second without a wait before it.
static void three_jobs(void) {
  fetch_at(2, 1 * MS);
  signal_at(10 * MS);
  woken_at(2, 1 * MS, 11 * MS, 0);
  release_at(2, 12 * MS);
  signal_at(13 * MS);
  fetch_at(2, 15 * MS);
  release_at(2, 16 * MS);
  fetch_at(2, 20 * MS);
  signal_at(29 * MS);
  woken_at(2, 20 * MS, 30 * MS, 0);
  release_at(2, 30 * MS);
  fetch_at(2, 35 * MS);
}

START_TEST(jobs_and_queue_times) {
  three_jobs();
  feed_end(&feed);
  ck_assert_uint_eq(pool()->jobs, 3);
  ck_assert_uint_eq(pool()->routine, ROUTINE);
  ck_assert_uint_eq(pool()->object, FILLED);
  ck_assert_uint_eq(pool()->fetch_stack, FETCH);
  ck_assert_uint_eq(pool()->thread_count, 1);
  ck_assert_uint_eq(pool()->job_ns.total, (3 + 4 + 5) * MS);
  ck_assert_uint_eq(pool()->queue_ns.count, 3);
  ck_assert_uint_eq(pool()->queue_ns.total, (2 + 3 + 1) * MS);
  ck_assert_uint_eq(pool()->max_backlog, 1);
  ck_assert_uint_eq(pool()->stuck_count, 0);
}
END_TEST

START_TEST(acquires_elsewhere_do_not_end_a_job) {
  three_jobs();
  release_at(2, 36 * MS);
  feed_at(&feed, 38 * MS);
  feed_acquire(&feed, 2, QUEUE, FEED_MUTEX, FINISH);
  release_at(2, 39 * MS);
  fetch_at(2, 42 * MS);
  feed_end(&feed);
  ck_assert_uint_eq(pool()->jobs, 4);
  ck_assert_uint_eq(pool()->job_ns.max, 6 * MS);
}
END_TEST

START_TEST(iteration_that_ends_the_thread_is_no_job) {
  three_jobs();
  release_at(2, 36 * MS);
  feed_at(&feed, 40 * MS);
  feed_stop(&feed, 2);
  feed_end(&feed);
  ck_assert_uint_eq(pool()->jobs, 3);
  ck_assert_uint_eq(pool()->life_ns, 39 * MS);
}
END_TEST

START_TEST(waiting_again_after_a_limit_is_no_job) {
  three_jobs();
  woken_at(2, 36 * MS, 46 * MS, -ETIMEDOUT);
  release_at(2, 47 * MS);
  fetch_at(2, 48 * MS);
  feed_end(&feed);
  ck_assert_uint_eq(pool()->jobs, 3);
}
END_TEST

START_TEST(signals_before_an_empty_queue_are_spent) {
  signal_at(1 * MS);
  signal_at(2 * MS);
  fetch_at(2, 3 * MS);
  signal_at(9 * MS);
  woken_at(2, 4 * MS, 10 * MS, 0);
  release_at(2, 10 * MS);
  fetch_at(2, 12 * MS);
  three_jobs();
  feed_end(&feed);
  ck_assert_uint_eq(pool()->queue_ns.max, 3 * MS);
}
END_TEST

START_TEST(worker_that_does_not_come_back_is_stuck) {
  three_jobs();
  release_at(2, 36 * MS);
  feed_at(&feed, 1900 * MS);
  feed_pending(&feed, 2, TRACE_PENDING_LOCK, OTHER, FEED_MUTEX, 60, 37 * MS);
  feed_end(&feed);
  ck_assert_uint_eq(pool()->stuck_count, 1);
  ck_assert_uint_eq(pool()->stuck[0].thread, 2);
  ck_assert_uint_eq(pool()->stuck[0].since_ns, 36 * MS);
}
END_TEST

// Whose job it is to accept, or to look after a loop, waits for others' work.
START_TEST(worker_that_accepts_is_not_stuck) {
  three_jobs();
  release_at(2, 36 * MS);
  feed_pending(&feed, 2, TRACE_PENDING_ACCEPT, 7, 0, 60, 37 * MS);
  feed_at(&feed, 2000 * MS);
  feed_start(&feed, 9);
  feed_end(&feed);
  ck_assert_uint_eq(pool()->stuck_count, 0);
}
END_TEST

START_TEST(worker_that_waits_for_work_at_the_end_is_not_stuck) {
  three_jobs();
  feed_at(&feed, 1900 * MS);
  feed_pending(&feed, 2, TRACE_PENDING_CONDITION, FILLED, QUEUE, FETCH, 36 * MS);
  feed_end(&feed);
  ck_assert_uint_eq(pool()->stuck_count, 0);
  ck_assert_uint_eq(pool()->jobs, 3);
}
END_TEST

START_TEST(semaphore_hands_out_jobs) {
  for (uint64_t at = 0; at < 4; ++at) {
    feed_at(&feed, (10 + 10 * at) * MS);
    feed_release(&feed, 1, SEMAPHORE, TRACE_LOCK_SEMAPHORE);
    feed_at(&feed, (11 + 10 * at) * MS);
    feed_waited(&feed, 2, SEMAPHORE, TRACE_LOCK_SEMAPHORE, FETCH, 4 * MS);
  }
  feed_end(&feed);
  ck_assert_uint_eq(pool()->jobs, 3);
  ck_assert_int_eq(pool()->kind, POOL_SEMAPHORE);
  ck_assert_uint_eq(pool()->job_ns.max, 6 * MS);
  ck_assert_uint_eq(pool()->queue_ns.total, 4 * MS);
}
END_TEST

// Who posts what he has taken himself locks with it.
START_TEST(semaphore_as_a_lock_is_no_queue) {
  for (uint64_t at = 0; at < 10; ++at) {
    feed_at(&feed, (10 + 10 * at) * MS);
    feed_waited(&feed, 2 + at % 2, SEMAPHORE, TRACE_LOCK_SEMAPHORE, FETCH, 1 * MS);
    feed_at(&feed, (15 + 10 * at) * MS);
    feed_release(&feed, 2 + at % 2, SEMAPHORE, TRACE_LOCK_SEMAPHORE);
  }
  feed_end(&feed);
  ck_assert_uint_eq(pools_count(loops_pools(models_loops(feed.models))), 0);
}
END_TEST

// Five jobs are signalled before the worker begins, and it finds them without waiting.
static void five_jobs_before(void) {
  feed_acquire(&feed, 1, QUEUE, FEED_MUTEX, 20);
  for (uint64_t at = 0; at < 5; ++at) signal_at((1 + at) * MS);
  feed_release(&feed, 1, QUEUE, FEED_MUTEX);
  for (uint64_t at = 0; at < 5; ++at) {
    fetch_at(2, (10 + 10 * at) * MS);
    release_at(2, (11 + 10 * at) * MS);
    feed_at(&feed, (15 + 10 * at) * MS);
    feed_acquire(&feed, 2, QUEUE, FEED_MUTEX, FINISH);
    release_at(2, (16 + 10 * at) * MS);
  }
  fetch_at(2, 60 * MS);
}

static void expect_five_jobs(void) {
  ck_assert_uint_eq(pool()->jobs, 5);
  ck_assert_uint_eq(pool()->jobs_early, 5);
  ck_assert_uint_eq(pool()->given, 5);
  ck_assert_uint_eq(pool()->fetch_stack, FETCH);
  ck_assert_uint_eq(pool()->job_ns.total, 5 * 9 * MS);
  ck_assert_uint_eq(pool()->queue_ns.total, (10 + 19 + 28 + 37 + 46) * MS);
  ck_assert_uint_eq(pool()->max_backlog, 5);
}

START_TEST(jobs_before_the_first_wait) {
  five_jobs_before();
  woken_at(2, 60 * MS, 70 * MS, 0);
  feed_end(&feed);
  expect_five_jobs();
}
END_TEST

START_TEST(first_wait_that_has_not_returned) {
  five_jobs_before();
  feed_at(&feed, 70 * MS);
  feed_pending(&feed, 2, TRACE_PENDING_CONDITION, FILLED, QUEUE, FETCH, 60 * MS);
  feed_end(&feed);
  expect_five_jobs();
  ck_assert(pools_idles(loops_pools(models_loops(feed.models)), 2));
}
END_TEST

START_TEST(worker_that_never_waits) {
  five_jobs_before();
  release_at(2, 61 * MS);
  feed_stop(&feed, 2);
  feed_end(&feed);
  expect_five_jobs();
}
END_TEST

// Who takes the mutex to signal is no worker, and neither is who only takes it.
START_TEST(threads_that_share_a_mutex_are_no_pool) {
  for (uint64_t at = 0; at < 5; ++at) {
    fetch_at(2, (10 + 10 * at) * MS);
    if (!_i) feed_event(&feed, 2, TRACE_COND_SIGNAL, 20, 0, FILLED, 0, 0);
    release_at(2, (11 + 10 * at) * MS);
  }
  feed_end(&feed);
  ck_assert_uint_eq(pools_count(loops_pools(models_loops(feed.models))), 0);
}
END_TEST

START_TEST(jobs_that_wait_for_locks_make_a_pool_bound_by_them) {
  three_jobs();
  release_at(2, 36 * MS);
  feed_at(&feed, 50 * MS);
  feed_waited(&feed, 2, OTHER, FEED_MUTEX, 61, 13 * MS);
  fetch_at(2, 51 * MS);
  feed_end(&feed);
  ck_assert_uint_eq(pool()->locked_ns, 13 * MS);
  ck_assert_int_eq(pool()->advice, POOL_ADVICE_LOCK_BOUND);
}
END_TEST

Suite *models_pools_suite(void);
Suite *models_pools_suite(void) {
  const TTest *tests[] = {jobs_and_queue_times,
                          acquires_elsewhere_do_not_end_a_job,
                          iteration_that_ends_the_thread_is_no_job,
                          waiting_again_after_a_limit_is_no_job,
                          signals_before_an_empty_queue_are_spent,
                          worker_that_does_not_come_back_is_stuck,
                          worker_that_waits_for_work_at_the_end_is_not_stuck,
                          worker_that_accepts_is_not_stuck,
                          semaphore_as_a_lock_is_no_queue,
                          jobs_before_the_first_wait,
                          first_wait_that_has_not_returned,
                          worker_that_never_waits,
                          semaphore_hands_out_jobs,
                          jobs_that_wait_for_locks_make_a_pool_bound_by_them};
  Suite *suite = suite_create("models_pools");
  TCase *pools = tcase_create("pools");
  tcase_add_checked_fixture(pools, setup, teardown);
  for (size_t at = 0; at < sizeof tests / sizeof *tests; ++at) tcase_add_test(pools, tests[at]);
  tcase_add_loop_test(pools, threads_that_share_a_mutex_are_no_pool, 0, 2);
  suite_add_tcase(suite, pools);
  return suite;
}
