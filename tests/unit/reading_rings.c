// SPDX-License-Identifier: Apache-2.0
// What the rings beside a trace add to it: the newest records, pending calls, what was lost; and
// what a damaged or foreign file of rings must not do.
#include "analyzer/reading/reader.h"
#include "tests/unit/trace_builder.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNTIMED TRACE_BUILDER_UNTIMED

static reader_t *open_trace(trace_builder_t *builder) {
  char error[512] = "";
  reader_options_t options = {.settle_ms = 20};
  reader_t *reader = reader_open(trace_builder_path(builder), &options, error, sizeof error);
  ck_assert_msg(reader != NULL, "%s", error);
  return reader;
}

static void free_at(trace_builder_t *builder, uint32_t lane, uint64_t stamp, uint64_t block) {
  trace_builder_record(builder, lane, TRACE_FREE, stamp, 0, 0, block, 0, 0);
}

// The blocks that are freed, in order, as far as `limit`.
static size_t read_frees(reader_t *reader, uint64_t *blocks, size_t limit) {
  reader_event_t event;
  size_t count = 0;
  while (reader_next(reader, &event))
    if (event.kind == TRACE_FREE && count < limit) blocks[count++] = event.words[0];
  return count;
}

static trace_builder_t *interrupted(void) {
  trace_builder_t *builder = trace_builder_new();
  trace_builder_thread(builder, 1, 10, TRACE_BUILDER_PID, 0x1000, 0);
  free_at(builder, 1, 20, 1);
  trace_builder_flush(builder, 1);
  free_at(builder, 1, 30, 2);
  free_at(builder, 1, 40, 3);
  trace_builder_rings(builder, TRACE_BUILDER_PID, TRACE_BUILDER_START_TIME);
  return builder;
}

START_TEST(rings_go_on_where_the_file_ends) {
  trace_builder_t *builder = interrupted();
  reader_t *reader = open_trace(builder);
  uint64_t blocks[8];
  ck_assert_uint_eq(read_frees(reader, blocks, 8), 3);
  ck_assert_uint_eq(blocks[0], 1);
  ck_assert_uint_eq(blocks[2], 3);
  const reader_summary_t *summary = reader_summary(reader);
  ck_assert_uint_eq(summary->events, 4);
  ck_assert_uint_eq(summary->events_from_rings, 2);
  ck_assert(!summary->complete && !summary->running && !summary->damaged);
  ck_assert_int_eq(summary->end_how, -1);
  ck_assert_uint_eq(reader_thread_count(reader), 2);
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

// The writer had written the block and died before it released the words.
START_TEST(what_file_and_ring_both_have_is_read_once) {
  trace_builder_t *builder = interrupted();
  trace_builder_ring(builder, 1)->tail = 0;
  uint64_t *data = (uint64_t *)((uint8_t *)trace_builder_ring(builder, 1) + TRACE_RING_HEADER);
  memset(data, 0xff, 5 * sizeof *data);  // what stands below the file's end is not looked at
  reader_t *reader = open_trace(builder);
  uint64_t blocks[8];
  ck_assert_uint_eq(read_frees(reader, blocks, 8), 3);
  ck_assert_uint_eq(blocks[1], 2);
  ck_assert_ptr_null(reader_warning(reader, 0));
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

START_TEST(records_around_the_end_of_a_ring_are_read) {
  trace_builder_t *builder = trace_builder_new();
  trace_builder_thread(builder, 1, 10, TRACE_BUILDER_PID, 0x1000, 0);
  uint64_t count = (TRACE_RING_WORDS - 4) / 3;
  for (uint64_t i = 0; i < count; i++) free_at(builder, 1, 20 + i, i);
  trace_builder_flush(builder, 1);
  trace_builder_pad(builder, 1);
  for (uint64_t i = 0; i < 10; i++) free_at(builder, 1, 1000000 + i, 77 + i);
  trace_builder_rings(builder, TRACE_BUILDER_PID, TRACE_BUILDER_START_TIME);
  reader_t *reader = open_trace(builder);
  reader_event_t event;
  uint64_t seen = 0;
  while (reader_next(reader, &event)) seen += event.words[0] >= 77 && event.time >= 1000000;
  ck_assert_uint_eq(seen, 10);
  ck_assert_uint_eq(reader_summary(reader)->events_from_rings, 10);
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

START_TEST(a_pending_call_ends_its_lane) {
  static const uint64_t frames[] = {0x10, 0x20};
  trace_builder_t *builder = interrupted();
  trace_builder_stack(builder, 1, 3, frames, 2);
  trace_builder_rings(builder, TRACE_BUILDER_PID, TRACE_BUILDER_START_TIME);
  trace_ring_t *ring = trace_builder_ring(builder, 1);
  ring->pending_stack = 3;
  ring->pending_object = 0xa;
  ring->pending_second = TRACE_LOCK_MUTEX;
  ring->pending_since = 45;
  ring->pending_what = TRACE_PENDING_LOCK;
  reader_t *reader = open_trace(builder);
  reader_event_t event, last = {0};
  while (reader_next(reader, &event)) last = event;
  ck_assert_int_eq(last.kind, TRACE_PENDING);
  ck_assert_uint_eq(last.arg, TRACE_PENDING_LOCK);
  ck_assert_uint_eq(last.words[0], 0xa);
  ck_assert_uint_eq(last.words[2], 45);
  ck_assert_uint_eq(last.time, 45);
  ck_assert_uint_eq(last.thread, 1);
  ck_assert_uint_eq(reader_stack(reader, last.stack)->count, 2);
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

// The process asked for its trace to be completed and then hung on its way out.
START_TEST(a_pending_call_that_the_file_has_is_given_once) {
  trace_builder_t *builder = interrupted();
  trace_builder_flush(builder, 1);
  trace_builder_record(builder, 1, TRACE_PENDING, UNTIMED, 0, TRACE_PENDING_LOCK, 0xa, 1, 45);
  trace_builder_flush(builder, 1);
  trace_builder_rings(builder, TRACE_BUILDER_PID, TRACE_BUILDER_START_TIME);
  trace_ring_t *ring = trace_builder_ring(builder, 1);
  ring->pending_object = 0xa;
  ring->pending_since = 45;
  ring->pending_what = TRACE_PENDING_LOCK;
  for (uint64_t since = 45; since <= 46; since++) {
    ring->pending_since = since;  // 46: another call
    reader_t *reader = open_trace(builder);
    reader_event_t event;
    uint64_t pending = 0;
    while (reader_next(reader, &event)) pending += event.kind == TRACE_PENDING;
    ck_assert_uint_eq(pending, since - 44);
    reader_close(reader);
  }
  trace_builder_free(builder);
}
END_TEST

START_TEST(a_released_ring_has_no_pending_call) {
  trace_builder_t *builder = interrupted();
  trace_builder_ring(builder, 1)->pending_what = TRACE_PENDING_LOCK;
  trace_builder_ring(builder, 1)->state = TRACE_RING_RELEASED;
  reader_t *reader = open_trace(builder);
  reader_event_t event;
  while (reader_next(reader, &event)) ck_assert_int_ne(event.kind, TRACE_PENDING);
  ck_assert_uint_eq(reader_summary(reader)->events, 4);
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

// The ring counted 5 dropped events, of which the file speaks of 3.
START_TEST(what_a_ring_lost_is_counted_once) {
  trace_builder_t *builder = trace_builder_new();
  trace_builder_thread(builder, 1, 10, TRACE_BUILDER_PID, 0x1000, 0);
  trace_builder_record(builder, 1, TRACE_LOST, UNTIMED, 0, TRACE_FREE, 3, TRACE_LOST_RING_FULL, 0);
  trace_builder_flush(builder, 1);
  free_at(builder, 1, 30, 2);
  trace_builder_rings(builder, TRACE_BUILDER_PID, TRACE_BUILDER_START_TIME);
  trace_builder_ring(builder, 1)->lost[TRACE_FREE] = 5;
  reader_t *reader = open_trace(builder);
  uint64_t blocks[8];
  ck_assert_uint_eq(read_frees(reader, blocks, 8), 1);
  ck_assert_uint_eq(reader_summary(reader)->lost, 5);
  ck_assert_uint_eq(reader_summary(reader)->lost_by_kind[TRACE_FREE], 5);
  ck_assert_uint_eq(reader_thread(reader, 1)->lost, 5);
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

// A writer whose trace had stopped threw away 4 events, told of none of them, and was killed.
START_TEST(what_a_writer_threw_away_is_lost) {
  trace_builder_t *builder = interrupted();
  trace_builder_ring(builder, 1)->lost[TRACE_FREE] = 1;
  trace_builder_ring(builder, 1)->discarded[TRACE_FREE] = 4;
  reader_t *reader = open_trace(builder);
  uint64_t blocks[8];
  ck_assert_uint_eq(read_frees(reader, blocks, 8), 3);
  ck_assert_uint_eq(reader_summary(reader)->lost_by_kind[TRACE_FREE], 5);
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

// The writer was killed between a block and the ring's tail, and the owner dropped what the block
// has: lost is only what it dropped beyond. Where the block is not in the file, all of it is.
START_TEST(what_was_dropped_and_is_in_the_file_is_not_lost) {
  for (unsigned beyond = 0; beyond < 2; beyond++) {
    trace_builder_t *builder = interrupted();
    trace_ring_t *ring = trace_builder_ring(builder, 1);
    ring->taking = ring->tail + beyond;
    ring->tail += 3;  // the record of block 2
    ring->dropped_to = ring->tail << 1;
    ring->dropped[0][TRACE_FREE] = 2;
    ring->lost_taken[TRACE_FREE] = 1;
    reader_t *reader = open_trace(builder);
    uint64_t blocks[8];
    ck_assert_uint_eq(read_frees(reader, blocks, 8), 2);
    ck_assert_uint_eq(reader_summary(reader)->lost_by_kind[TRACE_FREE], 1 + beyond);
    reader_close(reader);
    trace_builder_free(builder);
  }
}
END_TEST

// Without a writer the oldest records went: they are missing before those that are left. The owner
// may have been killed before it moved the tail; what it was about to count does not count.
START_TEST(what_was_dropped_from_a_ring_is_lost_where_it_stood) {
  trace_builder_t *builder = interrupted();
  trace_ring_t *ring = trace_builder_ring(builder, 1);
  ring->dropped_to = (ring->tail + 3) << 1 | 1;  // the record of block 2
  if (_i) ring->tail += 3;
  ring->dropped[1][TRACE_FREE] = 1;
  ring->dropped[0][TRACE_FREE] = 17;
  trace_builder_session(builder)->processes[1].pid = 77;  // the session of a program that forks
  reader_t *reader = open_trace(builder);
  static const uint8_t kinds[] = {TRACE_THREAD_START, TRACE_FREE, TRACE_LOST, TRACE_FREE};
  reader_event_t event = {0};
  for (size_t i = 0; i < sizeof kinds; i++) {
    ck_assert_int_eq(reader_next(reader, &event), 1);
    ck_assert_int_eq(event.kind, kinds[i]);
  }
  ck_assert_uint_eq(event.words[0], 3);
  ck_assert_int_eq(reader_next(reader, &event), 0);
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

static void expect_file_only(trace_builder_t *builder) {
  reader_t *reader = open_trace(builder);
  uint64_t blocks[8];
  ck_assert_uint_eq(read_frees(reader, blocks, 8), 1);
  ck_assert_uint_eq(reader_summary(reader)->events_from_rings, 0);
  reader_close(reader);
  trace_builder_free(builder);
}

START_TEST(rings_of_another_process_are_left_alone) {
  trace_builder_t *builder = interrupted();
  trace_builder_session(builder)->processes[0].start_time++;
  expect_file_only(builder);
}
END_TEST

START_TEST(rings_of_another_slot_are_left_alone) {
  trace_builder_t *builder = interrupted();
  trace_builder_ring(builder, 1)->process = 1;
  expect_file_only(builder);
}
END_TEST

START_TEST(positions_that_cannot_be_are_not_followed) {
  trace_builder_t *builder = interrupted();
  trace_builder_ring(builder, 1)->head = UINT64_MAX / 2;
  expect_file_only(builder);
}
END_TEST

START_TEST(a_file_of_rings_that_is_cut_short_is_warned_of) {
  trace_builder_t *builder = interrupted();
  char path[256];
  snprintf(path, sizeof path, "%s.rings", trace_builder_path(builder));
  ck_assert_int_eq(truncate(path, TRACE_SESSION_SIZE / 2), 0);
  reader_t *reader = open_trace(builder);
  ck_assert_ptr_nonnull(strstr(reader_warning(reader, 0), "cut short"));
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

START_TEST(damage_in_a_ring_ends_what_is_read_of_it) {
  trace_builder_t *builder = interrupted();
  trace_ring_t *ring = trace_builder_ring(builder, 1);
  uint64_t *data = (uint64_t *)((uint8_t *)ring + TRACE_RING_HEADER);
  data[(ring->tail + 3) % TRACE_RING_WORDS] = 0x7f;  // a header of no kind
  reader_t *reader = open_trace(builder);
  uint64_t blocks[8];
  ck_assert_uint_eq(read_frees(reader, blocks, 8), 2);
  ck_assert_uint_eq(reader_summary(reader)->lost, 1);
  ck_assert_ptr_nonnull(strstr(reader_warning(reader, 0), "ring 0: damaged at position"));
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

// The process died before its writer had written anything.
START_TEST(rings_alone_are_a_trace) {
  trace_builder_t *builder = interrupted();
  trace_builder_ring(builder, 1)->tail = 0;
  uint64_t *data = (uint64_t *)((uint8_t *)trace_builder_ring(builder, 1) + TRACE_RING_HEADER);
  data[0] = trace_header(TRACE_THREAD_START, false, 0, 7);
  data[1] = 0x1000, data[2] = 0, data[3] = trace_header(0, false, 0, 3);
  ck_assert_int_eq(truncate(trace_builder_path(builder), 0), 0);
  reader_t *reader = open_trace(builder);
  uint64_t blocks[8];
  ck_assert_uint_eq(read_frees(reader, blocks, 8), 2);
  ck_assert_uint_eq(reader_summary(reader)->pid, TRACE_BUILDER_PID);
  ck_assert_str_eq(reader_summary(reader)->program, "?");
  ck_assert_uint_eq(reader_thread(reader, 1)->tid, 7);
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

static uint64_t own_start_time(void) {
  FILE *file = fopen("/proc/self/stat", "r");
  char line[1024];
  ck_assert(file && fgets(line, sizeof line, file));
  fclose(file);
  uint64_t start = 0;
  int field = 2;
  for (char *word = strtok(strrchr(line, ')') + 1, " "); word; word = strtok(NULL, " "))
    if (++field == 22) start = strtoull(word, NULL, 10);
  return start;
}

// This test is the process: it lives, and its threads stand still.
START_TEST(a_living_process_runs_and_its_still_threads_are_quiet) {
  trace_builder_t *builder = trace_builder_bare();
  uint32_t pid = (uint32_t)getpid();
  char text[64];
  trace_builder_property(builder, TRACE_KEY_CLOCK "=monotonic");
  trace_builder_property(builder, TRACE_KEY_RINGS "=trace.zst.rings");
  trace_builder_property(builder, TRACE_KEY_SLOT "=0");
  snprintf(text, sizeof text, "%s=%" PRIu32, TRACE_KEY_PID, pid);
  trace_builder_property(builder, text);
  snprintf(text, sizeof text, "%s=%" PRIu64, TRACE_KEY_START_TIME, own_start_time());
  trace_builder_property(builder, text);
  trace_builder_clock(builder, 1, 1, 1);
  trace_builder_thread(builder, 1, 10, pid, 0x1000, 0);
  trace_builder_rings(builder, pid, own_start_time());
  trace_builder_ring(builder, 1)->pending_what = TRACE_PENDING_EPOLL;
  reader_t *reader = open_trace(builder);
  ck_assert(reader_summary(reader)->running);
  reader_event_t event;
  int pending = 0;
  while (reader_next(reader, &event)) pending += event.kind == TRACE_PENDING;
  ck_assert_int_eq(pending, 1);
  ck_assert(reader_thread(reader, 1)->quiet);
  ck_assert(!reader_summary(reader)->complete);
  ck_assert_uint_gt(reader_summary(reader)->duration_ns, 1000000);  // until now
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

Suite *reading_rings_suite(void);
Suite *reading_rings_suite(void) {
  Suite *suite = suite_create("reading_rings");
  TCase *rings = tcase_create("rings");
  tcase_add_test(rings, rings_go_on_where_the_file_ends);
  tcase_add_test(rings, what_file_and_ring_both_have_is_read_once);
  tcase_add_test(rings, records_around_the_end_of_a_ring_are_read);
  tcase_add_test(rings, a_pending_call_ends_its_lane);
  tcase_add_test(rings, a_pending_call_that_the_file_has_is_given_once);
  tcase_add_test(rings, a_released_ring_has_no_pending_call);
  tcase_add_test(rings, what_a_ring_lost_is_counted_once);
  tcase_add_test(rings, what_a_writer_threw_away_is_lost);
  tcase_add_loop_test(rings, what_was_dropped_from_a_ring_is_lost_where_it_stood, 0, 2);
  tcase_add_test(rings, what_was_dropped_and_is_in_the_file_is_not_lost);
  tcase_add_test(rings, rings_alone_are_a_trace);
  tcase_add_test(rings, a_living_process_runs_and_its_still_threads_are_quiet);
  suite_add_tcase(suite, rings);
  TCase *damage = tcase_create("damage");
  tcase_add_test(damage, rings_of_another_process_are_left_alone);
  tcase_add_test(damage, rings_of_another_slot_are_left_alone);
  tcase_add_test(damage, positions_that_cannot_be_are_not_followed);
  tcase_add_test(damage, a_file_of_rings_that_is_cut_short_is_warned_of);
  tcase_add_test(damage, damage_in_a_ring_ends_what_is_read_of_it);
  suite_add_tcase(suite, damage);
  return suite;
}
