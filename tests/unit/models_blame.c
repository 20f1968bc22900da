// SPDX-License-Identifier: Apache-2.0
// Whom waits are charged to: through chains, shared among readers; convoys, calls that block while
// a lock is held, and what a wait on a condition was made of.
#include "analyzer/models/locks.h"

#include "tests/unit/models_feed.h"

#include <check.h>

enum { A = 0x1000, B = 0x2000, CONDITION = 0x3000, SEMAPHORE = 0x4000 };

static feed_t feed;

static void setup(void) {
  feed = feed_begin();
  for (uint32_t thread = 1; thread <= 4; ++thread) feed_start(&feed, thread);
}
static void teardown(void) { feed_free(&feed); }

static const lock_t *lock_at(uint64_t address) {
  return locks_at(models_locks(feed.models), address);
}

static void acquire(uint32_t thread, uint64_t lock, uint32_t bits, uint64_t time) {
  feed_at(&feed, time);
  feed_acquire(&feed, thread, lock, bits, thread * 10);
}

static void release(uint32_t thread, uint64_t lock, uint32_t bits, uint64_t time) {
  feed_at(&feed, time);
  feed_release(&feed, thread, lock, bits);
}

static void waited(uint32_t thread, uint64_t lock, uint32_t bits, uint64_t from, uint64_t until) {
  feed_at(&feed, until);
  feed_waited(&feed, thread, lock, bits, thread * 10, until - from);
}

static uint64_t site_ns(const site_table_t *table, uint32_t kind, uint32_t stack) {
  for (uint32_t at = 0; at < table->count; ++at)
    if (table->items[at].stack == stack && table->items[at].kind == kind)
      return table->items[at].total_ns;
  return 0;
}

static void check_sum(void) {
  const locks_t *locks = models_locks(feed.models);
  uint64_t blamed = 0, waits = 0;
  for (uint32_t id = 1; id < locks_limit(locks); ++id) {
    const lock_t *lock = locks_get(locks, id);
    if (!lock) continue;
    blamed += lock->blamed_ns;
    waits += lock->wait_ns.total + lock->reacquire_ns;
  }
  ck_assert_uint_eq(blamed, waits);
}

// 3 waits for A, which 2 holds, which waits for B, which 1 holds.
START_TEST(a_chain_is_charged_to_its_end) {
  acquire(1, B, FEED_MUTEX, 100000);
  acquire(2, A, FEED_MUTEX, 110000);
  release(1, B, FEED_MUTEX, 600000);
  waited(2, B, FEED_MUTEX, 200000, 605000);
  release(2, B, FEED_MUTEX, 650000);
  release(2, A, FEED_MUTEX, 700000);
  waited(3, A, FEED_MUTEX, 150000, 710000);
  feed_end(&feed);
  const lock_t *a = lock_at(A), *b = lock_at(B);
  ck_assert_uint_eq(site_ns(&a->holders, 0, 20), 50000 + 95000);
  ck_assert_uint_eq(site_ns(&a->holders, b->id, 10), 400000);
  ck_assert_uint_eq(site_ns(&a->holders, b->id, 0), 5000);  // until 2 went on with B
  ck_assert_uint_eq(site_ns(&a->holders, 0, 0), 10000);
  ck_assert_uint_eq(site_ns(&b->holders, 0, 10), 400000);
  ck_assert_uint_eq(site_ns(&b->blamed, 0, 10), 800000);
  check_sum();
}
END_TEST

// All of it is still so when the trace ends, whatever the order of the threads.
START_TEST(a_chain_that_has_not_ended) {
  acquire(3, B, FEED_MUTEX, 100000);
  acquire(2, A, FEED_MUTEX, 110000);
  feed_pending(&feed, 1, TRACE_PENDING_LOCK, A, FEED_MUTEX, 11, 300000);
  feed_pending(&feed, 2, TRACE_PENDING_LOCK, B, FEED_MUTEX, 21, 200000);
  feed_at(&feed, 500000);
  feed_event(&feed, 3, TRACE_SLEEP, 0, 0, 1000, 0, 0);
  feed_end(&feed);
  ck_assert_uint_eq(site_ns(&lock_at(A)->holders, lock_at(B)->id, 30), 200000);
  ck_assert_uint_eq(site_ns(&lock_at(B)->blamed, 0, 30), 500000);
  check_sum();
}
END_TEST

START_TEST(readers_share) {
  acquire(1, A, FEED_READ, 100000);
  acquire(2, A, FEED_READ, 200000);
  release(1, A, FEED_WRITE, 400000);
  release(2, A, FEED_WRITE, 500000);
  waited(3, A, FEED_WRITE, 150000, 510000);
  feed_end(&feed);
  const lock_t *lock = lock_at(A);
  ck_assert_uint_eq(site_ns(&lock->holders, 0, 10), 50000 + 100000);
  ck_assert_uint_eq(site_ns(&lock->holders, 0, 20), 100000 + 100000);
  ck_assert_uint_eq(site_ns(&lock->holders, 0, 0), 10000);
  check_sum();
}
END_TEST

// Each of three gets it in turn and queues up again at once.
static void hand_round(unsigned rounds, uint64_t step) {
  uint64_t time = 100000;
  acquire(1, A, FEED_MUTEX, time);
  for (unsigned round = 0; round < rounds; ++round, time += step) {
    uint32_t giver = 1 + round % 3, taker = 1 + (round + 1) % 3;
    release(giver, A, FEED_MUTEX, time + step - 500);
    waited(taker, A, FEED_MUTEX, round < 2 ? 100000 : time - 2 * step + step - 100, time + step);
  }
}

START_TEST(a_queue_that_never_drains_is_a_convoy) {
  hand_round(100, 10000);
  feed_end(&feed);
  const lock_convoys_t *convoys = &lock_at(A)->convoys;
  ck_assert_uint_eq(convoys->count, 1);
  ck_assert_uint_ge(convoys->longest, 96);
  ck_assert_uint_le(convoys->longest, 100);
  ck_assert_uint_ge(convoys->longest_until - convoys->longest_from, 960000);
  ck_assert_uint_eq(convoys->total_ns, convoys->longest_until - convoys->longest_from);
}
END_TEST

START_TEST(a_short_queue_is_no_convoy) {
  hand_round(LOCK_CONVOY_HANDOVERS - 1, 10000);
  feed_end(&feed);
  ck_assert_uint_eq(lock_at(A)->convoys.count, 0);
}
END_TEST

START_TEST(one_waiter_after_the_other_is_no_convoy) {
  for (uint64_t round = 0; round < 100; ++round) {
    acquire(1, A, FEED_MUTEX, 100000 + round * 10000);
    release(1, A, FEED_MUTEX, 105000 + round * 10000);
    waited(2, A, FEED_MUTEX, 102000 + round * 10000, 106000 + round * 10000);
    release(2, A, FEED_MUTEX, 107000 + round * 10000);
  }
  feed_end(&feed);
  ck_assert_uint_eq(lock_at(A)->convoys.count, 0);
}
END_TEST

START_TEST(a_sleep_while_it_is_held) {
  acquire(1, A, FEED_MUTEX, 100000);
  feed_at(&feed, 600000);
  feed_event(&feed, 1, TRACE_SLEEP, 99, 0, 400000, 0, 0);
  release(1, A, FEED_MUTEX, 700000);
  waited(2, A, FEED_MUTEX, 300000, 705000);
  feed_at(&feed, 2000000);
  feed_event(&feed, 1, TRACE_SLEEP, 98, 0, 400000, 0, 0);  // holds nothing
  feed_end(&feed);
  const lock_blocks_t *blocks = &lock_at(A)->blocks;
  ck_assert_uint_eq(blocks->count, 1);
  ck_assert_uint_eq(blocks->items[0].hold_stack, 10);
  ck_assert_uint_eq(blocks->items[0].call_stack, 99);
  ck_assert_int_eq(blocks->items[0].state, THREAD_STATE_SLEEP);
  ck_assert_uint_eq(blocks->items[0].total_ns, 400000);
  ck_assert_uint_eq(blocks->items[0].waits, 1);
  ck_assert_uint_eq(blocks->items[0].waited_ns, 300000);
}
END_TEST

START_TEST(sites_have_figures_of_their_own) {
  for (uint64_t round = 0; round < 40; ++round) {
    feed_acquire(&feed, 1, A, FEED_MUTEX, 100 + (uint32_t)(round % 20));
    feed_release(&feed, 1, A, FEED_MUTEX);
  }
  feed_waited(&feed, 1, A, FEED_MUTEX, 107, 500);
  feed_release(&feed, 1, A, FEED_MUTEX);
  feed_end(&feed);
  const lock_sites_t *sites = &lock_at(A)->sites;
  ck_assert_uint_eq(sites->count, 20);
  ck_assert_uint_eq(sites->items[0].stack, 107);
  ck_assert_uint_eq(sites->items[0].acquisitions, 3);
  ck_assert_uint_eq(sites->items[0].contended, 1);
  ck_assert_uint_eq(sites->items[0].wait_ns.total, 500);
  ck_assert_uint_eq(sites->items[0].hold_ns.count, 3);
  ck_assert_uint_eq(sites->items[1].acquisitions, 2);
}
END_TEST

START_TEST(a_wait_on_a_condition_has_parts) {
  acquire(2, A, FEED_MUTEX, 50000);
  release(2, A, FEED_MUTEX | TRACE_LOCK_BY_CONDITION, 60000);
  acquire(1, A, FEED_MUTEX, 100000);
  feed_at(&feed, 200000);
  feed_event(&feed, 1, TRACE_COND_SIGNAL, 10, 0, CONDITION, 0, 0);
  release(1, A, FEED_MUTEX, 500000);
  feed_at(&feed, 520000);
  feed_event(&feed, 2, TRACE_COND_WAIT, 20, 0, CONDITION, A, 460000);
  feed_acquire(&feed, 2, A, FEED_MUTEX | TRACE_LOCK_BY_CONDITION, 20);
  feed_end(&feed);
  const condition_t *condition = locks_condition(models_locks(feed.models), 0);
  ck_assert_uint_eq(condition->wait_ns.total, 460000);
  ck_assert_uint_eq(condition->signal_ns.total, 140000);
  ck_assert_uint_eq(condition->mutex_ns.total, 300000);
  ck_assert_uint_eq(condition->latency_ns, 20000);
  ck_assert_uint_eq(lock_at(A)->reacquires, 1);
  ck_assert_uint_eq(site_ns(&lock_at(A)->blamed, 0, 10), 300000);
  check_sum();
}
END_TEST

static void make_semaphore(uint64_t value) {
  feed_event(&feed, 1, TRACE_SEMAPHORE_INIT, 0, value, SEMAPHORE, TRACE_LOCK_SEMAPHORE, 0);
}

START_TEST(a_semaphore_that_others_post_is_no_contention) {
  make_semaphore(0);
  release(1, SEMAPHORE, TRACE_LOCK_SEMAPHORE, 500000);
  waited(2, SEMAPHORE, TRACE_LOCK_SEMAPHORE, 100000, 510000);
  feed_end(&feed);
  ck_assert_uint_eq(lock_at(SEMAPHORE)->wait_ns.count, 1);
  ck_assert(!lock_is_contention(lock_at(SEMAPHORE)));
}
END_TEST

START_TEST(a_semaphore_that_was_never_given_back_is_no_contention) {
  make_semaphore(1);
  acquire(1, SEMAPHORE, TRACE_LOCK_SEMAPHORE, 100000);
  feed_pending(&feed, 2, TRACE_PENDING_LOCK, SEMAPHORE, TRACE_LOCK_SEMAPHORE, 20, 200000);
  feed_end(&feed);
  ck_assert(!lock_is_contention(lock_at(SEMAPHORE)));
}
END_TEST

START_TEST(a_semaphore_used_as_a_lock_is_contention) {
  make_semaphore(1);
  acquire(1, SEMAPHORE, TRACE_LOCK_SEMAPHORE, 100000);
  release(1, SEMAPHORE, TRACE_LOCK_SEMAPHORE, 500000);
  waited(2, SEMAPHORE, TRACE_LOCK_SEMAPHORE, 200000, 510000);
  release(2, SEMAPHORE, TRACE_LOCK_SEMAPHORE, 600000);
  feed_end(&feed);
  ck_assert(lock_is_contention(lock_at(SEMAPHORE)));
}
END_TEST

Suite *models_blame_suite(void);
Suite *models_blame_suite(void) {
  const TTest *const tests[] = {a_chain_is_charged_to_its_end,
                                a_chain_that_has_not_ended,
                                readers_share,
                                a_queue_that_never_drains_is_a_convoy,
                                a_short_queue_is_no_convoy,
                                one_waiter_after_the_other_is_no_convoy,
                                a_sleep_while_it_is_held,
                                sites_have_figures_of_their_own,
                                a_wait_on_a_condition_has_parts,
                                a_semaphore_that_others_post_is_no_contention,
                                a_semaphore_that_was_never_given_back_is_no_contention,
                                a_semaphore_used_as_a_lock_is_contention};
  Suite *suite = suite_create("models_blame");
  TCase *group = tcase_create("blame");
  tcase_add_checked_fixture(group, setup, teardown);
  for (size_t at = 0; at < sizeof tests / sizeof *tests; ++at) tcase_add_test(group, tests[at]);
  suite_add_tcase(suite, group);
  return suite;
}
