// SPDX-License-Identifier: Apache-2.0
// Several traces as one: order by the clock that they share, and what is kept apart.
#include "analyzer/models/models.h"
#include "tests/unit/trace_builder.h"

#include <check.h>

enum { LATER = 1000, BITS = TRACE_LOCK_MUTEX | TRACE_LOCK_PROCESS_SHARED };
#define ADDRESS UINT64_C(0x7f0000001000)

// A process with one thread: at 100 it takes the lock at ADDRESS, which is `inode` behind it, and
// keeps it. It began `later` than the clock's zero.
static trace_builder_t *process(uint64_t later, uint64_t inode) {
  trace_builder_t *builder = trace_builder_bare();
  const uint64_t frame = 0x401000;
  trace_builder_property(builder, "pid=4242");
  trace_builder_property(builder, "clock=monotonic");
  trace_builder_clock(builder, later, later, later);
  trace_builder_clock(builder, later + 10000, later + 10000, later + 10000);
  trace_builder_stack(builder, 1, 3, &frame, 1);
  trace_builder_thread(builder, 1, later + 10, 4242, 0x5000, 0);
  trace_builder_record(builder, 1, TRACE_LOCK_SHARED_AT, later + 90, 0, 1, ADDRESS, inode, 40);
  trace_builder_record(builder, 1, TRACE_LOCK_ACQUIRE, later + 100, 3, BITS, ADDRESS, 0, 0);
  trace_builder_finish(builder, TRACE_END_DIED, 0);
  return builder;
}

static trace_builder_t *first, *second;
static reader_t *joined;

static void open_both(uint64_t inode) {
  char error[512] = "";
  reader_t *readers[2];
  first = process(500, 9);
  second = process(500 + LATER, inode);
  readers[0] = reader_open(trace_builder_path(second), NULL, error, sizeof error);
  readers[1] = reader_open(trace_builder_path(first), NULL, error, sizeof error);
  ck_assert_msg(readers[0] && readers[1], "%s", error);
  joined = reader_join(readers, 2);
}

static void close_both(void) {
  reader_close(joined);
  trace_builder_free(first);
  trace_builder_free(second);
}

START_TEST(events_come_in_order_and_apart) {
  reader_event_t event;
  uint64_t acquired[2] = {0}, addresses[2] = {0}, before = 0;
  uint32_t threads[2] = {0}, stacks[2] = {0}, count = 0;
  open_both(9);
  while (reader_next(joined, &event) == 1) {
    ck_assert_uint_ge(event.time, before);
    before = event.time;
    if (event.kind != TRACE_LOCK_ACQUIRE) continue;
    acquired[count] = event.time;
    addresses[count] = event.words[0];
    threads[count] = event.thread;
    stacks[count++] = event.stack;
  }
  ck_assert_uint_eq(count, 2);
  ck_assert_uint_eq(acquired[1] - acquired[0], LATER);
  ck_assert_uint_ne(addresses[0], addresses[1]);
  ck_assert_uint_ne(threads[0], threads[1]);
  ck_assert_uint_ne(stacks[0], stacks[1]);
  ck_assert_uint_eq(reader_part_of_thread(joined, threads[0]), 1);
  ck_assert_uint_eq(reader_part_of_thread(joined, threads[1]), 0);
  ck_assert_uint_eq(reader_thread(joined, threads[1])->tid, 4242);
  ck_assert_uint_eq(reader_stack(joined, stacks[1])->count, 1);
  ck_assert_uint_eq(reader_stack(joined, stacks[1])->frames[0], 0x401000);
  ck_assert_uint_eq(reader_part_count(joined), 2);
  ck_assert_uint_eq(reader_summary(joined)->events, 4);
  close_both();
}
END_TEST

static uint32_t locks_of(uint64_t inode) {
  reader_event_t event;
  uint32_t count = 0;
  open_both(inode);
  models_t *models = models_open(joined);
  while (reader_next(joined, &event) == 1) models_step(models, &event);
  models_finish(models);
  const locks_t *locks = models_locks(models);
  for (uint32_t id = 1; id < locks_limit(locks); id++) {
    const lock_t *lock = locks_get(locks, id);
    if (!lock) continue;
    count++;
    ck_assert_uint_eq(lock->offset, 40);
    ck_assert_uint_eq(lock->acquisitions, inode == 9 ? 2 : 1);
  }
  models_close(models);
  close_both();
  return count;
}

START_TEST(a_lock_is_the_place_behind_its_address) {
  ck_assert_uint_eq(locks_of(9), 1);
  ck_assert_uint_eq(locks_of(8), 2);
}
END_TEST

Suite *reading_join_suite(void);
Suite *reading_join_suite(void) {
  Suite *suite = suite_create("reading_join");
  TCase *test_case = tcase_create("join");
  tcase_add_test(test_case, events_come_in_order_and_apart);
  tcase_add_test(test_case, a_lock_is_the_place_behind_its_address);
  suite_add_tcase(suite, test_case);
  return suite;
}
