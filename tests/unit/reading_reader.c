// SPDX-License-Identifier: Apache-2.0
// One stream of events out of the lanes of a trace file: order, times, stacks, threads, modules,
// summary.
#include "analyzer/reading/reader.h"
#include "tests/unit/trace_builder.h"

#include <check.h>
#include <string.h>

#define UNTIMED TRACE_BUILDER_UNTIMED

static reader_t *open_trace(trace_builder_t *builder) {
  char error[512] = "";
  reader_t *reader = reader_open(trace_builder_path(builder), NULL, error, sizeof error);
  ck_assert_msg(reader != NULL, "%s", error);
  return reader;
}

static reader_event_t next_event(reader_t *reader) {
  reader_event_t event;
  ck_assert_int_eq(reader_next(reader, &event), 1);
  return event;
}

static uint64_t count_rest(reader_t *reader) {
  reader_event_t event;
  uint64_t count = 0;
  while (reader_next(reader, &event)) count++;
  return count;
}

static void free_at(trace_builder_t *builder, uint32_t lane, uint64_t stamp, uint64_t block) {
  trace_builder_record(builder, lane, TRACE_FREE, stamp, 0, 0, block, 0, 0);
}

START_TEST(events_of_all_lanes_come_in_order_of_time) {
  trace_builder_t *builder = trace_builder_new();
  trace_builder_thread(builder, 1, 10, 4242, 0x1000, 0);
  trace_builder_thread(builder, 2, 20, 4243, 0x2000, 0);
  for (uint64_t i = 0; i < 1000; i++) free_at(builder, 1 + i % 2, 100 + i, i);
  trace_builder_finish(builder, TRACE_END_EXIT, 0);
  reader_t *reader = open_trace(builder);
  ck_assert_int_eq(next_event(reader).kind, TRACE_THREAD_START);
  ck_assert_int_eq(next_event(reader).kind, TRACE_THREAD_START);
  for (uint64_t i = 0; i < 1000; i++) {
    reader_event_t event = next_event(reader);
    ck_assert_uint_eq(event.words[0], i);
    ck_assert_uint_eq(event.time, 100 + i);
    ck_assert_uint_eq(event.lane, 1 + i % 2);
    ck_assert_uint_eq(reader_thread(reader, event.thread)->tid, 4242 + i % 2);
  }
  ck_assert_uint_eq(count_rest(reader), 0);
  ck_assert_uint_eq(reader_summary(reader)->events, 1002);
  ck_assert_uint_eq(reader_summary(reader)->duration_ns, 1099);
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

START_TEST(an_untimed_event_has_the_time_of_the_one_before) {
  trace_builder_t *builder = trace_builder_new();
  trace_builder_thread(builder, 1, 10, 4242, 0x1000, 0);
  free_at(builder, 1, 500, 1);
  free_at(builder, 1, UNTIMED, 2);
  free_at(builder, 1, 400, 3);  // a clock that jumps back
  free_at(builder, 1, 600, 4);
  trace_builder_finish(builder, TRACE_END_EXIT, 0);
  reader_t *reader = open_trace(builder);
  next_event(reader);
  static const uint64_t times[] = {500, 500, 500, 600};
  for (int i = 0; i < 4; i++) {
    reader_event_t event = next_event(reader);
    ck_assert_uint_eq(event.words[0], (uint64_t)i + 1);
    ck_assert_uint_eq(event.time, times[i]);
    ck_assert_int_eq(event.timed, i != 1);
  }
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

START_TEST(ticks_become_nanoseconds) {
  trace_builder_t *builder = trace_builder_bare();
  trace_builder_property(builder, TRACE_KEY_CLOCK "=tsc");
  trace_builder_property(builder, TRACE_KEY_START_TICKS "=1000000");
  trace_builder_clock(builder, 0, 5000, 0);
  trace_builder_clock(builder, UINT64_C(4000000000), UINT64_C(1000005000), 0);
  trace_builder_thread(builder, 1, 1000000, 1, 0x1000, 0);
  trace_builder_record(builder, 1, TRACE_LOCK_WAIT, 5000000, 0, TRACE_LOCK_MUTEX, 0xabc, 800, 0);
  trace_builder_finish(builder, TRACE_END_EXIT, 0);
  reader_t *reader = open_trace(builder);
  ck_assert_uint_eq(next_event(reader).time, 0);
  reader_event_t event = next_event(reader);
  ck_assert_uint_eq(event.time, 1000000);
  ck_assert_uint_eq(event.words[0], 0xabc);
  ck_assert_uint_eq(event.words[1], 200);
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

// Number 7 means one stack, then another, and in lane 2 a third; equal ones become one.
START_TEST(a_stack_number_means_what_its_lane_defined_last) {
  static const uint64_t a[] = {0x10, 0x20}, b[] = {0x30};
  trace_builder_t *builder = trace_builder_new();
  trace_builder_thread(builder, 1, 10, 1, 0x1000, 0);
  trace_builder_stack(builder, 1, 7, a, 2);
  trace_builder_record(builder, 1, TRACE_ALLOCATE, 20, 7, 64, 0x100, 0, 0);
  trace_builder_stack(builder, 1, 7, b, 1);
  trace_builder_record(builder, 1, TRACE_ALLOCATE, 30, 7, 64, 0x200, 0, 0);
  trace_builder_thread(builder, 2, 35, 2, 0x2000, 0);
  trace_builder_stack(builder, 2, 7, a, 2);
  trace_builder_record(builder, 2, TRACE_ALLOCATE, 40, 7, 64, 0x300, 0, 0);
  trace_builder_record(builder, 2, TRACE_ALLOCATE, 50, 9, 64, 0x400, 0, 0);
  trace_builder_finish(builder, TRACE_END_EXIT, 0);
  reader_t *reader = open_trace(builder);
  next_event(reader);
  uint32_t first = next_event(reader).stack, second = next_event(reader).stack;
  next_event(reader);
  uint32_t third = next_event(reader).stack, unknown = next_event(reader).stack;
  ck_assert_uint_eq(reader_stack(reader, first)->count, 2);
  ck_assert_uint_eq(reader_stack(reader, first)->frames[1], 0x20);
  ck_assert_uint_eq(reader_stack(reader, second)->frames[0], 0x30);
  ck_assert_uint_eq(third, first);
  ck_assert_uint_eq(unknown, 0);
  ck_assert_uint_eq(reader_stack_count(reader), 3);
  ck_assert_uint_eq(count_rest(reader), 0);
  ck_assert_ptr_nonnull(strstr(reader_warning(reader, 0), "1 events name a stack"));
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

// After dlclose and dlopen the same addresses are another function's.
START_TEST(equal_frames_are_two_stacks_where_their_module_was_replaced) {
  static const uint64_t inside[] = {0x5100, 0x9000}, outside[] = {0x9000};
  trace_builder_t *builder = trace_builder_new();
  trace_builder_thread(builder, 1, 10, 1, 0x1000, 0);
  trace_builder_module(builder, 1, 11, 0x5000, 0x5000, 0x6000, NULL, 0, "/plugin-a.so");
  for (uint64_t round = 0; round < 2; round++) {
    uint64_t base = 100 * round;
    trace_builder_stack(builder, 1, 1, inside, 2);
    trace_builder_record(builder, 1, TRACE_ALLOCATE, base + 20, 1, 64, 0x100, 0, 0);
    trace_builder_stack(builder, 1, 2, outside, 1);
    trace_builder_record(builder, 1, TRACE_ALLOCATE, base + 21, 2, 64, 0x200, 0, 0);
    if (round > 0) break;
    trace_builder_record(builder, 1, TRACE_MODULE_GONE, 100, 0, 0, 0x5000, 0, 0);
    trace_builder_module(builder, 1, 110, 0x5000, 0x5000, 0x6000, NULL, 0, "/plugin-b.so");
  }
  trace_builder_finish(builder, TRACE_END_EXIT, 0);
  reader_t *reader = open_trace(builder);
  next_event(reader);
  uint32_t inside_before = next_event(reader).stack, outside_before = next_event(reader).stack;
  uint32_t inside_after = next_event(reader).stack, outside_after = next_event(reader).stack;
  ck_assert_uint_ne(inside_before, inside_after);
  ck_assert_uint_eq(outside_before, outside_after);
  ck_assert_uint_eq(reader_module_count(reader), 2);
  ck_assert_uint_eq(reader_module(reader, 0)->unloaded, 100);
  ck_assert_str_eq(reader_module(reader, 1)->path, "/plugin-b.so");
  ck_assert_uint_eq(reader_module(reader, 1)->loaded, 110);
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

START_TEST(a_module_that_every_lane_states_is_one) {
  static const uint8_t build_id[4] = {1, 2, 3, 4};
  trace_builder_t *builder = trace_builder_new();
  for (uint32_t lane = 1; lane <= 3; lane++)
    trace_builder_module(builder, lane, 40 - lane, 0x5000, 0x5000, 0x6000, build_id, 4, "/lib.so");
  trace_builder_finish(builder, TRACE_END_EXIT, 0);
  reader_t *reader = open_trace(builder);
  ck_assert_uint_eq(count_rest(reader), 0);
  ck_assert_uint_eq(reader_module_count(reader), 1);
  const reader_module_t *module = reader_module(reader, 0);
  ck_assert_uint_eq(module->loaded, 37);
  ck_assert_uint_eq(module->unloaded, UINT64_MAX);
  ck_assert_uint_eq(module->build_id_length, 4);
  ck_assert_mem_eq(module->build_id, build_id, 4);
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

// The START of a child comes before its CREATE returns, or after; the handle is used again.
START_TEST(a_thread_knows_who_created_it) {
  trace_builder_t *builder = trace_builder_new();
  trace_builder_thread(builder, 1, 10, TRACE_BUILDER_PID, 0x1000, 0);
  trace_builder_record(builder, 1, TRACE_THREAD_CREATE, 100, 0, 0, 0x2000, 0xf1, 0);
  trace_builder_thread(builder, 2, 90, 5001, 0x2000, 0xf1);
  trace_builder_record(builder, 2, TRACE_THREAD_END, 150, 0, 0, 0x2000, 0, 0);
  trace_builder_record(builder, 1, TRACE_THREAD_JOIN, 160, 0, 0, 0x2000, 10, 0);
  trace_builder_record(builder, 1, TRACE_THREAD_CREATE, 200, 0, 0, 0x2000, 0xf2, 0);
  trace_builder_text(builder, 1, TRACE_THREAD_NAME, 205, 0x2000, "worker");
  trace_builder_thread(builder, 2, 210, 5002, 0x2000, 0xf2);
  free_at(builder, 2, 220, 1);
  trace_builder_finish(builder, TRACE_END_EXIT, 0);
  reader_t *reader = open_trace(builder);
  ck_assert_uint_eq(count_rest(reader), 9);
  ck_assert_uint_eq(reader_thread_count(reader), 4);
  const reader_thread_t *main_thread = reader_thread(reader, 1);
  const reader_thread_t *first = reader_thread(reader, 2), *second = reader_thread(reader, 3);
  ck_assert(main_thread->main);
  ck_assert(!first->main);
  ck_assert_uint_eq(main_thread->creator, 0);
  ck_assert_uint_eq(first->creator, 1);
  ck_assert_uint_eq(first->routine, 0xf1);
  ck_assert_uint_eq(first->started, 90);
  ck_assert_uint_eq(first->ended, 150);
  ck_assert_str_eq(first->name, "");
  ck_assert_uint_eq(second->creator, 1);
  ck_assert_uint_eq(second->tid, 5002);
  ck_assert_uint_eq(second->ended, UINT64_MAX);
  ck_assert_str_eq(second->name, "worker");
  ck_assert_uint_eq(second->events, 2);
  ck_assert_uint_eq(reader_thread_by_handle(reader, 0x2000, 160), 2);
  ck_assert_uint_eq(reader_thread_by_handle(reader, 0x2000, 215), 3);
  ck_assert_uint_eq(reader_thread_by_handle(reader, 0x2000, 50), 2);
  ck_assert_uint_eq(reader_thread_by_handle(reader, 0x7777, 50), 0);
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

START_TEST(a_restated_lane_goes_on_with_its_thread) {
  trace_builder_t *builder = trace_builder_new();
  trace_builder_record(builder, 1, TRACE_LANE, UNTIMED, 0, 77, 0x1000, 0, 0);
  free_at(builder, 1, 20, 1);
  trace_builder_flush(builder, 1);
  trace_builder_record(builder, 1, TRACE_LANE, UNTIMED, 0, 77, 0x1000, 0, 0);
  free_at(builder, 1, 30, 2);
  trace_builder_finish(builder, TRACE_END_EXIT, 0);
  reader_t *reader = open_trace(builder);
  reader_event_t first = next_event(reader), second = next_event(reader);
  ck_assert_uint_eq(first.thread, second.thread);
  ck_assert_uint_eq(reader_thread(reader, first.thread)->tid, 77);
  ck_assert_uint_eq(reader_thread_count(reader), 2);
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

START_TEST(a_write_that_is_overtaken_is_given_where_it_begins_too) {
  static const reader_options_t beginnings = {.beginnings = true};
  trace_builder_t *builder = trace_builder_new();
  trace_builder_thread(builder, 1, 10, 1, 0x1000, 0);
  trace_builder_thread(builder, 2, 20, 2, 0x2000, 0);
  trace_builder_record(builder, 1, TRACE_WRITE, 200, 0, 5, 2, 100, 0);
  trace_builder_record(builder, 1, TRACE_WRITE, 300, 0, 6, 2, 50, 0);
  trace_builder_record(builder, 2, TRACE_READ, 150, 0, 4, 2, 20, 0);
  trace_builder_finish(builder, TRACE_END_EXIT, 0);
  for (int asked = 0; asked < 2; asked++) {
    char error[512] = "";
    reader_t *reader =
        reader_open(trace_builder_path(builder), asked ? &beginnings : NULL, error, sizeof error);
    ck_assert_msg(reader != NULL, "%s", error);
    next_event(reader);
    next_event(reader);
    reader_event_t event = next_event(reader);
    if (asked) {
      ck_assert_int_eq(event.phase, READER_BEGINS);
      ck_assert_int_eq(event.kind, TRACE_WRITE);
      ck_assert_uint_eq(event.time, 100);
      ck_assert_uint_eq(event.arg, 5);
      event = next_event(reader);
    }
    ck_assert_int_eq(event.kind, TRACE_READ);
    ck_assert_int_eq(event.phase, READER_WHOLE);
    event = next_event(reader);
    ck_assert_int_eq(event.phase, asked ? READER_ENDS : READER_WHOLE);
    ck_assert_uint_eq(event.time, 200);
    ck_assert_uint_eq(event.arg, 5);
    event = next_event(reader);
    ck_assert_int_eq(event.phase, READER_WHOLE);
    ck_assert_uint_eq(event.time, 300);
    ck_assert_uint_eq(count_rest(reader), 0);
    ck_assert_uint_eq(reader_summary(reader)->events, 5);
    reader_close(reader);
  }
  trace_builder_free(builder);
}
END_TEST

// What tells of a slow call is noted when that is over, and stands before it.
START_TEST(a_slow_write_begins_before_what_tells_of_it_was_noted) {
  static const reader_options_t beginnings = {.beginnings = true};
  static const struct {
    int kind, phase;
    uint64_t time;
  } expected[] = {{TRACE_THREAD_START, READER_WHOLE, 5},   {TRACE_THREAD_START, READER_WHOLE, 10},
                  {TRACE_TRANSFER_SLOW, READER_WHOLE, 10}, {TRACE_WRITE, READER_BEGINS, 50},
                  {TRACE_READ, READER_WHOLE, 150},         {TRACE_WRITE, READER_ENDS, 300}};
  trace_builder_t *builder = trace_builder_new();
  trace_builder_thread(builder, 1, 10, 1, 0x1000, 0);
  trace_builder_thread(builder, 2, 5, 2, 0x2000, 0);
  trace_builder_record(builder, 1, TRACE_TRANSFER_SLOW, 305, 0, 5, 0, 0, 0);
  trace_builder_record(builder, 1, TRACE_WRITE, 300, 0, 5, 2, 250, 0);
  trace_builder_record(builder, 2, TRACE_READ, 150, 0, 4, 2, 20, 0);
  trace_builder_finish(builder, TRACE_END_EXIT, 0);
  char error[512] = "";
  reader_t *reader = reader_open(trace_builder_path(builder), &beginnings, error, sizeof error);
  ck_assert_msg(reader != NULL, "%s", error);
  for (size_t at = 0; at < sizeof expected / sizeof *expected; at++) {
    reader_event_t event = next_event(reader);
    ck_assert_int_eq(event.kind, expected[at].kind);
    ck_assert_int_eq(event.phase, expected[at].phase);
    ck_assert_uint_eq(event.time, expected[at].time);
  }
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

START_TEST(what_was_lost_is_given_out_and_counted) {
  trace_builder_t *builder = trace_builder_new();
  trace_builder_thread(builder, 1, 10, 1, 0x1000, 0);
  trace_builder_record(builder, 1, TRACE_LOST, UNTIMED, 0, TRACE_FREE, 12, TRACE_LOST_RING_FULL, 0);
  free_at(builder, 1, 30, 2);
  trace_builder_record(builder, 0, TRACE_LOST, UNTIMED, 0, TRACE_ALLOCATE, 5, TRACE_LOST_LIMIT, 0);
  trace_builder_finish(builder, TRACE_END_EXIT, 0);
  reader_t *reader = open_trace(builder);
  int lost = 0;
  reader_event_t event;
  while (reader_next(reader, &event)) lost += event.kind == TRACE_LOST;
  const reader_summary_t *summary = reader_summary(reader);
  ck_assert_int_eq(lost, 2);
  ck_assert_uint_eq(summary->lost, 17);
  ck_assert_uint_eq(summary->lost_by_kind[TRACE_FREE], 12);
  ck_assert_uint_eq(summary->lost_by_kind[TRACE_ALLOCATE], 5);
  ck_assert_uint_eq(reader_thread(reader, 1)->lost, 12);
  ck_assert_uint_eq(summary->events, 2);
  ck_assert(summary->complete);
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

START_TEST(the_summary_says_what_ran_and_how_it_ended) {
  trace_builder_t *builder = trace_builder_new();
  trace_builder_record(builder, 0, TRACE_OVERHEAD, 5, 0, 0, 1000, 3, 50);
  trace_builder_finish(builder, TRACE_END_EXIT, 3);
  reader_t *reader = open_trace(builder);
  ck_assert_uint_eq(count_rest(reader), 0);
  const reader_summary_t *summary = reader_summary(reader);
  ck_assert_str_eq(summary->program, "/usr/bin/example");
  ck_assert_uint_eq(summary->argument_count, 2);
  ck_assert_str_eq(summary->arguments[1], "--flag");
  ck_assert_str_eq(summary->mode, "development");
  ck_assert_uint_eq(summary->pid, TRACE_BUILDER_PID);
  ck_assert_uint_eq(summary->version, TRACE_VERSION);
  ck_assert_uint_eq(summary->start_realtime_ns, UINT64_C(1700000000000000000));
  ck_assert_int_eq(summary->end_how, TRACE_END_EXIT);
  ck_assert_int_eq(summary->exit_status, 3);
  ck_assert_uint_eq(summary->writer_cpu_ns, 1000);
  ck_assert_uint_eq(summary->waited_ns, 50);
  ck_assert(summary->complete && !summary->running && !summary->damaged);
  ck_assert_ptr_null(reader_warning(reader, 0));
  ck_assert_str_eq(reader_property(reader, 0), "inspect-trace=1");
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

START_TEST(facts_are_events_where_they_are_asked_for) {
  trace_builder_t *builder = trace_builder_new();
  trace_builder_thread(builder, 1, 10, 1, 0x1000, 0);
  trace_builder_finish(builder, TRACE_END_EXIT, 0);
  reader_options_t options = {.facts = true};
  char error[256];
  reader_t *reader = reader_open(trace_builder_path(builder), &options, error, sizeof error);
  int properties = 0, clocks = 0, ends = 0, starts = 0;
  reader_event_t event;
  while (reader_next(reader, &event)) {
    properties += event.kind == TRACE_PROPERTY;
    clocks += event.kind == TRACE_CLOCK;
    ends += event.kind == TRACE_END;
    starts += event.kind == TRACE_THREAD_START;
  }
  ck_assert_int_eq(properties, 15);
  ck_assert_int_eq(clocks, 1);
  ck_assert_int_eq(ends, 1);
  ck_assert_int_eq(starts, 1);
  ck_assert_uint_eq(reader_summary(reader)->events, 1);
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

static uint32_t random_below(uint32_t *state, uint32_t limit) {
  *state = *state * 1664525 + 1013904223;
  return (uint32_t)((uint64_t)*state * limit >> 32);
}

// Events of three lanes with and without stamps, at the same times, too; calls that take long;
// stacks that are defined again; threads that follow each other in a lane; blocks that end.
static void many_events(trace_builder_t *builder) {
  static const uint8_t kinds[] = {TRACE_ALLOCATE, TRACE_FREE,        TRACE_LOCK_WAIT,
                                  TRACE_WRITE,    TRACE_READ,        TRACE_LOCK_RELEASE,
                                  TRACE_READY,    TRACE_EPOLL_CREATE};
  uint64_t stamps[4] = {0, 100, 100, 100};
  uint32_t random = 1;
  for (uint32_t i = 0; i < 6000; i++) {
    const uint32_t lane = 1 + random_below(&random, 3), what = random_below(&random, 200);
    const uint64_t frames[] = {0x1000 + random_below(&random, 50)};
    stamps[lane] += random_below(&random, 4);
    if (i < 3 || what == 0)
      trace_builder_thread(builder, i < 3 ? i + 1 : lane, stamps[lane], i, 0x1000 + i, 0);
    else if (what < 4)
      trace_builder_stack(builder, lane, 1 + what, frames, 1);
    else if (what == 4)
      trace_builder_flush(builder, lane);
    else if (what == 5)
      trace_builder_record(builder, lane, TRACE_LOST, stamps[lane], 0, TRACE_FREE, i, 0, 0);
    else
      trace_builder_record(builder, lane, kinds[random_below(&random, sizeof kinds)],
                           random_below(&random, 3) ? UNTIMED : stamps[lane],
                           random_below(&random, 5), random_below(&random, 900), i,
                           random_below(&random, 9), i);
  }
}

START_TEST(many_at_once_are_the_same_as_one_by_one) {
  trace_builder_t *builder = trace_builder_new();
  many_events(builder);
  trace_builder_finish(builder, TRACE_END_EXIT, 0);
  const reader_options_t options = {.beginnings = true};
  char error[256];
  reader_t *one = reader_open(trace_builder_path(builder), &options, error, sizeof error);
  reader_t *many = reader_open(trace_builder_path(builder), &options, error, sizeof error);
  ck_assert(one && many);
  reader_event_t events[16] = {0}, event = {0};
  size_t calls = 0, total = 0;
  for (size_t count; (count = reader_read(many, events, 16)) > 0; calls++, total += count) {
    ck_assert_uint_le(count, 16);
    for (size_t i = 0; i < count; i++) {
      ck_assert_int_eq(reader_next(one, &event), 1);
      ck_assert_mem_eq(&event, &events[i], offsetof(reader_event_t, payload));
      ck_assert_ptr_null(events[i].payload);
    }
    ck_assert_uint_eq(reader_summary(one)->events, reader_summary(many)->events);
    ck_assert_uint_eq(reader_summary(one)->duration_ns, reader_summary(many)->duration_ns);
    ck_assert_uint_eq(reader_thread(one, event.thread)->events,
                      reader_thread(many, event.thread)->events);
  }
  ck_assert_int_eq(reader_next(one, &event), 0);
  ck_assert_uint_gt(total, 5500);
  ck_assert_uint_lt(calls, total * 3 / 4);
  ck_assert_str_eq(reader_warning(one, 0), reader_warning(many, 0));
  reader_close(one);
  reader_close(many);
  trace_builder_free(builder);
}
END_TEST

// What the writer notes from time to time stands between the events of that time; what a lane
// defines comes before them.
START_TEST(facts_for_the_models_are_given_in_order) {
  trace_builder_t *builder = trace_builder_new();
  trace_builder_record(builder, 1, TRACE_LOCK_SHARED_AT, 90, 0, 8, 0xa0, 77, 40);
  trace_builder_thread(builder, 1, 100, 1, 0x1000, 0);
  free_at(builder, 1, 300, 1);
  trace_builder_record(builder, 0, TRACE_THREAD_SCHEDULED, 200, 0, 1, 5, 6, 0);
  trace_builder_record(builder, 0, TRACE_LOST, 250, 0, TRACE_FREE, 1, TRACE_LOST_LIMIT, 0);
  trace_builder_finish(builder, TRACE_END_EXIT, 0);
  reader_t *reader = open_trace(builder);
  static const struct {
    uint8_t kind;
    uint64_t time;
  } wanted[] = {{TRACE_LOCK_SHARED_AT, 90},
                {TRACE_THREAD_START, 100},
                {TRACE_THREAD_SCHEDULED, 200},
                {TRACE_LOST, 250},
                {TRACE_FREE, 300}};
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    reader_event_t event = next_event(reader);
    ck_assert_int_eq(event.kind, wanted[i].kind);
    ck_assert_uint_eq(event.time, wanted[i].time);
  }
  ck_assert_uint_eq(count_rest(reader), 0);
  ck_assert_uint_eq(reader_thread_count(reader), 2);
  ck_assert_uint_eq(reader_summary(reader)->events, 2);
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

// A block's header says when it begins by its first stamp, which need not be its least.
START_TEST(time_never_goes_back) {
  trace_builder_t *builder = trace_builder_new();
  trace_builder_thread(builder, 1, 100, 1, 0x1000, 0);
  free_at(builder, 1, 250, 1);
  trace_builder_record(builder, 2, TRACE_LOCK_SHARED_AT, 300, 0, 8, 0xa0, 77, 40);
  free_at(builder, 2, 200, 2);
  trace_builder_finish(builder, TRACE_END_EXIT, 0);
  reader_t *reader = open_trace(builder);
  uint64_t last = 0;
  for (int i = 0; i < 4; i++) {
    reader_event_t event = next_event(reader);
    ck_assert_uint_ge(event.time, last);
    last = event.time;
  }
  ck_assert_uint_eq(count_rest(reader), 0);
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

START_TEST(positions_that_a_block_repeats_are_passed_over) {
  trace_builder_t *builder = trace_builder_new();
  trace_builder_thread(builder, 1, 10, 1, 0x1000, 0);
  free_at(builder, 1, 20, 1);
  trace_builder_flush(builder, 1);
  trace_builder_repeat(builder, 1);
  free_at(builder, 1, 30, 2);
  trace_builder_flush(builder, 1);
  trace_builder_finish(builder, TRACE_END_EXIT, 0);
  reader_t *reader = open_trace(builder);
  ck_assert_uint_eq(count_rest(reader), 2);
  ck_assert(reader_summary(reader)->damaged);
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

Suite *reading_reader_suite(void);
Suite *reading_reader_suite(void) {
  Suite *suite = suite_create("reading_reader");
  TCase *order = tcase_create("order");
  tcase_add_test(order, events_of_all_lanes_come_in_order_of_time);
  tcase_add_test(order, an_untimed_event_has_the_time_of_the_one_before);
  tcase_add_test(order, ticks_become_nanoseconds);
  tcase_add_test(order, facts_for_the_models_are_given_in_order);
  tcase_add_test(order, time_never_goes_back);
  tcase_add_test(order, many_at_once_are_the_same_as_one_by_one);
  tcase_add_test(order, positions_that_a_block_repeats_are_passed_over);
  suite_add_tcase(suite, order);
  TCase *facts = tcase_create("facts");
  tcase_add_test(facts, a_stack_number_means_what_its_lane_defined_last);
  tcase_add_test(facts, equal_frames_are_two_stacks_where_their_module_was_replaced);
  tcase_add_test(facts, a_module_that_every_lane_states_is_one);
  tcase_add_test(facts, a_thread_knows_who_created_it);
  tcase_add_test(facts, a_restated_lane_goes_on_with_its_thread);
  tcase_add_test(facts, a_write_that_is_overtaken_is_given_where_it_begins_too);
  tcase_add_test(facts, a_slow_write_begins_before_what_tells_of_it_was_noted);
  tcase_add_test(facts, what_was_lost_is_given_out_and_counted);
  tcase_add_test(facts, the_summary_says_what_ran_and_how_it_ended);
  tcase_add_test(facts, facts_are_events_where_they_are_asked_for);
  suite_add_tcase(suite, facts);
  return suite;
}
