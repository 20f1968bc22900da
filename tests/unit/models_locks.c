// SPDX-License-Identifier: Apache-2.0
// The lock model: identity, holders, waits and whom they are charged to; and the time of threads.
#include "analyzer/models/locks.h"

#include "tests/unit/models_feed.h"

#include <check.h>
#include <errno.h>

enum { A = 0x1000, B = 0x2000, BLOCK = 0x10000 };

static feed_t feed;

static void setup(void) {
  feed = feed_begin();
  for (uint32_t thread = 1; thread <= 3; ++thread) feed_start(&feed, thread);
}
static void teardown(void) { feed_free(&feed); }

static const locks_t *locks(void) { return models_locks(feed.models); }
static const lock_t *lock_at(uint64_t address) { return locks_at(locks(), address); }

static uint64_t site_ns(const site_table_t *table, uint32_t stack) {
  for (uint32_t at = 0; at < table->count; ++at)
    if (table->items[at].stack == stack) return table->items[at].total_ns;
  return 0;
}

// ---- holds -------------------------------------------------------------------------------------

START_TEST(acquire_and_release) {
  feed_at(&feed, 100000);
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  ck_assert_uint_eq(lock_at(A)->owner.thread, 1);
  feed_at(&feed, 350000);
  feed_release(&feed, 1, A, FEED_MUTEX);
  feed_end(&feed);
  ck_assert_uint_eq(lock_at(A)->acquisitions, 1);
  ck_assert_uint_eq(lock_at(A)->contended, 0);
  ck_assert_uint_eq(lock_at(A)->hold_ns.total, 250000);
  ck_assert_uint_eq(lock_at(A)->first_stack, 10);
  ck_assert(!lock_is_held(lock_at(A)));
}
END_TEST

START_TEST(recursive_hold_is_the_outermost) {
  uint32_t bits = FEED_MUTEX | TRACE_LOCK_RECURSIVE;
  feed_at(&feed, 100000);
  feed_acquire(&feed, 1, A, bits, 10);
  feed_acquire(&feed, 1, A, bits, 11);
  ck_assert_uint_eq(lock_at(A)->owner.depth, 2);
  feed_release(&feed, 1, A, bits);
  ck_assert(lock_is_held(lock_at(A)));
  feed_at(&feed, 200000);
  feed_release(&feed, 1, A, bits);
  feed_end(&feed);
  ck_assert_uint_eq(lock_at(A)->acquisitions, 2);
  ck_assert_uint_eq(lock_at(A)->holds, 1);
  ck_assert_uint_eq(lock_at(A)->hold_ns.total, 100000);
}
END_TEST

START_TEST(held_at_the_end) {
  feed_acquire(&feed, 2, A, FEED_MUTEX, 10);
  feed_end(&feed);
  ck_assert(lock_is_held(lock_at(A)));
  ck_assert_uint_eq(lock_at(A)->owner.thread, 2);
  ck_assert_uint_eq(lock_at(A)->owner.stack, 10);
  ck_assert_uint_eq(locks_held_count(locks(), 2), 1);
}
END_TEST

START_TEST(readers_hold_together) {
  feed_acquire(&feed, 1, A, FEED_READ, 10);
  feed_acquire(&feed, 2, A, FEED_READ, 20);
  ck_assert_uint_eq(lock_at(A)->reader_count, 2);
  feed_release(&feed, 1, A, FEED_WRITE);  // an unlock does not say what it releases
  ck_assert_uint_eq(lock_at(A)->reader_count, 1);
  ck_assert_uint_eq(lock_at(A)->readers[0].thread, 2);
  feed_release(&feed, 2, A, FEED_WRITE);
  feed_end(&feed);
  ck_assert(!lock_is_held(lock_at(A)));
}
END_TEST

START_TEST(failed_acquire_does_not_hold) {
  feed_event(&feed, 1, TRACE_LOCK_FAIL, 10, FEED_MUTEX | TRACE_LOCK_TIMED, A, 70000,
             trace_zigzag(-ETIMEDOUT));
  feed_end(&feed);
  ck_assert(!lock_is_held(lock_at(A)));
  ck_assert_uint_eq(lock_at(A)->failed, 1);
  ck_assert_uint_eq(lock_at(A)->acquisitions, 0);
  ck_assert_uint_eq(lock_at(A)->wait_ns.count, 1);
}
END_TEST

START_TEST(request_refused_at_once_has_not_waited) {
  feed_event(&feed, 1, TRACE_LOCK_FAIL, 10, FEED_MUTEX | TRACE_LOCK_ERRORCHECK, A, 40,
             trace_zigzag(-EDEADLK));
  feed_end(&feed);
  ck_assert_uint_eq(lock_at(A)->failed, 1);
  ck_assert_uint_eq(lock_at(A)->wait_ns.count, 0);
}
END_TEST

START_TEST(robust_lock_of_a_dead_owner_is_held_by_the_next) {
  uint32_t bits = FEED_MUTEX | TRACE_LOCK_ROBUST;
  feed_acquire(&feed, 1, A, bits, 10);
  feed_stop(&feed, 1);
  feed_acquire(&feed, 2, A, bits | TRACE_LOCK_OWNER_DIED, 20);
  ck_assert_uint_eq(lock_at(A)->owner.thread, 2);
  ck_assert_uint_eq(locks_held_count(locks(), 1), 0);
  feed_release(&feed, 2, A, bits);
  feed_end(&feed);
  ck_assert(!lock_is_held(lock_at(A)));
}
END_TEST

START_TEST(release_by_another_thread) {
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_release(&feed, 2, A, FEED_MUTEX);
  feed_end(&feed);
  ck_assert(!lock_is_held(lock_at(A)));
  ck_assert_uint_eq(lock_at(A)->released_by_other, 1);
  ck_assert_uint_eq(locks_held_count(locks(), 1), 0);
}
END_TEST

START_TEST(release_by_another_thread_fails_where_owners_are_checked) {
  uint32_t bits = FEED_MUTEX | TRACE_LOCK_ERRORCHECK;
  feed_acquire(&feed, 1, A, bits, 10);
  feed_release(&feed, 2, A, bits);
  feed_end(&feed);
  ck_assert_uint_eq(lock_at(A)->owner.thread, 1);
}
END_TEST

START_TEST(release_without_an_acquire_is_tolerated) {
  feed_release(&feed, 1, A, FEED_MUTEX);
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_end(&feed);
  ck_assert_uint_eq(lock_at(A)->released_unseen, 1);
  ck_assert_uint_eq(lock_at(A)->owner.thread, 1);
}
END_TEST

START_TEST(release_read_after_the_next_acquire) {
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_acquire(&feed, 2, A, FEED_MUTEX, 20);
  ck_assert_uint_eq(lock_at(A)->owner.thread, 2);
  feed_release(&feed, 1, A, FEED_MUTEX);
  ck_assert_uint_eq(lock_at(A)->owner.thread, 2);
  feed_release(&feed, 2, A, FEED_MUTEX);
  feed_end(&feed);
  ck_assert(!lock_is_held(lock_at(A)));
  ck_assert_uint_eq(lock_at(A)->released_by_other, 0);
  ck_assert_uint_eq(lock_at(A)->holds, 2);
}
END_TEST

START_TEST(condition_wait_gives_the_mutex_away) {
  uint32_t by_condition = FEED_MUTEX | TRACE_LOCK_BY_CONDITION;
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_release(&feed, 1, A, by_condition);
  ck_assert(!lock_is_held(lock_at(A)));
  feed_at(&feed, 900000);
  feed_event(&feed, 1, TRACE_COND_WAIT, 11, 0, 0x9000, A, 500000);
  feed_waited(&feed, 1, A, by_condition, 11, 2000);
  ck_assert_uint_eq(lock_at(A)->owner.thread, 1);
  feed_event(&feed, 2, TRACE_COND_SIGNAL, 12, 1, 0x9000, 0, 0);
  feed_end(&feed);
  ck_assert_uint_eq(lock_at(A)->contended, 0);
  ck_assert_uint_eq(locks_condition_count(locks()), 1);
  ck_assert_uint_eq(locks_condition(locks(), 0)->waits, 1);
  ck_assert_uint_eq(locks_condition(locks(), 0)->broadcasts, 1);
  ck_assert_uint_eq(locks_condition(locks(), 0)->wait_ns.total, 500000);
  ck_assert_uint_eq(threads_get(models_threads(feed.models), 1)->time_ns[THREAD_STATE_CONDITION],
                    501000);
}
END_TEST

START_TEST(condition_wait_inside_a_recursion_keeps_it_held) {
  uint32_t bits = FEED_MUTEX | TRACE_LOCK_RECURSIVE;
  feed_acquire(&feed, 1, A, bits, 10);
  feed_acquire(&feed, 1, A, bits, 10);
  feed_release(&feed, 1, A, bits | TRACE_LOCK_BY_CONDITION);
  ck_assert(lock_is_held(lock_at(A)));
}
END_TEST

// ---- contention --------------------------------------------------------------------------------

START_TEST(wait_is_charged_to_the_holders_site) {
  feed_at(&feed, 100000);
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_at(&feed, 200000);
  feed_release(&feed, 1, A, FEED_MUTEX);
  feed_at(&feed, 205000);
  feed_waited(&feed, 2, A, FEED_MUTEX, 20, 65000);  // from 140000
  feed_end(&feed);
  const lock_t *lock = lock_at(A);
  ck_assert_uint_eq(lock->contended, 1);
  ck_assert_uint_eq(lock->wait_ns.total, 65000);
  ck_assert_uint_eq(site_ns(&lock->waiters, 20), 65000);
  ck_assert_uint_eq(site_ns(&lock->holders, 10), 60000);
  ck_assert_uint_eq(site_ns(&lock->holders, 0), 5000);  // hand-over
  ck_assert_uint_eq(lock->max_waiters, 1);
}
END_TEST

START_TEST(wait_through_several_holders_is_divided) {
  feed_at(&feed, 100000);
  feed_acquire(&feed, 2, A, FEED_MUTEX, 20);
  feed_at(&feed, 110000);
  feed_release(&feed, 2, A, FEED_MUTEX);
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);  // 111000
  feed_at(&feed, 150000);
  feed_release(&feed, 1, A, FEED_MUTEX);
  feed_at(&feed, 150000);
  feed_waited(&feed, 3, A, FEED_MUTEX, 30, 48000);  // from 102000
  feed_end(&feed);
  const lock_t *lock = lock_at(A);
  ck_assert_uint_eq(site_ns(&lock->holders, 20), 8000);
  ck_assert_uint_eq(site_ns(&lock->holders, 10), 39000);
  ck_assert_uint_eq(site_ns(&lock->holders, 0), 1000);
}
END_TEST

START_TEST(most_waiters_at_one_moment) {
  // Waits [100, 200], [120, 210], [190, 300] and [250, 310]: three at 195.
  const uint64_t from[] = {100000, 120000, 190000, 250000};
  const uint64_t until[] = {200000, 210000, 300000, 310000};
  for (uint32_t at = 0; at < 4; ++at) {
    feed_at(&feed, until[at]);
    feed_waited(&feed, 1 + at, A, FEED_MUTEX, 20, until[at] - from[at]);
  }
  ck_assert_uint_eq(lock_at(A)->max_waiters, 3);
}
END_TEST

START_TEST(waits_one_after_the_other_are_one_at_a_time) {
  for (uint32_t at = 1; at <= 4; ++at) {
    feed_at(&feed, at * 100000);
    feed_waited(&feed, at, A, FEED_MUTEX, 20, 100000);
  }
  ck_assert_uint_eq(lock_at(A)->max_waiters, 1);
}
END_TEST

START_TEST(convoy_of_fifty_is_counted) {
  for (uint32_t thread = 1; thread <= 50; ++thread) {
    feed_at(&feed, 100000 + thread * 1000);
    feed_waited(&feed, thread, A, FEED_MUTEX, 20, 50000 + thread * 1000);
    feed_release(&feed, thread, A, FEED_MUTEX);
  }
  ck_assert_uint_ge(lock_at(A)->max_waiters, 49);
  ck_assert_uint_le(lock_at(A)->max_waiters, 50);
}
END_TEST

START_TEST(wait_that_never_ended_counts) {
  feed_at(&feed, 100000);
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_at(&feed, 400000);
  feed_pending(&feed, 2, TRACE_PENDING_LOCK, A, FEED_MUTEX, 20, 150000);
  feed_end(&feed);
  const lock_t *lock = lock_at(A);
  ck_assert_uint_eq(lock->acquisitions, 1);
  ck_assert_uint_eq(lock->wait_ns.total, 250000);
  ck_assert_uint_eq(site_ns(&lock->holders, 10), 250000);
  ck_assert_uint_eq(lock->max_waiters, 1);
}
END_TEST

// ---- identity ----------------------------------------------------------------------------------

START_TEST(initialising_again_is_a_new_generation) {
  feed_event(&feed, 1, TRACE_LOCK_INIT, 7, FEED_MUTEX, A, 0, 0);
  uint32_t first = lock_at(A)->id;
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_release(&feed, 1, A, FEED_MUTEX);
  feed_event(&feed, 1, TRACE_LOCK_INIT, 8, FEED_MUTEX, A, 0, 0);
  ck_assert_uint_ne(lock_at(A)->id, first);
  ck_assert_uint_eq(lock_at(A)->generation, 1);
  ck_assert_uint_eq(lock_at(A)->init_stack, 8);
  ck_assert_uint_eq(lock_at(A)->acquisitions, 0);
  ck_assert_int_eq(locks_get(locks(), first)->end, LOCK_END_INITIALISED);
}
END_TEST

START_TEST(block_of_a_lock_is_known) {
  feed_allocate(&feed, 1, BLOCK, 128, 5);
  feed_acquire(&feed, 1, BLOCK + 40, FEED_MUTEX, 10);
  ck_assert_uint_eq(lock_at(BLOCK + 40)->block.address, BLOCK);
  ck_assert_uint_eq(lock_at(BLOCK + 40)->block.size, 128);
  ck_assert_uint_eq(lock_at(BLOCK + 40)->block.stack, 5);
}
END_TEST

START_TEST(freeing_a_block_ends_the_locks_in_it_alone) {
  feed_allocate(&feed, 1, BLOCK, 128, 5);
  feed_acquire(&feed, 1, BLOCK, FEED_MUTEX, 10);
  feed_acquire(&feed, 1, BLOCK + 120, FEED_MUTEX, 10);
  feed_acquire(&feed, 1, BLOCK + 128, FEED_MUTEX, 10);
  feed_release_block(&feed, 1, BLOCK);
  ck_assert_ptr_null(lock_at(BLOCK));
  ck_assert_ptr_null(lock_at(BLOCK + 120));
  ck_assert_ptr_nonnull(lock_at(BLOCK + 128));
  ck_assert_uint_eq(locks_held_count(locks(), 1), 1);
}
END_TEST

START_TEST(realloc_in_place_keeps_locks_and_moving_ends_them) {
  feed_allocate(&feed, 1, BLOCK, 128, 5);
  feed_acquire(&feed, 1, BLOCK + 8, FEED_MUTEX, 10);
  feed_acquire(&feed, 1, BLOCK + 100, FEED_MUTEX, 10);
  feed_reallocate_start(&feed, 1, BLOCK);
  feed_reallocate(&feed, 1, BLOCK, BLOCK, 64, 6);
  ck_assert_ptr_nonnull(lock_at(BLOCK + 8));
  ck_assert_ptr_null(lock_at(BLOCK + 100));
  feed_reallocate_start(&feed, 1, BLOCK);
  feed_reallocate(&feed, 1, BLOCK, BLOCK + 0x1000, 64, 6);
  ck_assert_ptr_null(lock_at(BLOCK + 8));
}
END_TEST

START_TEST(a_large_block_that_is_freed_takes_its_locks) {
  feed_allocate(&feed, 1, BLOCK, 1 << 24, 5);
  feed_acquire(&feed, 1, BLOCK + (1 << 23), FEED_MUTEX, 10);
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_release_block(&feed, 1, BLOCK);
  ck_assert_ptr_null(lock_at(BLOCK + (1 << 23)));
  ck_assert_ptr_nonnull(lock_at(A));
}
END_TEST

// Of a block that is not in the record, only that it went back.
START_TEST(memory_that_goes_back_takes_its_locks) {
  feed_nested(&feed, 1, BLOCK + 8, BLOCK + 48, 10);
  feed_acquire(&feed, 1, BLOCK + 128, FEED_MUTEX, 10);
  feed_event(&feed, 1, TRACE_LOCK_MEMORY_FREED, 0, 128, BLOCK, 0, 0);
  ck_assert_ptr_null(lock_at(BLOCK + 8));
  ck_assert_ptr_null(lock_at(BLOCK + 48));
  ck_assert_ptr_nonnull(lock_at(BLOCK + 128));
}
END_TEST

START_TEST(locks_on_the_stack_of_a_thread_end_with_it) {
  uint64_t on_stack = feed_handle(2) - 0x500, elsewhere = feed_handle(2) + 0x500;
  feed_acquire(&feed, 2, on_stack, FEED_MUTEX, 10);
  feed_release(&feed, 2, on_stack, FEED_MUTEX);
  feed_acquire(&feed, 2, elsewhere, FEED_MUTEX, 10);
  feed_release(&feed, 2, elsewhere, FEED_MUTEX);
  feed_stop(&feed, 2);
  ck_assert_ptr_null(lock_at(on_stack));
  ck_assert_ptr_nonnull(lock_at(elsewhere));
}
END_TEST

START_TEST(locks_made_and_destroyed_for_ever_need_no_memory) {
  for (uint32_t round = 0; round < 10000; ++round) {
    uint64_t block = BLOCK + (round % 100) * 0x100;
    feed_allocate(&feed, 1, block, 64, 5);
    feed_nested(&feed, 1, A, block, 10);
    feed_release_block(&feed, 1, block);
  }
  feed_end(&feed);
  uint32_t kept = 0, instances = 0;
  for (uint32_t id = 1; id < locks_limit(locks()); ++id) {
    const lock_t *lock = locks_get(locks(), id);
    if (!lock || lock->address == A) continue;
    ++kept;
    instances += lock->instances;
  }
  ck_assert_uint_eq(kept, 1);
  ck_assert_uint_eq(instances, 10000);
  ck_assert_uint_eq(dependencies_count(models_dependencies(feed.models)), 0);
}
END_TEST

// ---- threads -----------------------------------------------------------------------------------

START_TEST(times_of_a_thread_sum_to_its_life) {
  const threads_t *threads = models_threads(feed.models);
  uint64_t begin = threads_get(threads, 2)->started_ns;
  feed_at(&feed, 100000);
  feed_waited(&feed, 2, A, FEED_MUTEX, 20, 30000);
  feed_at(&feed, 200000);
  feed_event(&feed, 2, TRACE_EPOLL_WAIT, 21, 0, 3, 50000, 0);
  feed_at(&feed, 300000);
  feed_event(&feed, 2, TRACE_READ, 0, 5, trace_zigzag(10), 20000, 0);
  feed_at(&feed, 310000);
  // Around the read: 10000 before it and as many behind it count.
  feed_event(&feed, 2, TRACE_WRITE, 0, 5, trace_zigzag(10), 40000, 0);
  feed_at(&feed, 500000);
  feed_stop(&feed, 2);
  feed_at(&feed, 900000);
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_end(&feed);
  const thread_account_t *account = threads_get(threads, 2);
  ck_assert_uint_eq(account->time_ns[THREAD_STATE_LOCK], 30000);
  ck_assert_uint_eq(account->time_ns[THREAD_STATE_EPOLL], 50000);
  ck_assert_uint_eq(account->time_ns[THREAD_STATE_READ], 20000);
  ck_assert_uint_eq(account->time_ns[THREAD_STATE_WRITE], 20000);
  ck_assert_uint_eq(account->ended_ns, 500000);
  uint64_t sum = 0;
  for (unsigned state = 0; state < THREAD_STATE_COUNT; ++state) sum += account->time_ns[state];
  ck_assert_uint_eq(sum, account->ended_ns - begin);
}
END_TEST

// A cancelled call is told of after what the way out of it did: waits in it count once.
START_TEST(wait_told_of_after_those_in_it) {
  feed_at(&feed, 100000);
  feed_event(&feed, 2, TRACE_SLEEP, 0, 0, 40000, 0, 0);
  for (uint64_t i = 0; i < 3; i++) {
    feed_at(&feed, 300000 + 1000 * i);
    feed_waited(&feed, 2, A, FEED_MUTEX, 20, 200);
    feed_release(&feed, 2, A, FEED_MUTEX);
  }
  feed_at(&feed, 304000);
  feed_event(&feed, 2, TRACE_READ, 0, 5, trace_zigzag(-125), 154000, 0);
  feed_at(&feed, 500000);
  feed_stop(&feed, 2);
  feed_end(&feed);
  const thread_account_t *account = threads_get(models_threads(feed.models), 2);
  ck_assert_uint_eq(account->time_ns[THREAD_STATE_SLEEP], 40000);
  ck_assert_uint_eq(account->time_ns[THREAD_STATE_LOCK], 600);
  ck_assert_uint_eq(account->time_ns[THREAD_STATE_READ], 154000 - 600);
}
END_TEST

START_TEST(call_at_the_end_counts_to_the_end) {
  const threads_t *threads = models_threads(feed.models);
  feed_at(&feed, 400000);
  feed_pending(&feed, 2, TRACE_PENDING_CONDITION, 0x9000, A, 20, 150000);
  feed_at(&feed, 450000);
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_end(&feed);
  ck_assert_int_eq(threads_get(threads, 2)->state, THREAD_STATE_CONDITION);
  ck_assert_uint_eq(threads_get(threads, 2)->time_ns[THREAD_STATE_CONDITION], 300000);
  ck_assert_uint_eq(locks_condition(locks(), 0)->waits, 1);
}
END_TEST

START_TEST(join_names_the_joiner) {
  feed_stop(&feed, 2);
  feed_join(&feed, 1, 2);
  feed_event(&feed, 1, TRACE_THREAD_DETACH, 0, 0, feed_handle(3), 0, 0);
  feed_end(&feed);
  ck_assert_uint_eq(threads_get(models_threads(feed.models), 2)->joined_by, 1);
  ck_assert(threads_get(models_threads(feed.models), 3)->detached);
}
END_TEST

Suite *models_locks_suite(void);
Suite *models_locks_suite(void) {
  const struct {
    const char *name;
    const TTest *tests[16];
  } groups[] = {
      {"holds",
       {acquire_and_release, recursive_hold_is_the_outermost, held_at_the_end,
        readers_hold_together, failed_acquire_does_not_hold, request_refused_at_once_has_not_waited,
        robust_lock_of_a_dead_owner_is_held_by_the_next, release_by_another_thread,
        release_by_another_thread_fails_where_owners_are_checked,
        release_without_an_acquire_is_tolerated, release_read_after_the_next_acquire,
        condition_wait_gives_the_mutex_away, condition_wait_inside_a_recursion_keeps_it_held}},
      {"contention",
       {wait_is_charged_to_the_holders_site, wait_through_several_holders_is_divided,
        most_waiters_at_one_moment, waits_one_after_the_other_are_one_at_a_time,
        convoy_of_fifty_is_counted, wait_that_never_ended_counts}},
      {"identity",
       {initialising_again_is_a_new_generation, block_of_a_lock_is_known,
        freeing_a_block_ends_the_locks_in_it_alone,
        realloc_in_place_keeps_locks_and_moving_ends_them,
        a_large_block_that_is_freed_takes_its_locks, memory_that_goes_back_takes_its_locks,
        locks_on_the_stack_of_a_thread_end_with_it,
        locks_made_and_destroyed_for_ever_need_no_memory}},
      {"threads",
       {times_of_a_thread_sum_to_its_life, wait_told_of_after_those_in_it,
        call_at_the_end_counts_to_the_end, join_names_the_joiner}},
  };
  Suite *suite = suite_create("models_locks");
  for (size_t group = 0; group < sizeof groups / sizeof *groups; ++group) {
    TCase *tests = tcase_create(groups[group].name);
    tcase_add_checked_fixture(tests, setup, teardown);
    for (size_t test = 0; groups[group].tests[test]; ++test)
      tcase_add_test(tests, groups[group].tests[test]);
    suite_add_tcase(suite, tests);
  }
  return suite;
}
