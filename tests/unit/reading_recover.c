// SPDX-License-Identifier: Apache-2.0
// One complete trace out of an interrupted one: the same events, complete, and no half file.
#include "analyzer/reading/recover.h"

#include "analyzer/reading/reader.h"
#include "tests/unit/trace_builder.h"

#include <check.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNTIMED TRACE_BUILDER_UNTIMED

enum { EVENTS_MAX = 256 };

// What a reader gives, without what depends on where it was found.
typedef struct {
  size_t count;
  struct {
    uint8_t kind;
    uint32_t lane, thread, stack;
    uint64_t time, arg, words[TRACE_WORDS_MAX];
  } events[EVENTS_MAX];
  reader_summary_t summary;
} contents_t;

static contents_t *contents_read(const char *path) {
  char error[512] = "";
  reader_t *reader = reader_open(path, NULL, error, sizeof error);
  ck_assert_msg(reader != NULL, "%s", error);
  contents_t *contents = calloc(1, sizeof *contents);
  reader_event_t event;
  while (reader_next(reader, &event)) {
    ck_assert_uint_lt(contents->count, EVENTS_MAX);
    size_t i = contents->count++;
    contents->events[i].kind = event.kind;
    contents->events[i].lane = event.lane;
    contents->events[i].thread = event.thread;
    contents->events[i].stack = event.stack;
    contents->events[i].time = event.time;
    contents->events[i].arg = event.arg;
    memcpy(contents->events[i].words, event.words, sizeof event.words);
  }
  contents->summary = *reader_summary(reader);
  reader_close(reader);
  return contents;
}

static void free_at(trace_builder_t *builder, uint32_t lane, uint64_t stamp, uint64_t block) {
  trace_builder_record(builder, lane, TRACE_FREE, stamp, 0, 0, block, 0, 0);
}

static trace_builder_t *interrupted(void) {
  static const uint64_t frames[] = {0x10, 0x20};
  trace_builder_t *builder = trace_builder_new();
  trace_builder_thread(builder, 1, 10, TRACE_BUILDER_PID, 0x1000, 0);
  trace_builder_thread(builder, 2, 12, 5001, 0x2000, 0xf1);
  for (uint64_t i = 0; i < 20; i++) free_at(builder, 1 + i % 2, 20 + i, i);
  trace_builder_flush(builder, 1);
  trace_builder_flush(builder, 2);
  trace_builder_stack(builder, 1, 9, frames, 2);
  for (uint64_t i = 20; i < 40; i++) free_at(builder, 1 + i % 2, 20 + i, i);
  trace_builder_record(builder, 1, TRACE_ALLOCATE, 70, 9, 64, 0x100, 0, 0);
  trace_builder_rings(builder, TRACE_BUILDER_PID, TRACE_BUILDER_START_TIME);
  trace_ring_t *ring = trace_builder_ring(builder, 1);
  ring->pending_stack = 9;
  ring->pending_object = 0xa;
  ring->pending_since = 80;
  ring->pending_what = TRACE_PENDING_LOCK;
  ring->lost[TRACE_ALLOCATE] = 6;
  return builder;
}

static void recovered_path(const trace_builder_t *builder, char path[128]) {
  snprintf(path, 128, "%s/recovered.zst", trace_builder_folder(builder));
}

START_TEST(a_recovered_trace_has_the_same_events_and_is_complete) {
  trace_builder_t *builder = interrupted();
  char path[128], error[512] = "";
  reading_recovery_t recovery;
  recovered_path(builder, path);
  ck_assert_int_eq(
      reading_recover(trace_builder_path(builder), path, &recovery, error, sizeof error),
      READING_RECOVERED);
  ck_assert_uint_eq(recovery.rings, 2);
  contents_t *before = contents_read(trace_builder_path(builder)), *after = contents_read(path);
  ck_assert_uint_eq(before->count, 45);
  ck_assert_uint_eq(after->count, before->count);
  ck_assert_mem_eq(after->events, before->events, sizeof before->events);
  ck_assert_uint_eq(after->summary.lost, 6);
  ck_assert_uint_eq(after->summary.events_from_rings, 0);
  ck_assert(!before->summary.complete && after->summary.complete);
  ck_assert(after->summary.seek_table);
  ck_assert_int_eq(after->summary.end_how, TRACE_END_DIED);
  free(before);
  free(after);
  trace_builder_free(builder);
}
END_TEST

START_TEST(a_newer_segment_goes_on_where_the_older_ends) {
  trace_builder_t *older = trace_builder_new(), *newer = trace_builder_new();
  char path[128], error[512] = "", beside[128];
  trace_builder_thread(older, 1, 10, TRACE_BUILDER_PID, 0x1000, 0);
  free_at(older, 1, 20, 1);
  trace_builder_flush(older, 1);
  trace_builder_flush(older, 0);
  trace_builder_skip(newer, 1, 7);
  trace_builder_record(newer, 1, TRACE_LANE, UNTIMED, 0, TRACE_BUILDER_PID, 0x1000, 0, 0);
  free_at(newer, 1, 30, 2);
  trace_builder_finish(newer, TRACE_END_EXIT, 0);
  snprintf(beside, sizeof beside, "%s.new", trace_builder_path(older));
  ck_assert_int_eq(rename(trace_builder_path(newer), beside), 0);
  contents_t *both = contents_read(trace_builder_path(older));
  ck_assert_uint_eq(both->count, 3);
  ck_assert_uint_eq(both->events[2].words[0], 2);
  ck_assert_uint_eq(both->events[2].thread, both->events[0].thread);
  ck_assert_uint_eq(both->summary.files, 2);
  ck_assert_uint_eq(both->summary.argument_count, 2);  // stated by both
  reading_recovery_t recovery;
  recovered_path(older, path);
  ck_assert_int_eq(reading_recover(trace_builder_path(older), path, &recovery, error, sizeof error),
                   READING_RECOVERED);
  contents_t *after = contents_read(path);
  ck_assert_mem_eq(after->events, both->events, sizeof both->events);
  ck_assert(after->summary.complete);
  ck_assert_int_eq(after->summary.end_how, TRACE_END_EXIT);
  free(both);
  free(after);
  trace_builder_free(older);
  trace_builder_free(newer);
}
END_TEST

START_TEST(rings_without_a_file_become_a_trace) {
  trace_builder_t *builder = trace_builder_new();
  trace_builder_thread(builder, 1, 10, TRACE_BUILDER_PID, 0x1000, 0);
  free_at(builder, 1, 20, 1);
  trace_builder_rings(builder, TRACE_BUILDER_PID, TRACE_BUILDER_START_TIME);
  ck_assert_int_eq(truncate(trace_builder_path(builder), 0), 0);
  char path[128], error[512] = "";
  reading_recovery_t recovery;
  recovered_path(builder, path);
  ck_assert_int_eq(
      reading_recover(trace_builder_path(builder), path, &recovery, error, sizeof error),
      READING_RECOVERED);
  contents_t *after = contents_read(path);
  ck_assert_uint_eq(after->count, 2);
  ck_assert_uint_eq(after->summary.pid, TRACE_BUILDER_PID);
  ck_assert(after->summary.complete);
  free(after);
  trace_builder_free(builder);
}
END_TEST

static size_t files_in(const char *folder) {
  DIR *directory = opendir(folder);
  size_t count = 0;
  while (readdir(directory)) count++;
  closedir(directory);
  return count - 2;
}

START_TEST(nothing_is_left_where_it_cannot_be_written) {
  trace_builder_t *builder = interrupted();
  char path[128], error[512] = "", wanted[256];
  reading_recovery_t recovery;
  recovered_path(builder, path);
  size_t before = files_in(trace_builder_folder(builder));
  // As on a full disk: the file cannot grow. SIGXFSZ would end the test.
  signal(SIGXFSZ, SIG_IGN);
  const struct rlimit limit = {600, 600};
  ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
  ck_assert_int_eq(
      reading_recover(trace_builder_path(builder), path, &recovery, error, sizeof error),
      READING_NOT_WRITTEN);
  snprintf(wanted, sizeof wanted, "%s: File too large", path);
  ck_assert_str_eq(error, wanted);
  ck_assert_uint_eq(files_in(trace_builder_folder(builder)), before);
  trace_builder_free(builder);
}
END_TEST

START_TEST(what_is_no_regular_file_is_never_replaced) {
  trace_builder_t *builder = interrupted();
  const char *trace = trace_builder_path(builder);
  char error[512], missing[160];
  reading_recovery_t recovery;
  ck_assert_int_eq(reading_recover(trace, "/dev/full", &recovery, error, sizeof error),
                   READING_NOT_WRITTEN);
  ck_assert_str_eq(error, "/dev/full: not a regular file");
  ck_assert_int_eq(reading_recover(trace, trace, &recovery, error, sizeof error),
                   READING_NOT_WRITTEN);
  ck_assert_ptr_nonnull(strstr(error, "is the trace itself"));
  snprintf(missing, sizeof missing, "%s/none/out.zst", trace_builder_folder(builder));
  ck_assert_int_eq(reading_recover(trace, missing, &recovery, error, sizeof error),
                   READING_NOT_WRITTEN);
  ck_assert_ptr_nonnull(strstr(error, "No such file or directory"));
  ck_assert_int_eq(reading_recover(missing, "/dev/null", &recovery, error, sizeof error),
                   READING_NOTHING);
  trace_builder_free(builder);
}
END_TEST

Suite *reading_recover_suite(void);
Suite *reading_recover_suite(void) {
  Suite *suite = suite_create("reading_recover");
  TCase *recover = tcase_create("recover");
  tcase_add_test(recover, a_recovered_trace_has_the_same_events_and_is_complete);
  tcase_add_test(recover, a_newer_segment_goes_on_where_the_older_ends);
  tcase_add_test(recover, rings_without_a_file_become_a_trace);
  tcase_add_test(recover, nothing_is_left_where_it_cannot_be_written);
  tcase_add_test(recover, what_is_no_regular_file_is_never_replaced);
  suite_add_tcase(suite, recover);
  return suite;
}
