// SPDX-License-Identifier: Apache-2.0
// Whatever happened to the files of a trace, what can be read of them is read, the rest is said,
// and nothing is made up. Worth the most with the sanitizers on.
#include "analyzer/reading/reader.h"
#include "analyzer/reading/recover.h"
#include "tests/unit/rounds.h"
#include "tests/unit/trace_builder.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EVENTS_IN_FILE = 2 + 3 * 40, EVENTS_IN_RINGS = 20, FLIPS = 3000 };

// Two lanes, several blocks each, facts of every sort between the events.
static trace_builder_t *sample(void) {
  static const uint64_t frames[] = {0x5010, 0x5020, 0x5030};
  trace_builder_t *builder = trace_builder_new();
  trace_builder_module(builder, 1, 5, 0x5000, 0x5000, 0x6000, NULL, 0, "/usr/lib/libsample.so");
  trace_builder_thread(builder, 1, 10, TRACE_BUILDER_PID, 0x1000, 0);
  trace_builder_thread(builder, 2, 15, 5001, 0x2000, 0xf1);
  for (uint32_t i = 0; i < 40; i++) {
    uint32_t lane = 1 + i % 2;
    if (i % 10 < 2) trace_builder_stack(builder, lane, i / 10 + 1, frames, 1 + i % 3);
    trace_builder_record(builder, lane, TRACE_ALLOCATE, 100 + 10 * i, i / 10 + 1, 64 + i, 0x900 + i,
                         0, 0);
    trace_builder_record(builder, lane, TRACE_LOCK_WAIT, 105 + 10 * i, 0, TRACE_LOCK_MUTEX, 0xa0, 7,
                         0);
    trace_builder_text(builder, lane, TRACE_THREAD_NAME, TRACE_BUILDER_UNTIMED, 0x2000, "worker");
    if (i % 10 == 9) {
      trace_builder_flush(builder, 1);
      trace_builder_flush(builder, 2);
      trace_builder_clock(builder, 100 + 10 * i, 100 + 10 * i, 1);
      trace_builder_flush(builder, 0);
    }
  }
  return builder;
}

// Reads all there is. Returns the events, or UINT64_MAX where it cannot be opened.
static uint64_t read_all(const char *path, bool *complete) {
  char error[512] = "";
  reader_t *reader = reader_open(path, NULL, error, sizeof error);
  if (!reader) {
    ck_assert_int_eq(strncmp(error, path, strlen(path)), 0);
    ck_assert_ptr_nonnull(strstr(error, ": offset "));
    return UINT64_MAX;
  }
  reader_event_t event;
  uint64_t last = 0;
  bool sane = true;  // each ck_assert is a system call
  while (reader_next(reader, &event)) {
    sane &= event.time >= last && event.thread < reader_thread_count(reader) &&
            event.stack < reader_stack_count(reader);
    last = event.time;
  }
  ck_assert(sane);
  *complete = reader_summary(reader)->complete;
  uint64_t events = reader_summary(reader)->events;
  reader_close(reader);
  return events;
}

static uint8_t *file_read(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  struct stat status;
  ck_assert(file && stat(path, &status) == 0);
  *size = (size_t)status.st_size;
  uint8_t *bytes = malloc(*size);
  ck_assert_uint_eq(fread(bytes, 1, *size, file), *size);
  fclose(file);
  return bytes;
}

static void file_write(const char *path, const uint8_t *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  ck_assert(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

START_TEST(a_trace_cut_at_any_byte_is_read_up_to_there) {
  trace_builder_t *builder = sample();
  trace_builder_finish(builder, TRACE_END_EXIT, 0);
  size_t size;
  uint8_t *bytes = file_read(trace_builder_path(builder), &size);
  bool complete = false;
  ck_assert_uint_eq(read_all(trace_builder_path(builder), &complete), EVENTS_IN_FILE);
  ck_assert(complete);
  char cut[128];
  snprintf(cut, sizeof cut, "%s/cut.zst", trace_builder_folder(builder));
  uint64_t most = 0;
  for (size_t length = 0; length < size; length++) {
    file_write(cut, bytes, length);
    uint64_t events = read_all(cut, &complete);
    if (events == UINT64_MAX) {
      ck_assert_uint_eq(most, 0);  // once something could be read, more bytes do not take it away
      continue;
    }
    ck_assert(!complete);
    ck_assert_uint_ge(events, most);
    most = events;
  }
  ck_assert_uint_eq(most, EVENTS_IN_FILE);
  free(bytes);
  trace_builder_free(builder);
}
END_TEST

// A linear congruential generator: the same flips in every run.
static uint64_t next_random(uint64_t *state) {
  *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return *state >> 33;
}

START_TEST(flipped_bits_of_a_trace_take_no_more_than_their_frame) {
  trace_builder_t *builder = sample();
  trace_builder_finish(builder, TRACE_END_EXIT, 0);
  size_t size;
  uint8_t *bytes = file_read(trace_builder_path(builder), &size);
  uint64_t random = 1;
  for (int i = 0; i < rounds(FLIPS); i++) {
    size_t at = next_random(&random) % size;
    uint8_t bit = (uint8_t)(1 << next_random(&random) % 8);
    bytes[at] ^= bit;
    file_write(trace_builder_path(builder), bytes, size);
    bytes[at] ^= bit;
    bool complete;
    uint64_t events = read_all(trace_builder_path(builder), &complete);
    ck_assert_uint_ne(events, UINT64_MAX);
    ck_assert_uint_le(events, EVENTS_IN_FILE);
    ck_assert_uint_ge(events, EVENTS_IN_FILE - 22);
  }
  free(bytes);
  trace_builder_free(builder);
}
END_TEST

START_TEST(flipped_bits_of_rings_do_no_harm) {
  trace_builder_t *builder = sample();
  for (uint64_t i = 0; i < EVENTS_IN_RINGS; i++)
    trace_builder_record(builder, 1, TRACE_FREE, 1000 + i, 0, 0, 0x900 + i, 0, 0);
  trace_builder_rings(builder, TRACE_BUILDER_PID, TRACE_BUILDER_START_TIME);
  trace_builder_ring(builder, 1)->pending_what = TRACE_PENDING_LOCK;
  bool complete;
  ck_assert_uint_eq(read_all(trace_builder_path(builder), &complete),
                    EVENTS_IN_FILE + EVENTS_IN_RINGS);
  uint8_t *session = (uint8_t *)trace_builder_session(builder);
  uint8_t *ring = (uint8_t *)trace_builder_ring(builder, 1);
  uint64_t random = 2;
  for (int i = 0; i < rounds(FLIPS); i++) {
    // The fields of the session, those of the ring, or its first records, each as often.
    uint8_t *part = i % 3 == 0 ? session : i % 3 == 1 ? ring : ring + TRACE_RING_HEADER;
    size_t length = i % 3 == 0 ? 640 : i % 3 == 1 ? sizeof(trace_ring_t) : 8000;
    uint8_t *byte = part + next_random(&random) % length;
    uint8_t bit = (uint8_t)(1 << next_random(&random) % 8);
    *byte ^= bit;
    uint64_t events = read_all(trace_builder_path(builder), &complete);
    *byte ^= bit;
    ck_assert_uint_ne(events, UINT64_MAX);
    ck_assert_uint_ge(events, EVENTS_IN_FILE);
  }
  trace_builder_free(builder);
}
END_TEST

START_TEST(noise_is_no_trace) {
  trace_builder_t *builder = sample();
  uint8_t noise[4096];
  uint64_t random = 3;
  for (int round = 0; round < 50; round++) {
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (uint8_t)next_random(&random);
    file_write(trace_builder_path(builder), noise, sizeof noise);
    bool complete;
    ck_assert_uint_eq(read_all(trace_builder_path(builder), &complete), UINT64_MAX);
  }
  trace_builder_free(builder);
}
END_TEST

static void expect_error(const char *path, const char *what) {
  char error[512] = "", wanted[512];
  ck_assert_ptr_null(reader_open(path, NULL, error, sizeof error));
  snprintf(wanted, sizeof wanted, "%s: offset 0: %s", path, what);
  ck_assert_str_eq(error, wanted);
}

START_TEST(what_is_no_trace_is_named) {
  trace_builder_t *builder = sample();
  char path[128];
  snprintf(path, sizeof path, "%s/other", trace_builder_folder(builder));
  expect_error(path, "No such file or directory");
  expect_error(trace_builder_folder(builder), "Is a directory");
  file_write(path, (const uint8_t *)"", 0);
  expect_error(path, "the file is empty: if a recorder made it, its process was killed before "
                     "anything was recorded");
  file_write(path, (const uint8_t *)"some text that is longer than a header would be, by far.....",
             60);
  expect_error(path, "not an inspect trace");
  expect_error("/dev/null", "not a regular file");
  trace_builder_free(builder);
}
END_TEST

START_TEST(a_newer_version_is_named) {
  trace_builder_t *builder = trace_builder_empty();
  trace_builder_property(builder, TRACE_KEY_VERSION "=999");
  trace_builder_finish(builder, TRACE_END_EXIT, 0);
  expect_error(trace_builder_path(builder), "written by a newer version of the recorder");
  trace_builder_free(builder);
}
END_TEST

START_TEST(what_a_damaged_block_held_is_counted_as_lost) {
  trace_builder_t *builder = sample();
  trace_builder_finish(builder, TRACE_END_EXIT, 0);
  int fd = open(trace_builder_path(builder), O_RDWR);
  trace_block_place_t place;
  uint64_t offset = 0;
  bool complete;
  while (trace_block_find(fd, &offset, &place, &complete) == TRACE_ERROR_NONE)
    if (place.block.lane == 2) break;
  uint64_t inside = place.offset + TRACE_BLOCK_HEADER_SIZE + place.compressed_size / 2;
  uint8_t byte;
  ck_assert_int_eq(pread(fd, &byte, 1, (off_t)inside), 1);
  byte ^= 0xff;
  ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)inside), 1);
  close(fd);
  char error[512], warning[128];
  reader_t *reader = reader_open(trace_builder_path(builder), NULL, error, sizeof error);
  reader_event_t event;
  uint64_t lost = 0;
  while (reader_next(reader, &event))
    if (event.kind == TRACE_LOST && event.lane == 2) lost += event.words[0];
  ck_assert_uint_eq(lost, place.block.records);
  ck_assert_uint_eq(reader_summary(reader)->lost, place.block.records);
  ck_assert(reader_summary(reader)->damaged && !reader_summary(reader)->complete);
  snprintf(warning, sizeof warning, "offset %llu: ", (unsigned long long)place.offset);
  ck_assert_int_eq(strncmp(reader_warning(reader, 0), warning, strlen(warning)), 0);
  reader_close(reader);
  trace_builder_free(builder);
}
END_TEST

Suite *reading_damage_suite(void);
Suite *reading_damage_suite(void) {
  Suite *suite = suite_create("reading_damage");
  TCase *damage = tcase_create("damage");
  tcase_set_timeout(damage, 120);
  tcase_add_test(damage, a_trace_cut_at_any_byte_is_read_up_to_there);
  tcase_add_test(damage, flipped_bits_of_a_trace_take_no_more_than_their_frame);
  tcase_add_test(damage, flipped_bits_of_rings_do_no_harm);
  tcase_add_test(damage, noise_is_no_trace);
  tcase_add_test(damage, what_a_damaged_block_held_is_counted_as_lost);
  tcase_add_test(damage, what_is_no_trace_is_named);
  tcase_add_test(damage, a_newer_version_is_named);
  suite_add_tcase(suite, damage);
  return suite;
}
