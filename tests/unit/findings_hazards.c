// SPDX-License-Identifier: Apache-2.0
// What is told of locks that end in use, of threads that are guarded by their creator's lock, and
// of tries in vain, from events whose truth is known; above all of those that came without a stamp,
// and so may stand earlier than they happened.
#include "analyzer/findings/deadlocks.h"

#include "tests/unit/models_feed.h"

#include <check.h>
#include <errno.h>

enum { A = 0x1000, B = 0x2000, C = 0x3000, GATE = 0x4000, BLOCK = 0x5000, IN_BLOCK = 0x5010 };
enum { HOLDER = 1, OTHER = 2, CHILD = 3, GRANDCHILD = 4 };

static feed_t feed;
static deadlocks_t *found;

static void setup(void) {
  feed = feed_begin();
  feed_start(&feed, HOLDER);
  feed_start(&feed, OTHER);
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

static void expect_hazard(deadlock_reason_t reason) {
  find();
  ck_assert_uint_eq(found->count, 1);
  ck_assert_int_eq(found->items[0].verdict, DEADLOCK_HAZARD);
  ck_assert_int_eq(found->items[0].reason, reason);
}

static void expect_none(void) {
  find();
  ck_assert_uint_eq(found->count, 0);
}

// ---- locks that end in use ---------------------------------------------------------------------

// Stands where the event before it in its thread stood.
static void unstamped(uint32_t thread, int kind, uint64_t arg, uint64_t object) {
  reader_event_t event = {.kind = (uint8_t)kind,
                          .lane = thread,
                          .thread = thread,
                          .time = feed.now,
                          .arg = arg,
                          .words = {object}};
  models_step(feed.models, &event);
}

static void hold_in_block(uint32_t bits) {
  feed_allocate(&feed, HOLDER, BLOCK, 64, 5);
  feed_acquire(&feed, HOLDER, IN_BLOCK, bits, 6);
}

START_TEST(a_stamped_free_under_a_holder_is_a_hazard) {
  hold_in_block(FEED_MUTEX);
  feed_release_block(&feed, OTHER, BLOCK);
  feed_release(&feed, HOLDER, IN_BLOCK, FEED_MUTEX);
  expect_hazard(DEADLOCK_REASON_FREED_HELD);
  ck_assert_uint_eq(found->items[0].legs[0].thread, OTHER);
  ck_assert_uint_eq(found->items[0].legs[1].thread, HOLDER);
  ck_assert_uint_eq(found->items[0].legs[1].holds_stack, 6);
}
END_TEST

START_TEST(a_free_that_may_have_come_later_is_none) {
  hold_in_block(FEED_MUTEX);
  unstamped(OTHER, TRACE_FREE, 0, BLOCK);
  feed_release(&feed, HOLDER, IN_BLOCK, FEED_MUTEX);
  expect_none();
}
END_TEST

START_TEST(a_free_that_was_over_before_the_release_is_a_hazard) {
  hold_in_block(FEED_MUTEX);
  unstamped(OTHER, TRACE_FREE, 0, BLOCK);
  feed_acquire(&feed, OTHER, C, FEED_MUTEX, 7);
  feed_release(&feed, HOLDER, IN_BLOCK, FEED_MUTEX);
  expect_hazard(DEADLOCK_REASON_FREED_HELD);
}
END_TEST

START_TEST(what_is_never_released_was_held) {
  hold_in_block(FEED_MUTEX);
  unstamped(OTHER, TRACE_FREE, 0, BLOCK);
  expect_hazard(DEADLOCK_REASON_FREED_HELD);
}
END_TEST

START_TEST(an_acquisition_that_may_have_come_later_is_none) {
  feed_allocate(&feed, HOLDER, BLOCK, 64, 5);
  unstamped(HOLDER, TRACE_LOCK_ACQUIRE, FEED_MUTEX, IN_BLOCK);
  feed_release_block(&feed, OTHER, BLOCK);
  expect_none();
}
END_TEST

START_TEST(semaphores_and_what_was_released_may_go) {
  hold_in_block(FEED_MUTEX);
  feed_acquire(&feed, HOLDER, BLOCK + 0x20, TRACE_LOCK_SEMAPHORE, 8);
  feed_release(&feed, HOLDER, IN_BLOCK, FEED_MUTEX);
  feed_release_block(&feed, OTHER, BLOCK);
  expect_none();
}
END_TEST

static void destroy(uint32_t thread, uint64_t lock, uint32_t bits, bool refused) {
  feed_event(&feed, thread, TRACE_LOCK_DESTROY, 9, bits, lock, 0, 0);
  if (refused) feed_event(&feed, thread, TRACE_LOCK_FAIL, 9, bits, lock, 0, trace_zigzag(-EBUSY));
}

START_TEST(a_refused_destruction_is_a_hazard_and_changes_nothing) {
  feed_acquire(&feed, HOLDER, A, FEED_MUTEX, 6);
  feed_acquire(&feed, OTHER, C, FEED_MUTEX, 7);
  destroy(OTHER, A, FEED_MUTEX, true);
  feed_release(&feed, HOLDER, A, FEED_MUTEX);
  expect_hazard(DEADLOCK_REASON_DESTRUCTION_REFUSED);
  const lock_t *lock = locks_at(models_locks(feed.models), A);
  ck_assert(lock && !lock->generation && !lock->released_unseen && !lock->failed);
  ck_assert_uint_eq(dependencies_count(models_dependencies(feed.models)), 0);
}
END_TEST

// The release was read too late: libc would have said so.
START_TEST(a_destruction_that_succeeds_is_none) {
  feed_acquire(&feed, HOLDER, A, FEED_MUTEX, 6);
  destroy(OTHER, A, FEED_MUTEX, false);
  feed_acquire(&feed, OTHER, C, FEED_MUTEX, 7);
  feed_release(&feed, HOLDER, A, FEED_MUTEX);
  expect_none();
}
END_TEST

START_TEST(who_waits_for_what_was_destroyed_is_named) {
  feed_acquire(&feed, HOLDER, A, FEED_WRITE, 6);
  uint64_t since = feed.now;
  destroy(HOLDER, A, FEED_WRITE, false);
  feed_pending(&feed, OTHER, TRACE_PENDING_LOCK, A, FEED_WRITE, 7, since);
  expect_hazard(DEADLOCK_REASON_DESTROYED_HELD);
  ck_assert_uint_eq(found->items[0].bystander_count, 1);
  ck_assert_uint_eq(found->items[0].bystanders[0].thread, OTHER);
}
END_TEST

// ---- guarded threads ---------------------------------------------------------------------------

static void create(uint32_t creator, uint32_t thread) {
  feed_create(&feed, creator, thread);
  feed_start(&feed, thread);
}

static void end_and_join(uint32_t joiner, uint32_t thread) {
  feed_stop(&feed, thread);
  feed_join(&feed, joiner, thread);
}

// The other side: the same locks in the other order, under the gate.
static void take_back(uint32_t gate_bits) {
  feed_acquire(&feed, OTHER, GATE, gate_bits, 30);
  feed_nested(&feed, OTHER, B, A, 20);
  feed_release(&feed, OTHER, GATE, gate_bits);
}

static void live_in_section(uint32_t bits) {
  feed_acquire(&feed, HOLDER, GATE, bits, 10);
  create(HOLDER, CHILD);
  feed_nested(&feed, CHILD, A, B, 11);
  end_and_join(HOLDER, CHILD);
  feed_release(&feed, HOLDER, GATE, bits);
}

START_TEST(a_lock_around_its_life_guards_a_thread) {
  live_in_section(FEED_MUTEX);
  take_back(FEED_MUTEX);
  find();
  ck_assert_uint_eq(found->count, 1);
  ck_assert_int_eq(found->items[0].reason, DEADLOCK_REASON_GUARDED);
}
END_TEST

START_TEST(readers_guard_from_writers_only) {
  live_in_section(FEED_READ);
  take_back(_i ? FEED_WRITE : FEED_READ);
  find();
  ck_assert_uint_eq(found->count, 1);
  ck_assert_int_eq(found->items[0].verdict, _i ? DEADLOCK_BENIGN : DEADLOCK_FEASIBLE);
}
END_TEST

START_TEST(two_threads_of_one_section_are_not_kept_apart) {
  feed_acquire(&feed, HOLDER, GATE, FEED_MUTEX, 10);
  create(HOLDER, CHILD);
  create(HOLDER, GRANDCHILD);
  feed_nested(&feed, CHILD, A, B, 11);
  feed_nested(&feed, GRANDCHILD, B, A, 12);
  end_and_join(HOLDER, CHILD);
  end_and_join(HOLDER, GRANDCHILD);
  feed_release(&feed, HOLDER, GATE, FEED_MUTEX);
  find();
  ck_assert_uint_eq(found->count, 1);
  ck_assert_int_eq(found->items[0].verdict, DEADLOCK_FEASIBLE);
}
END_TEST

START_TEST(the_creator_itself_is_not_kept_apart) {
  feed_acquire(&feed, HOLDER, GATE, FEED_MUTEX, 10);
  create(HOLDER, CHILD);
  feed_nested(&feed, CHILD, A, B, 11);
  feed_nested(&feed, HOLDER, B, A, 12);
  end_and_join(HOLDER, CHILD);
  feed_release(&feed, HOLDER, GATE, FEED_MUTEX);
  find();
  ck_assert_uint_eq(found->count, 1);
  ck_assert_int_eq(found->items[0].verdict, DEADLOCK_FEASIBLE);
}
END_TEST

START_TEST(a_grandchild_is_guarded_where_it_is_joined) {
  feed_acquire(&feed, HOLDER, GATE, FEED_MUTEX, 10);
  create(HOLDER, CHILD);
  create(CHILD, GRANDCHILD);
  feed_nested(&feed, GRANDCHILD, A, B, 11);
  if (_i) end_and_join(CHILD, GRANDCHILD);
  end_and_join(HOLDER, CHILD);
  feed_release(&feed, HOLDER, GATE, FEED_MUTEX);
  take_back(FEED_MUTEX);
  find();
  ck_assert_uint_eq(found->count, 1);
  ck_assert_int_eq(found->items[0].verdict, _i ? DEADLOCK_BENIGN : DEADLOCK_FEASIBLE);
}
END_TEST

// ---- tries in vain -----------------------------------------------------------------------------

static void try_in_vain(uint32_t thread, uint64_t lock, uint32_t stack) {
  feed_event(&feed, thread, TRACE_LOCK_FAIL, stack, FEED_MUTEX | TRACE_LOCK_TRY, lock, 0,
             trace_zigzag(-EBUSY));
}

static void try_in_turns(unsigned rounds, uint64_t pause_ns) {
  for (unsigned round = 0; round < rounds; ++round) {
    feed_acquire(&feed, HOLDER, A, FEED_MUTEX, 10);
    feed_acquire(&feed, OTHER, B, FEED_MUTEX, 20);
    try_in_vain(HOLDER, B, 11);
    try_in_vain(OTHER, A, 21);
    feed_release(&feed, HOLDER, A, FEED_MUTEX);
    feed_release(&feed, OTHER, B, FEED_MUTEX);
    feed_at(&feed, feed.now + pause_ns);
  }
}

START_TEST(thousands_of_tries_in_vain_are_a_livelock) {
  try_in_turns(2500, 0);
  expect_hazard(DEADLOCK_REASON_TRIES);
  ck_assert_uint_eq(found->items[0].leg_count, 2);
  ck_assert_uint_eq(found->items[0].legs[0].count, 2500);
  ck_assert_uint_eq(found->items[0].over_ns, 0);
}
END_TEST

START_TEST(a_livelock_that_ended_says_when) {
  try_in_turns(2500, 0);
  feed_acquire(&feed, HOLDER, A, FEED_MUTEX, 10);
  feed_acquire(&feed, HOLDER, B, FEED_MUTEX | TRACE_LOCK_TRY, 11);
  uint64_t got = feed.now;
  feed_release(&feed, HOLDER, B, FEED_MUTEX);
  feed_release(&feed, HOLDER, A, FEED_MUTEX);
  expect_hazard(DEADLOCK_REASON_TRIES);
  ck_assert_uint_eq(found->items[0].over_ns, got);
}
END_TEST

START_TEST(few_tries_and_rare_ones_are_none) {
  try_in_turns(_i ? 3000 : 900, _i ? 2000000 : 0);
  expect_none();
}
END_TEST

START_TEST(tries_of_what_is_held_long_are_none) {
  feed_acquire(&feed, OTHER, B, FEED_MUTEX, 20);
  for (unsigned round = 0; round < 5000; ++round) {
    feed_acquire(&feed, HOLDER, A, FEED_MUTEX, 10);
    try_in_vain(HOLDER, B, 11);
    feed_release(&feed, HOLDER, A, FEED_MUTEX);
  }
  expect_none();
}
END_TEST

Suite *findings_hazards_suite(void);
Suite *findings_hazards_suite(void) {
  Suite *suite = suite_create("findings_hazards");
  TCase *hazards = tcase_create("hazards");
  tcase_add_checked_fixture(hazards, setup, teardown);
  tcase_add_test(hazards, a_stamped_free_under_a_holder_is_a_hazard);
  tcase_add_test(hazards, a_free_that_may_have_come_later_is_none);
  tcase_add_test(hazards, a_free_that_was_over_before_the_release_is_a_hazard);
  tcase_add_test(hazards, what_is_never_released_was_held);
  tcase_add_test(hazards, an_acquisition_that_may_have_come_later_is_none);
  tcase_add_test(hazards, semaphores_and_what_was_released_may_go);
  tcase_add_test(hazards, a_refused_destruction_is_a_hazard_and_changes_nothing);
  tcase_add_test(hazards, a_destruction_that_succeeds_is_none);
  tcase_add_test(hazards, who_waits_for_what_was_destroyed_is_named);
  tcase_add_test(hazards, a_lock_around_its_life_guards_a_thread);
  tcase_add_loop_test(hazards, readers_guard_from_writers_only, 0, 2);
  tcase_add_test(hazards, two_threads_of_one_section_are_not_kept_apart);
  tcase_add_test(hazards, the_creator_itself_is_not_kept_apart);
  tcase_add_loop_test(hazards, a_grandchild_is_guarded_where_it_is_joined, 0, 2);
  tcase_add_test(hazards, thousands_of_tries_in_vain_are_a_livelock);
  tcase_add_test(hazards, a_livelock_that_ended_says_when);
  tcase_add_loop_test(hazards, few_tries_and_rare_ones_are_none, 0, 2);
  tcase_add_test(hazards, tries_of_what_is_held_long_are_none);
  suite_add_tcase(suite, hazards);
  return suite;
}
