// SPDX-License-Identifier: Apache-2.0
// Which deadlocks are found, which are ruled out and why, from events whose truth is known.
#include "analyzer/findings/deadlocks.h"

#include "tests/unit/models_feed.h"

#include <check.h>

enum { A = 0x1000, B = 0x2000, C = 0x3000, G = 0x4000 };

static feed_t feed;
static deadlocks_t *found;

static void setup(void) {
  feed = feed_begin();
  for (uint32_t thread = 1; thread <= 4; ++thread) feed_start(&feed, thread);
  found = NULL;
}

static void teardown(void) {
  deadlocks_free(found);
  feed_free(&feed);
}

static void find(void) {
  feed_end(&feed);
  found = deadlocks_find(feed.models, false);
}

static size_t count(deadlock_verdict_t verdict) { return deadlocks_count(found, verdict); }

static uint32_t lock_id(uint64_t address) {
  const lock_t *lock = locks_at(models_locks(feed.models), address);
  return lock ? lock->id : 0;
}

static void expect_benign(deadlock_reason_t reason) {
  find();
  ck_assert_uint_eq(count(DEADLOCK_FEASIBLE) + count(DEADLOCK_POTENTIAL), 0);
  ck_assert_uint_eq(count(DEADLOCK_ACTUAL), 0);
  ck_assert_uint_eq(found->count, 1);
  ck_assert_int_eq(found->items[0].reason, reason);
}

// ---- potential ---------------------------------------------------------------------------------

START_TEST(opposite_order_is_potential_with_both_legs) {
  feed_nested(&feed, 1, A, B, 10);
  feed_nested(&feed, 2, B, A, 20);
  find();
  ck_assert_uint_eq(found->count, 1);
  const deadlock_t *item = &found->items[0];
  ck_assert_int_eq(item->verdict, DEADLOCK_FEASIBLE);
  ck_assert_int_eq(item->kind, DEADLOCK_KIND_LOCK_ORDER);
  ck_assert_uint_eq(item->leg_count, 2);
  const deadlock_leg_t *first = &item->legs[0], *second = &item->legs[1];
  ck_assert_uint_eq(first->thread, 1);
  ck_assert_uint_eq(first->holds, lock_id(A));
  ck_assert_uint_eq(first->wants, lock_id(B));
  ck_assert_uint_eq(first->holds_stack, 10);
  ck_assert_uint_eq(first->wants_stack, 11);
  ck_assert_uint_eq(second->thread, 2);
  ck_assert_uint_eq(second->holds, lock_id(B));
  ck_assert_uint_eq(second->wants, lock_id(A));
  ck_assert_uint_eq(second->holds_stack, 20);
  ck_assert_uint_eq(second->wants_stack, 21);
  ck_assert_uint_eq(first->count, 1);
  ck_assert(item->why_not_ruled_out & 1u << DEADLOCK_DOUBT_INDEX_UNBOUNDED);
}
END_TEST

START_TEST(repeated_orders_are_one_finding_with_counts) {
  for (int round = 0; round < 50; ++round) {
    feed_nested(&feed, 1, A, B, 10);
    feed_nested(&feed, 2, B, A, 20);
  }
  find();
  ck_assert_uint_eq(found->count, 1);
  ck_assert_uint_eq(found->items[0].legs[0].count, 50);
  ck_assert_uint_lt(found->items[0].legs[0].first_ns, found->items[0].legs[0].last_ns);
}
END_TEST

START_TEST(stacks_that_were_taken_only_once_make_one_finding) {
  // The orders come first without stacks, then with them, then without again.
  for (int round = 0; round < 3; ++round) {
    uint32_t stack = round == 1;
    feed_acquire(&feed, 1, A, FEED_MUTEX, stack * 10);
    feed_acquire(&feed, 1, B, FEED_MUTEX, stack * 11);
    feed_release(&feed, 1, B, FEED_MUTEX);
    feed_release(&feed, 1, A, FEED_MUTEX);
    feed_acquire(&feed, 2, B, FEED_MUTEX, stack * 20);
    feed_acquire(&feed, 2, A, FEED_MUTEX, stack * 21);
    feed_release(&feed, 2, A, FEED_MUTEX);
    feed_release(&feed, 2, B, FEED_MUTEX);
  }
  find();
  ck_assert_uint_eq(found->count, 1);
  ck_assert_uint_eq(found->items[0].legs[0].count, 3);
  ck_assert_uint_eq(found->items[0].legs[0].holds_stack, 10);
  ck_assert_uint_eq(found->items[0].legs[1].wants_stack, 21);
}
END_TEST

START_TEST(three_locks_in_a_ring_are_one_cycle_of_three) {
  feed_nested(&feed, 1, A, B, 10);
  feed_nested(&feed, 2, B, C, 20);
  feed_nested(&feed, 3, C, A, 30);
  find();
  ck_assert_uint_eq(found->count, 1);
  ck_assert_int_eq(found->items[0].verdict, DEADLOCK_FEASIBLE);
  ck_assert_uint_eq(found->items[0].leg_count, 3);
  for (uint32_t leg = 0; leg < 3; ++leg)
    ck_assert_uint_eq(found->items[0].legs[leg].wants, found->items[0].legs[(leg + 1) % 3].holds);
}
END_TEST

START_TEST(second_lock_by_trylock_makes_no_edge) {
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_acquire(&feed, 1, B, FEED_MUTEX | TRACE_LOCK_TRY, 11);
  feed_release(&feed, 1, B, FEED_MUTEX);
  feed_release(&feed, 1, A, FEED_MUTEX);
  feed_nested(&feed, 2, B, A, 20);
  find();
  ck_assert_uint_eq(found->count, 0);
}
END_TEST

START_TEST(first_lock_by_trylock_is_held_all_the_same) {
  feed_acquire(&feed, 1, A, FEED_MUTEX | TRACE_LOCK_TRY, 10);
  feed_acquire(&feed, 1, B, FEED_MUTEX, 11);
  feed_release(&feed, 1, B, FEED_MUTEX);
  feed_release(&feed, 1, A, FEED_MUTEX);
  feed_nested(&feed, 2, B, A, 20);
  find();
  ck_assert_uint_eq(count(DEADLOCK_FEASIBLE), 1);
}
END_TEST

START_TEST(timed_request_is_marked_bounded) {
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_acquire(&feed, 1, B, FEED_MUTEX | TRACE_LOCK_TIMED, 11);
  feed_release(&feed, 1, B, FEED_MUTEX);
  feed_release(&feed, 1, A, FEED_MUTEX);
  feed_nested(&feed, 2, B, A, 20);
  find();
  ck_assert_uint_eq(count(DEADLOCK_POTENTIAL), 1);
  ck_assert(found->items[0].why_not_ruled_out & 1u << DEADLOCK_DOUBT_INDEX_BOUNDED);
  ck_assert(!(found->items[0].why_not_ruled_out & 1u << DEADLOCK_DOUBT_INDEX_UNBOUNDED));
}
END_TEST

START_TEST(failed_acquire_holds_nothing_but_was_a_request) {
  feed_event(&feed, 1, TRACE_LOCK_FAIL, 10, FEED_MUTEX | TRACE_LOCK_TRY, A, 0, trace_zigzag(-16));
  feed_acquire(&feed, 1, B, FEED_MUTEX, 11);
  feed_release(&feed, 1, B, FEED_MUTEX);
  feed_nested(&feed, 2, B, A, 20);
  find();
  ck_assert_uint_eq(found->count, 0);
}
END_TEST

static void nested_modes(uint32_t thread, uint64_t first, uint32_t first_bits, uint64_t second,
                         uint32_t second_bits, uint32_t stack) {
  feed_acquire(&feed, thread, first, first_bits, stack);
  feed_acquire(&feed, thread, second, second_bits, stack + 1);
  feed_release(&feed, thread, second, second_bits);
  feed_release(&feed, thread, first, first_bits);
}

START_TEST(readers_that_want_to_write_are_potential) {
  nested_modes(1, A, FEED_READ, B, FEED_WRITE, 10);
  nested_modes(2, B, FEED_READ, A, FEED_WRITE, 20);
  find();
  ck_assert_uint_eq(count(DEADLOCK_FEASIBLE), 1);
  ck_assert_int_eq(found->items[0].kind, DEADLOCK_KIND_RWLOCK);
  ck_assert_int_eq(found->items[0].legs[0].holds_mode, LOCK_MODE_SHARED);
  ck_assert_int_eq(found->items[0].legs[0].wants_mode, LOCK_MODE_EXCLUSIVE);
}
END_TEST

START_TEST(readers_alone_are_benign) {
  nested_modes(1, A, FEED_READ, B, FEED_READ, 10);
  nested_modes(2, B, FEED_READ, A, FEED_READ, 20);
  expect_benign(DEADLOCK_REASON_READERS);
}
END_TEST

START_TEST(a_pair_of_readers_in_the_cycle_breaks_it) {
  nested_modes(1, A, FEED_READ, B, FEED_READ, 10);
  nested_modes(2, B, FEED_READ, A, FEED_WRITE, 20);
  expect_benign(DEADLOCK_REASON_READERS);
}
END_TEST

// ---- benign ------------------------------------------------------------------------------------

START_TEST(one_thread_alone_is_benign) {
  feed_nested(&feed, 1, A, B, 10);
  feed_nested(&feed, 1, B, A, 20);
  expect_benign(DEADLOCK_REASON_SINGLE_THREAD);
}
END_TEST

START_TEST(orders_never_held_together_are_benign) {
  feed_nested(&feed, 1, A, B, 10);
  feed_nested(&feed, 1, B, C, 12);
  feed_nested(&feed, 2, C, A, 20);
  expect_benign(DEADLOCK_REASON_SINGLE_THREAD);
}
END_TEST

START_TEST(gate_lock_is_benign_and_named) {
  for (uint32_t thread = 1; thread <= 2; ++thread) {
    feed_acquire(&feed, thread, G, FEED_MUTEX, 5);
    if (thread == 1)
      feed_nested(&feed, 1, A, B, 10);
    else
      feed_nested(&feed, 2, B, A, 20);
    feed_release(&feed, thread, G, FEED_MUTEX);
  }
  expect_benign(DEADLOCK_REASON_GATE);
  ck_assert_uint_eq(found->items[0].gate, lock_id(G));
}
END_TEST

START_TEST(gate_held_shared_by_both_does_not_guard) {
  for (uint32_t thread = 1; thread <= 2; ++thread) {
    feed_acquire(&feed, thread, G, FEED_READ, 5);
    if (thread == 1)
      feed_nested(&feed, 1, A, B, 10);
    else
      feed_nested(&feed, 2, B, A, 20);
    feed_release(&feed, thread, G, FEED_READ);
  }
  find();
  ck_assert_uint_eq(count(DEADLOCK_FEASIBLE), 1);
}
END_TEST

START_TEST(joined_before_the_other_order_is_benign) {
  feed_create(&feed, 1, 5);
  feed_start(&feed, 5);
  feed_nested(&feed, 5, A, B, 10);
  feed_stop(&feed, 5);
  feed_join(&feed, 1, 5);
  feed_nested(&feed, 1, B, A, 20);
  expect_benign(DEADLOCK_REASON_ORDERED);
}
END_TEST

START_TEST(done_before_creating_the_other_thread_is_benign) {
  feed_nested(&feed, 1, A, B, 10);
  feed_create(&feed, 1, 5);
  feed_start(&feed, 5);
  feed_nested(&feed, 5, B, A, 20);
  expect_benign(DEADLOCK_REASON_ORDERED);
}
END_TEST

START_TEST(creation_that_returns_after_the_thread_started_orders_too) {
  feed_nested(&feed, 1, A, B, 10);
  feed_start(&feed, 5);
  feed_nested(&feed, 5, B, A, 20);
  feed_create(&feed, 1, 5);
  expect_benign(DEADLOCK_REASON_ORDERED);
}
END_TEST

START_TEST(done_after_creating_the_other_thread_is_potential) {
  feed_create(&feed, 1, 5);
  feed_start(&feed, 5);
  feed_nested(&feed, 5, B, A, 20);
  feed_nested(&feed, 1, A, B, 10);
  feed_stop(&feed, 5);
  feed_join(&feed, 1, 5);
  find();
  ck_assert_uint_eq(count(DEADLOCK_FEASIBLE), 1);
}
END_TEST

START_TEST(order_follows_through_a_chain_of_threads) {
  feed_create(&feed, 1, 5);
  feed_start(&feed, 5);
  feed_nested(&feed, 5, A, B, 10);
  feed_stop(&feed, 5);
  feed_join(&feed, 1, 5);
  feed_create(&feed, 1, 6);
  feed_start(&feed, 6);
  feed_nested(&feed, 6, B, A, 20);
  expect_benign(DEADLOCK_REASON_ORDERED);
}
END_TEST

START_TEST(reused_handle_is_another_thread) {
  // 5 ends and is joined; 6 gets its handle, is concurrent with 1, and inverts the order.
  feed_create(&feed, 1, 5);
  feed_start(&feed, 5);
  feed_stop(&feed, 5);
  feed_join(&feed, 1, 5);
  feed_create(&feed, 1, 5);
  feed_event(&feed, 6, TRACE_THREAD_START, 0, 6, feed_handle(5), 0, 0);
  feed_nested(&feed, 1, A, B, 10);
  feed_nested(&feed, 6, B, A, 20);
  find();
  ck_assert_uint_eq(count(DEADLOCK_FEASIBLE), 1);
}
END_TEST

// ---- identity ----------------------------------------------------------------------------------

START_TEST(destroyed_and_made_again_is_another_lock) {
  feed_nested(&feed, 1, A, B, 10);
  feed_event(&feed, 1, TRACE_LOCK_DESTROY, 0, FEED_MUTEX, A, 0, 0);
  feed_event(&feed, 1, TRACE_LOCK_INIT, 7, FEED_MUTEX, A, 0, 0);
  feed_nested(&feed, 2, B, A, 20);
  find();
  ck_assert_uint_eq(found->count, 0);
}
END_TEST

START_TEST(freed_without_destroy_is_another_lock) {
  feed_allocate(&feed, 1, 0x10000, 128, 3);
  feed_nested(&feed, 1, 0x10000 + 40, B, 10);
  feed_release_block(&feed, 1, 0x10000);
  feed_allocate(&feed, 2, 0x10000, 128, 4);
  feed_nested(&feed, 2, B, 0x10000 + 40, 20);
  find();
  ck_assert_uint_eq(found->count, 0);
}
END_TEST

START_TEST(inversion_found_although_both_locks_were_destroyed) {
  feed_nested(&feed, 1, A, B, 10);
  feed_nested(&feed, 2, B, A, 20);
  feed_event(&feed, 1, TRACE_LOCK_DESTROY, 0, FEED_MUTEX, A, 0, 0);
  feed_event(&feed, 1, TRACE_LOCK_DESTROY, 0, FEED_MUTEX, B, 0, 0);
  find();
  ck_assert_uint_eq(count(DEADLOCK_FEASIBLE), 1);
}
END_TEST

START_TEST(same_class_and_sites_are_merged) {
  for (uint64_t session = 0; session < 3; ++session) {
    uint64_t block = 0x10000 + session * 0x1000;
    feed_allocate(&feed, 1, block, 128, 3);
    feed_nested(&feed, 1, block, block + 40, 10);
    feed_nested(&feed, 2, block + 40, block, 20);
  }
  find();
  ck_assert_uint_eq(found->count, 1);
  ck_assert_uint_eq(found->items[0].merged, 3);
}
END_TEST

START_TEST(gap_in_the_record_draws_no_conclusion_across_it) {
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_event(&feed, 1, TRACE_LOST, 0, TRACE_LOCK_RELEASE, 5, 0, 0);
  feed_acquire(&feed, 1, B, FEED_MUTEX, 11);
  feed_nested(&feed, 2, B, A, 20);
  find();
  ck_assert_uint_eq(found->count, 0);
}
END_TEST

// ---- actual ------------------------------------------------------------------------------------

START_TEST(hang_is_actual_and_not_repeated_as_potential) {
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_acquire(&feed, 2, B, FEED_MUTEX, 20);
  uint64_t since = feed.now;
  feed_pending(&feed, 1, TRACE_PENDING_LOCK, B, FEED_MUTEX, 11, since);
  feed_pending(&feed, 2, TRACE_PENDING_LOCK, A, FEED_MUTEX, 21, since + 5);
  find();
  ck_assert_uint_eq(found->count, 1);
  const deadlock_t *item = &found->items[0];
  ck_assert_int_eq(item->verdict, DEADLOCK_ACTUAL);
  ck_assert_int_eq(item->kind, DEADLOCK_KIND_LOCK_ORDER);
  ck_assert_uint_eq(item->leg_count, 2);
  ck_assert_uint_eq(item->legs[0].thread, 1);
  ck_assert_uint_eq(item->legs[0].holds, lock_id(A));
  ck_assert_uint_eq(item->legs[0].holds_stack, 10);
  ck_assert_uint_eq(item->legs[0].wants, lock_id(B));
  ck_assert_uint_eq(item->legs[0].wants_stack, 11);
  ck_assert_uint_eq(item->legs[0].first_ns, since);
  ck_assert_uint_eq(item->legs[1].thread, 2);
  ck_assert_uint_eq(item->legs[1].wants, lock_id(A));
}
END_TEST

START_TEST(seen_inversion_that_then_hangs_is_one_actual) {
  feed_nested(&feed, 1, A, B, 10);
  feed_nested(&feed, 2, B, A, 20);
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_acquire(&feed, 2, B, FEED_MUTEX, 20);
  feed_pending(&feed, 1, TRACE_PENDING_LOCK, B, FEED_MUTEX, 11, feed.now);
  feed_pending(&feed, 2, TRACE_PENDING_LOCK, A, FEED_MUTEX, 21, feed.now);
  find();
  ck_assert_uint_eq(found->count, 1);
  ck_assert_int_eq(found->items[0].verdict, DEADLOCK_ACTUAL);
}
END_TEST

START_TEST(plain_mutex_taken_twice_is_a_self_deadlock) {
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_pending(&feed, 1, TRACE_PENDING_LOCK, A, FEED_MUTEX, 11, feed.now + 1);
  find();
  ck_assert_uint_eq(found->count, 1);
  ck_assert_int_eq(found->items[0].verdict, DEADLOCK_ACTUAL);
  ck_assert_int_eq(found->items[0].kind, DEADLOCK_KIND_SELF);
}
END_TEST

START_TEST(recursive_mutex_taken_twice_is_none) {
  uint32_t bits = FEED_MUTEX | TRACE_LOCK_RECURSIVE;
  feed_acquire(&feed, 1, A, bits, 10);
  feed_pending(&feed, 1, TRACE_PENDING_LOCK, A, bits, 11, feed.now + 1);
  find();
  ck_assert_uint_eq(found->count, 0);
}
END_TEST

START_TEST(note_of_a_request_that_was_granted_is_none) {
  // Killed between the note of the acquisition and the end of the note of the request.
  uint64_t since = feed.now;
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_pending(&feed, 1, TRACE_PENDING_LOCK, A, FEED_MUTEX, 10, since);
  find();
  ck_assert_uint_eq(found->count, 0);
}
END_TEST

START_TEST(joining_a_thread_that_needs_a_held_lock_is_actual) {
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_pending(&feed, 1, TRACE_PENDING_JOIN, feed_handle(2), 0, 11, feed.now);
  feed_pending(&feed, 2, TRACE_PENDING_LOCK, A, FEED_MUTEX, 20, feed.now);
  find();
  ck_assert_uint_eq(found->count, 1);
  ck_assert_int_eq(found->items[0].verdict, DEADLOCK_ACTUAL);
  ck_assert_int_eq(found->items[0].kind, DEADLOCK_KIND_JOIN);
  ck_assert_uint_eq(found->items[0].legs[0].wants_thread, 2);
  ck_assert_uint_eq(found->items[0].legs[0].holds, lock_id(A));
  ck_assert_uint_eq(found->items[0].legs[1].wants, lock_id(A));
}
END_TEST

START_TEST(lock_of_an_ended_thread_is_an_orphan) {
  feed_acquire(&feed, 2, A, FEED_MUTEX, 20);
  feed_stop(&feed, 2);
  feed_pending(&feed, 1, TRACE_PENDING_LOCK, A, FEED_MUTEX, 10, feed.now);
  find();
  ck_assert_uint_eq(found->count, 1);
  ck_assert_int_eq(found->items[0].kind, DEADLOCK_KIND_ORPHAN);
  ck_assert_uint_eq(found->items[0].ended_thread, 2);
}
END_TEST

START_TEST(third_thread_is_a_bystander) {
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_acquire(&feed, 2, B, FEED_MUTEX, 20);
  feed_pending(&feed, 1, TRACE_PENDING_LOCK, B, FEED_MUTEX, 11, feed.now);
  feed_pending(&feed, 2, TRACE_PENDING_LOCK, A, FEED_MUTEX, 21, feed.now);
  feed_pending(&feed, 3, TRACE_PENDING_LOCK, A, FEED_MUTEX, 30, feed.now);
  feed_pending(&feed, 4, TRACE_PENDING_JOIN, feed_handle(3), 0, 40, feed.now);
  find();
  ck_assert_uint_eq(found->count, 1);
  ck_assert_uint_eq(found->items[0].leg_count, 2);
  ck_assert_uint_eq(found->items[0].bystander_count, 2);
  ck_assert_uint_eq(found->items[0].bystanders[0].thread, 3);
  ck_assert_uint_eq(found->items[0].bystanders[0].wants, lock_id(A));
  ck_assert_uint_eq(found->items[0].bystanders[1].thread, 4);
  ck_assert_uint_eq(found->items[0].bystanders[1].wants_thread, 3);
}
END_TEST

START_TEST(waiting_for_a_working_holder_is_none) {
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_pending(&feed, 2, TRACE_PENDING_LOCK, A, FEED_MUTEX, 20, feed.now);
  find();
  ck_assert_uint_eq(found->count, 0);
}
END_TEST

START_TEST(timed_wait_in_the_cycle_is_not_actual) {
  feed_acquire(&feed, 1, A, FEED_MUTEX, 10);
  feed_acquire(&feed, 2, B, FEED_MUTEX, 20);
  feed_pending(&feed, 1, TRACE_PENDING_LOCK, B, FEED_MUTEX | TRACE_LOCK_TIMED, 11, feed.now);
  feed_pending(&feed, 2, TRACE_PENDING_LOCK, A, FEED_MUTEX, 21, feed.now);
  find();
  ck_assert_uint_eq(count(DEADLOCK_ACTUAL), 0);
  ck_assert_uint_eq(count(DEADLOCK_POTENTIAL), 1);
}
END_TEST

START_TEST(writer_waits_for_all_readers) {
  feed_acquire(&feed, 1, A, FEED_READ, 10);
  feed_acquire(&feed, 2, A, FEED_READ, 20);
  feed_acquire(&feed, 3, B, FEED_MUTEX, 30);
  feed_pending(&feed, 3, TRACE_PENDING_LOCK, A, FEED_WRITE, 31, feed.now);
  feed_pending(&feed, 2, TRACE_PENDING_LOCK, B, FEED_MUTEX, 21, feed.now);
  find();
  ck_assert_uint_eq(count(DEADLOCK_ACTUAL), 1);
  ck_assert_int_eq(found->items[0].kind, DEADLOCK_KIND_RWLOCK);
  ck_assert_int_eq(found->items[0].legs[0].holds_mode, LOCK_MODE_SHARED);
}
END_TEST

static void read_again_behind_a_writer(uint32_t kind) {
  feed_acquire(&feed, 1, A, FEED_READ | kind, 10);
  feed_pending(&feed, 2, TRACE_PENDING_LOCK, A, FEED_WRITE | kind, 20, feed.now);
  feed_pending(&feed, 1, TRACE_PENDING_LOCK, A, FEED_READ | kind, 11, feed.now);
  find();
}

START_TEST(reader_again_behind_a_preferred_writer_is_actual) {
  read_again_behind_a_writer(TRACE_LOCK_WRITER_PREFERRED);
  ck_assert_uint_eq(count(DEADLOCK_ACTUAL), 1);
  ck_assert_int_eq(found->items[0].reason, DEADLOCK_REASON_WRITER_QUEUED);
}
END_TEST

START_TEST(reader_again_where_readers_go_first_is_none) {
  read_again_behind_a_writer(0);
  ck_assert_uint_eq(count(DEADLOCK_ACTUAL), 0);
}
END_TEST

START_TEST(two_knots_are_two_findings) {
  for (uint32_t pair = 0; pair < 2; ++pair) {
    uint32_t one = 1 + 2 * pair, two = one + 1;
    uint64_t first = A + pair * 0x100, second = B + pair * 0x100;
    feed_acquire(&feed, one, first, FEED_MUTEX, 10);
    feed_acquire(&feed, two, second, FEED_MUTEX, 20);
    feed_pending(&feed, one, TRACE_PENDING_LOCK, second, FEED_MUTEX, 11, feed.now);
    feed_pending(&feed, two, TRACE_PENDING_LOCK, first, FEED_MUTEX, 21, feed.now);
  }
  find();
  ck_assert_uint_eq(count(DEADLOCK_ACTUAL), 2);
  ck_assert_uint_eq(found->count, 2);
}
END_TEST

// ---- hazards -----------------------------------------------------------------------------------

START_TEST(waiting_on_a_condition_with_another_lock_held_is_a_hazard) {
  uint32_t by_condition = FEED_MUTEX | TRACE_LOCK_BY_CONDITION;
  feed_acquire(&feed, 1, B, FEED_MUTEX, 10);
  feed_acquire(&feed, 1, A, FEED_MUTEX, 11);
  feed_release(&feed, 1, A, by_condition);
  feed_event(&feed, 1, TRACE_COND_WAIT, 12, 0, 0x9000, A, 500);
  feed_acquire(&feed, 1, A, by_condition, 12);
  find();
  ck_assert_uint_eq(found->count, 1);
  ck_assert_int_eq(found->items[0].verdict, DEADLOCK_HAZARD);
  ck_assert_uint_eq(found->items[0].legs[0].holds, lock_id(B));
  ck_assert_uint_eq(found->items[0].condition, 0x9000);
}
END_TEST

// One lock that stays held, one call site of the wait: one finding, whatever the condition.
START_TEST(hazards_of_one_site_are_merged) {
  uint32_t by_condition = FEED_MUTEX | TRACE_LOCK_BY_CONDITION;
  feed_acquire(&feed, 1, B, FEED_MUTEX, 10);
  for (uint64_t at = 0; at < 3; ++at) {
    uint64_t mutex = A + 0x100 * at;
    feed_acquire(&feed, 1, mutex, FEED_MUTEX, 11);
    feed_release(&feed, 1, mutex, by_condition);
    feed_event(&feed, 1, TRACE_COND_WAIT, 12, 0, 0x9000 + 0x100 * at, mutex, 500);
    feed_acquire(&feed, 1, mutex, by_condition, 12);
    feed_release(&feed, 1, mutex, FEED_MUTEX);
  }
  find();
  ck_assert_uint_eq(found->count, 1);
  ck_assert_uint_eq(found->items[0].merged, 3);
  ck_assert_uint_eq(found->items[0].legs[0].count, 3);
  ck_assert_uint_eq(found->items[0].signalled, 3);
}
END_TEST

START_TEST(plain_condition_wait_is_none) {
  uint32_t by_condition = FEED_MUTEX | TRACE_LOCK_BY_CONDITION;
  feed_acquire(&feed, 1, A, FEED_MUTEX, 11);
  feed_release(&feed, 1, A, by_condition);
  feed_event(&feed, 1, TRACE_COND_WAIT, 12, 0, 0x9000, A, 500);
  feed_acquire(&feed, 1, A, by_condition, 12);
  feed_release(&feed, 1, A, FEED_MUTEX);
  find();
  ck_assert_uint_eq(found->count, 0);
}
END_TEST

Suite *findings_deadlocks_suite(void);
Suite *findings_deadlocks_suite(void) {
  const struct {
    const char *name;
    const TTest *tests[16];
  } groups[] = {
      {"potential",
       {opposite_order_is_potential_with_both_legs, repeated_orders_are_one_finding_with_counts,
        stacks_that_were_taken_only_once_make_one_finding,
        three_locks_in_a_ring_are_one_cycle_of_three, second_lock_by_trylock_makes_no_edge,
        first_lock_by_trylock_is_held_all_the_same, timed_request_is_marked_bounded,
        failed_acquire_holds_nothing_but_was_a_request, readers_that_want_to_write_are_potential,
        readers_alone_are_benign, a_pair_of_readers_in_the_cycle_breaks_it}},
      {"benign",
       {one_thread_alone_is_benign, orders_never_held_together_are_benign,
        gate_lock_is_benign_and_named, gate_held_shared_by_both_does_not_guard,
        joined_before_the_other_order_is_benign, done_before_creating_the_other_thread_is_benign,
        creation_that_returns_after_the_thread_started_orders_too,
        done_after_creating_the_other_thread_is_potential, order_follows_through_a_chain_of_threads,
        reused_handle_is_another_thread}},
      {"identity",
       {destroyed_and_made_again_is_another_lock, freed_without_destroy_is_another_lock,
        inversion_found_although_both_locks_were_destroyed, same_class_and_sites_are_merged,
        gap_in_the_record_draws_no_conclusion_across_it}},
      {"actual",
       {hang_is_actual_and_not_repeated_as_potential, seen_inversion_that_then_hangs_is_one_actual,
        plain_mutex_taken_twice_is_a_self_deadlock, recursive_mutex_taken_twice_is_none,
        note_of_a_request_that_was_granted_is_none,
        joining_a_thread_that_needs_a_held_lock_is_actual, lock_of_an_ended_thread_is_an_orphan,
        third_thread_is_a_bystander, waiting_for_a_working_holder_is_none,
        timed_wait_in_the_cycle_is_not_actual, writer_waits_for_all_readers,
        reader_again_behind_a_preferred_writer_is_actual,
        reader_again_where_readers_go_first_is_none, two_knots_are_two_findings}},
      {"hazard",
       {waiting_on_a_condition_with_another_lock_held_is_a_hazard, hazards_of_one_site_are_merged,
        plain_condition_wait_is_none}},
  };
  Suite *suite = suite_create("findings_deadlocks");
  for (size_t group = 0; group < sizeof groups / sizeof *groups; ++group) {
    TCase *tests = tcase_create(groups[group].name);
    tcase_add_checked_fixture(tests, setup, teardown);
    for (size_t test = 0; groups[group].tests[test]; ++test)
      tcase_add_test(tests, groups[group].tests[test]);
    suite_add_tcase(suite, tests);
  }
  return suite;
}
