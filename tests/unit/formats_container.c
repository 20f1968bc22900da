// SPDX-License-Identifier: Apache-2.0
// Trace files: what was appended is found again, also in a file that is cut, damaged or full.
#include "formats/container.h"
#include "tests/unit/formats_random.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

enum { CONTENT_MAX = 64 << 10, LEVEL = 1 };

// ---- a file, and blocks whose content follows from their number ------------------------------
static int file_new(void) {
  char path[] = "formats-container-XXXXXX";
  int fd = mkstemp(path);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(unlink(path), 0);
  return fd;
}

static uint64_t file_size(int fd) {
  struct stat file;
  ck_assert_int_eq(fstat(fd, &file), 0);
  return (uint64_t)file.st_size;
}

static size_t content_of(unsigned number, uint8_t *content) {
  formats_random_t random = number + 1;
  size_t size = 2 + number * 37 % 500;
  for (size_t i = 0; i < size; i++) content[i] = (uint8_t)(formats_random(&random) % 5);
  return size;
}

static int block_append(trace_writer_t *writer, unsigned number) {
  uint8_t content[1024];
  size_t size = content_of(number, content);
  trace_block_t block = {.lane = number,
                         .records = number * 2,
                         .from = number * 100,
                         .to = number * 100 + 99,
                         .first_ticks = number * 7,
                         .last_ticks = number * 9};
  return trace_writer_append(writer, &block, content, size);
}

static int trace_new(trace_writer_t *writer) {
  int fd = file_new();
  ck_assert_int_eq(trace_writer_open(writer, fd, CONTENT_MAX, LEVEL), 0);
  return fd;
}

// A complete trace of blocks 0 to count - 1. The caller closes the fd.
static int trace_of(unsigned count) {
  trace_writer_t writer;
  int fd = trace_new(&writer);
  for (unsigned i = 0; i < count; i++) ck_assert_int_eq(block_append(&writer, i), 0);
  ck_assert_int_eq(trace_writer_finish(&writer), 0);
  trace_writer_close(&writer);
  return fd;
}

static ZSTD_DCtx *decompressor(void) {
  static ZSTD_DCtx *context;
  if (!context) context = ZSTD_createDCtx();
  return context;
}

static trace_error_t load(int fd, const trace_block_place_t *place, uint8_t *content) {
  uint8_t *buffer = malloc(place->compressed_size);
  trace_error_t error = trace_block_load(fd, place, decompressor(), buffer, content);
  free(buffer);
  return error;
}

static void assert_is_block(int fd, const trace_block_place_t *place, unsigned number) {
  uint8_t expected[1024], *content = malloc(place->content_size);
  ck_assert_uint_eq(place->block.lane, number);
  ck_assert_uint_eq(place->block.records, number * 2);
  ck_assert_uint_eq(place->block.from, number * 100);
  ck_assert_uint_eq(place->block.to, number * 100 + 99);
  ck_assert_uint_eq(place->block.first_ticks, number * 7);
  ck_assert_uint_eq(place->block.last_ticks, number * 9);
  ck_assert_uint_eq(place->content_size, content_of(number, expected));
  ck_assert_int_eq(load(fd, place, content), TRACE_ERROR_NONE);
  ck_assert_mem_eq(content, expected, place->content_size);
  free(content);
}

// Finds blocks first, first + 1, ... up to what is no block. Returns the number of the next.
static unsigned blocks_read(int fd, uint64_t *offset, unsigned first, bool *complete,
                            trace_error_t *error) {
  trace_block_place_t place;
  *complete = false;
  while ((*error = trace_block_find(fd, offset, &place, complete)) == TRACE_ERROR_NONE)
    assert_is_block(fd, &place, first++);
  return first;
}

static void assert_complete(int fd, unsigned count) {
  uint64_t offset = 0;
  bool complete;
  trace_error_t error;
  ck_assert_uint_eq(blocks_read(fd, &offset, 0, &complete, &error), count);
  ck_assert_int_eq(error, TRACE_ERROR_END);
  ck_assert(complete);
  ck_assert_uint_eq(offset, file_size(fd));
}

// Where each of the first `count` blocks starts; starts[count]: where the last ends.
static void block_starts(int fd, unsigned count, uint64_t *starts) {
  uint64_t offset = 0;
  trace_block_place_t place;
  bool complete;
  for (unsigned i = 0; i < count; i++) {
    starts[i] = offset;
    ck_assert_int_eq(trace_block_find(fd, &offset, &place, &complete), TRACE_ERROR_NONE);
    ck_assert_uint_eq(place.offset, starts[i]);
  }
  starts[count] = offset;
}

// ---- writing ---------------------------------------------------------------------------------

START_TEST(blocks_are_found_again) {
  int fd = trace_of(20);
  assert_complete(fd, 20);
  close(fd);
}
END_TEST

START_TEST(a_trace_without_blocks_is_complete) {
  int fd = trace_of(0);
  assert_complete(fd, 0);
  close(fd);
}
END_TEST

START_TEST(an_unfinished_trace_is_not_complete) {
  trace_writer_t writer;
  int fd = trace_new(&writer);
  uint64_t offset = 0;
  bool complete;
  trace_error_t error;
  ck_assert_uint_eq(blocks_read(fd, &offset, 0, &complete, &error), 0);
  ck_assert_int_eq(error, TRACE_ERROR_END);
  // A reader goes on where it was as the file grows.
  for (unsigned i = 0; i < 5; i++) {
    ck_assert_int_eq(block_append(&writer, i), 0);
    ck_assert_uint_eq(blocks_read(fd, &offset, i, &complete, &error), i + 1);
    ck_assert_int_eq(error, TRACE_ERROR_END);
    ck_assert(!complete);
    ck_assert_uint_eq(offset, writer.offset);
  }
  trace_writer_close(&writer);
  close(fd);
}
END_TEST

START_TEST(a_finished_trace_can_grow) {
  trace_writer_t writer;
  int fd = trace_new(&writer);
  for (unsigned i = 0; i < 40; i++) {
    ck_assert_int_eq(block_append(&writer, i), 0);
    if (i % 3 == 0) {
      ck_assert_int_eq(trace_writer_finish(&writer), 0);
      ck_assert_int_eq(trace_writer_finish(&writer), 0);
      assert_complete(fd, i + 1);
    }
  }
  trace_writer_close(&writer);
  close(fd);
}
END_TEST

// The block is shorter than the table that it takes the place of: nothing of that may be left.
START_TEST(a_trace_is_taken_up_again) {
  int fd = trace_of(100);
  trace_writer_t writer;
  ck_assert_int_eq(trace_writer_open(&writer, fd, CONTENT_MAX, LEVEL), 0);
  ck_assert_int_eq(block_append(&writer, 100), 0);
  ck_assert_uint_eq(file_size(fd), writer.offset);
  ck_assert_int_eq(block_append(&writer, 101), 0);
  ck_assert_int_eq(trace_writer_finish(&writer), 0);
  trace_writer_close(&writer);
  assert_complete(fd, 102);
  close(fd);
}
END_TEST

START_TEST(what_is_no_trace_is_not_written_to) {
  static const char text[] =
      "These are notes that somebody wants to keep, and they are longer than "
      "the header of a block is.";
  int fd = file_new();
  ck_assert_int_eq(write(fd, text, sizeof(text)), sizeof(text));
  trace_writer_t writer;
  ck_assert_int_eq(trace_writer_open(&writer, fd, CONTENT_MAX, LEVEL), -EINVAL);
  ck_assert_uint_eq(file_size(fd), sizeof(text));
  ck_assert_int_eq(trace_writer_open(&writer, fd, TRACE_BLOCK_MAX + 1, LEVEL), -EINVAL);
  close(fd);
  ck_assert_int_eq(trace_writer_open(&writer, -1, CONTENT_MAX, LEVEL), -EBADF);
}
END_TEST

START_TEST(a_block_of_the_greatest_size) {
  static uint8_t content[TRACE_BLOCK_MAX], got[TRACE_BLOCK_MAX];
  formats_random_t random = 3;
  for (size_t i = 0; i < sizeof(content); i++) content[i] = (uint8_t)formats_random(&random);
  trace_writer_t writer;
  int fd = file_new();
  ck_assert_int_eq(trace_writer_open(&writer, fd, TRACE_BLOCK_MAX, LEVEL), 0);
  trace_block_t block = {.lane = 1};
  ck_assert_int_eq(trace_writer_append(&writer, &block, content, sizeof(content)), 0);
  trace_writer_close(&writer);
  uint64_t offset = 0;
  trace_block_place_t place;
  bool complete;
  ck_assert_int_eq(trace_block_find(fd, &offset, &place, &complete), TRACE_ERROR_NONE);
  ck_assert_int_eq(load(fd, &place, got), TRACE_ERROR_NONE);
  ck_assert_mem_eq(got, content, sizeof(content));
  close(fd);
}
END_TEST

// ---- the seek table, read as zstd's document describes it ------------------------------------

static uint32_t little_endian(const uint8_t *bytes) {
  return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

START_TEST(the_seek_table_is_zstds) {
  enum { BLOCKS = 1300 };
  int fd = trace_of(BLOCKS);
  uint64_t size = file_size(fd);
  static uint64_t starts[BLOCKS + 1];
  block_starts(fd, BLOCKS, starts);
  uint8_t *file = malloc(size), content[1024];
  ck_assert_int_eq(pread(fd, file, size, 0), (ssize_t)size);

  const uint8_t *footer = file + size - 9;
  ck_assert_uint_eq(little_endian(footer + 5), 0x8F92EAB1);
  ck_assert_uint_eq(footer[4], 0);
  ck_assert_uint_eq(little_endian(footer), BLOCKS);
  const uint8_t *table = footer - 8 * BLOCKS - 8;
  ck_assert_uint_eq(little_endian(table), 0x184D2A5E);
  ck_assert_uint_eq(little_endian(table + 4), 8 * BLOCKS + 9);
  ck_assert_uint_eq((uint64_t)(table - file), starts[BLOCKS]);

  uint64_t at = 0;
  for (unsigned i = 0; i < BLOCKS; i++) {
    uint32_t compressed = little_endian(table + 8 + 8 * i);
    ck_assert_uint_eq(at, starts[i]);
    ck_assert_uint_eq(little_endian(table + 8 + 8 * i + 4), content_of(i, content));
    // What stands there: a skippable frame, then a zstd frame with its size and a checksum.
    ck_assert_uint_eq(little_endian(file + at), 0x184D2A55);
    const uint8_t *frame = file + at + 8 + little_endian(file + at + 4);
    ck_assert_uint_eq(ZSTD_findFrameCompressedSize(frame, compressed - 64), compressed - 64);
    ck_assert_uint_eq(ZSTD_getFrameContentSize(frame, compressed - 64), content_of(i, content));
    ck_assert(frame[4] & 4);
    at += compressed;
  }
  ck_assert_uint_eq(at, starts[BLOCKS]);
  free(file);
  close(fd);
}
END_TEST

START_TEST(zstd_reads_it) {
  enum { BLOCKS = 50 };
  int fd = trace_of(BLOCKS);
  char command[128];
  snprintf(command, sizeof(command), "zstd -q -t < /proc/%d/fd/%d", (int)getpid(), fd);
  ck_assert_int_eq(system(command), 0);
  snprintf(command, sizeof(command), "zstd -q -d -c < /proc/%d/fd/%d", (int)getpid(), fd);
  FILE *output = popen(command, "r");
  ck_assert_ptr_nonnull(output);
  for (unsigned i = 0; i < BLOCKS; i++) {
    uint8_t expected[1024], got[1024];
    size_t size = content_of(i, expected);
    ck_assert_uint_eq(fread(got, 1, size, output), size);
    ck_assert_mem_eq(got, expected, size);
  }
  ck_assert_int_eq(fgetc(output), EOF);
  ck_assert_int_eq(pclose(output), 0);
  close(fd);
}
END_TEST

// ---- no room ---------------------------------------------------------------------------------

// Check writes to a file of its own with every assertion, so the limit holds for one call only.
static void file_limit(rlim_t limit) {
  struct rlimit limits = {limit, RLIM_INFINITY};
  setrlimit(RLIMIT_FSIZE, &limits);
}

static int append_within(rlim_t limit, trace_writer_t *writer, unsigned number) {
  file_limit(limit);
  int result = block_append(writer, number);
  file_limit(RLIM_INFINITY);
  return result;
}

static int finish_within(rlim_t limit, trace_writer_t *writer) {
  file_limit(limit);
  int result = trace_writer_finish(writer);
  file_limit(RLIM_INFINITY);
  return result;
}

// Every limit within a header and the frame behind it: a write is cut at every byte.
START_TEST(a_full_file_is_cut_back) {
  signal(SIGXFSZ, SIG_IGN);
  trace_writer_t writer;
  int fd = trace_new(&writer);
  for (unsigned i = 0; i < 3; i++) ck_assert_int_eq(block_append(&writer, i), 0);
  uint64_t whole = writer.offset;
  for (rlim_t limit = whole; limit < whole + 80; limit++) {
    ck_assert_int_eq(append_within(limit, &writer, 3), -EFBIG);
    ck_assert_uint_eq(file_size(fd), whole);
    ck_assert_uint_eq(writer.offset, whole);
  }
  ck_assert_int_eq(block_append(&writer, 3), 0);
  ck_assert_int_eq(trace_writer_finish(&writer), 0);
  trace_writer_close(&writer);
  assert_complete(fd, 4);
  close(fd);
}
END_TEST

START_TEST(a_table_without_room_is_cut_back) {
  signal(SIGXFSZ, SIG_IGN);
  trace_writer_t writer;
  int fd = trace_new(&writer);
  for (unsigned i = 0; i < 3; i++) ck_assert_int_eq(block_append(&writer, i), 0);
  uint64_t whole = writer.offset, table = 8 + 3 * 8 + 9;
  for (rlim_t limit = whole; limit < whole + table; limit++) {
    ck_assert_int_eq(finish_within(limit, &writer), -EFBIG);
    ck_assert_uint_eq(file_size(fd), whole);
  }
  ck_assert_int_eq(finish_within(whole + table, &writer), 0);
  assert_complete(fd, 3);
  // There is room for the table only: the block fails, and the table can be written again.
  ck_assert_int_eq(append_within(whole + table, &writer, 4), -EFBIG);
  ck_assert_uint_eq(file_size(fd), whole);
  ck_assert_int_eq(finish_within(whole + table, &writer), 0);
  assert_complete(fd, 3);
  trace_writer_close(&writer);
  close(fd);
}
END_TEST

START_TEST(what_stands_behind_the_blocks_can_be_cut_off_at_once) {
  trace_writer_t writer;
  int fd = trace_new(&writer);
  ck_assert_int_eq(block_append(&writer, 0), 0);
  ck_assert(!trace_writer_trim(&writer));
  ck_assert_int_eq(trace_writer_finish(&writer), 0);
  ck_assert_uint_gt(file_size(fd), writer.offset);
  ck_assert(trace_writer_trim(&writer));
  ck_assert_uint_eq(file_size(fd), writer.offset);
  ck_assert(!trace_writer_trim(&writer));
  trace_writer_close(&writer);
  close(fd);
}
END_TEST

START_TEST(a_full_device_is_an_error) {
  trace_writer_t writer;
  int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(trace_writer_open(&writer, fd, CONTENT_MAX, LEVEL), 0);
  ck_assert_int_eq(block_append(&writer, 0), -ENOSPC);
  trace_writer_close(&writer);
  close(fd);
}
END_TEST

// ---- files cut short -------------------------------------------------------------------------

START_TEST(a_cut_trace_is_read_to_its_last_whole_frame) {
  enum { BLOCKS = 4 };
  int fd = trace_of(BLOCKS);
  uint64_t starts[BLOCKS + 1];
  block_starts(fd, BLOCKS, starts);
  assert_complete(fd, BLOCKS);
  for (uint64_t size = file_size(fd); size-- > 0;) {
    ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
    unsigned whole = 0;
    while (whole < BLOCKS && starts[whole + 1] <= size) whole++;
    uint64_t offset = 0;
    bool complete;
    trace_error_t error;
    ck_assert_uint_eq(blocks_read(fd, &offset, 0, &complete, &error), whole);
    ck_assert_int_eq(error, size == starts[whole] ? TRACE_ERROR_END : TRACE_ERROR_TRUNCATED);
    ck_assert_uint_eq(offset, starts[whole]);
    ck_assert(!complete);
  }
  close(fd);
}
END_TEST

START_TEST(a_cut_trace_is_taken_up_again) {
  enum { BLOCKS = 3 };
  int whole_fd = trace_of(BLOCKS);
  uint64_t starts[BLOCKS + 1], size = file_size(whole_fd);
  block_starts(whole_fd, BLOCKS, starts);
  uint8_t *file = malloc(size);
  ck_assert_int_eq(pread(whole_fd, file, size, 0), (ssize_t)size);
  for (; size > 0; size--) {
    int fd = file_new();
    ck_assert_int_eq(write(fd, file, size), (ssize_t)size);
    unsigned whole = 0;
    while (whole < BLOCKS && starts[whole + 1] <= size) whole++;
    trace_writer_t writer;
    ck_assert_int_eq(trace_writer_open(&writer, fd, CONTENT_MAX, LEVEL), 0);
    ck_assert_int_eq(block_append(&writer, whole), 0);
    ck_assert_int_eq(trace_writer_finish(&writer), 0);
    trace_writer_close(&writer);
    assert_complete(fd, whole + 1);
    close(fd);
  }
  free(file);
  close(whole_fd);
}
END_TEST

// ---- damaged files ---------------------------------------------------------------------------

// Reads on behind any damage. Returns how many blocks came back whole.
static unsigned blocks_salvaged(int fd) {
  uint64_t offset = 0, before = 0;
  trace_block_place_t place;
  bool complete = false;
  unsigned whole = 0;
  for (;;) {
    trace_error_t error = trace_block_find(fd, &offset, &place, &complete);
    if (error == TRACE_ERROR_END || error == TRACE_ERROR_TRUNCATED) return whole;
    ck_assert_uint_gt(offset, before);
    before = offset;
    if (error == TRACE_ERROR_HEADER) continue;
    ck_assert_int_eq(error, TRACE_ERROR_NONE);
    uint8_t content[1024], expected[1024];
    ck_assert_uint_lt(place.content_size, sizeof(content));
    error = load(fd, &place, content);
    if (error == TRACE_ERROR_CHECKSUM) continue;
    ck_assert_int_eq(error, TRACE_ERROR_NONE);
    ck_assert_uint_eq(place.content_size, content_of(place.block.lane, expected));
    ck_assert_mem_eq(content, expected, place.content_size);
    whole++;
  }
}

START_TEST(a_flipped_bit_costs_one_block) {
  enum { BLOCKS = 6 };
  int fd = trace_of(BLOCKS);
  uint64_t starts[BLOCKS + 1];
  block_starts(fd, BLOCKS, starts);
  ck_assert_uint_eq(blocks_salvaged(fd), BLOCKS);
  formats_random_t random = 17;
  for (uint64_t at = 0; at < file_size(fd); at++) {
    uint8_t byte, flipped;
    ck_assert_int_eq(pread(fd, &byte, 1, (off_t)at), 1);
    flipped = byte ^ (uint8_t)(1 << formats_random(&random) % 8);
    ck_assert_int_eq(pwrite(fd, &flipped, 1, (off_t)at), 1);
    // The reserved bits of a frame may be flipped without effect.
    unsigned whole = blocks_salvaged(fd);
    ck_assert_msg(whole == BLOCKS || (whole == BLOCKS - 1 && at < starts[BLOCKS]), "%u blocks, %d",
                  whole, (int)at);
    ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
  }
  close(fd);
}
END_TEST

START_TEST(a_damaged_frame_is_told_from_a_damaged_header) {
  int fd = trace_of(2);
  uint64_t starts[3], offset = 0;
  block_starts(fd, 2, starts);
  trace_block_place_t place;
  bool complete;
  uint8_t content[1024];
  ck_assert_int_eq(pwrite(fd, "xxxx", 4, (off_t)starts[1] - 4), 4);  // the checksum of the first
  ck_assert_int_eq(trace_block_find(fd, &offset, &place, &complete), TRACE_ERROR_NONE);
  ck_assert_int_eq(load(fd, &place, content), TRACE_ERROR_CHECKSUM);
  ck_assert_uint_eq(offset, starts[1]);
  ck_assert_int_eq(pwrite(fd, "x", 1, (off_t)starts[1] + 30), 1);
  ck_assert_int_eq(trace_block_find(fd, &offset, &place, &complete), TRACE_ERROR_HEADER);
  ck_assert_uint_eq(offset, starts[2]);
  ck_assert_int_eq(trace_block_find(fd, &offset, &place, &complete), TRACE_ERROR_END);
  ck_assert(complete);
  close(fd);
}
END_TEST

START_TEST(a_load_behind_the_end_is_truncated) {
  int fd = trace_of(1);
  uint64_t offset = 0;
  trace_block_place_t place;
  bool complete;
  uint8_t content[1024];
  ck_assert_int_eq(trace_block_find(fd, &offset, &place, &complete), TRACE_ERROR_NONE);
  ck_assert_int_eq(ftruncate(fd, (off_t)offset - 1), 0);
  ck_assert_int_eq(load(fd, &place, content), TRACE_ERROR_TRUNCATED);
  close(fd);
}
END_TEST

START_TEST(a_table_inside_the_file_completes_nothing) {
  int fd = trace_of(1);
  uint64_t size = file_size(fd);
  uint8_t *file = malloc(size);
  ck_assert_int_eq(pread(fd, file, size, 0), (ssize_t)size);
  ck_assert_int_eq(pwrite(fd, file, 64 + 5, (off_t)size), 64 + 5);
  uint64_t offset = 0;
  bool complete;
  trace_error_t error;
  ck_assert_uint_eq(blocks_read(fd, &offset, 0, &complete, &error), 1);
  ck_assert_int_eq(error, TRACE_ERROR_TRUNCATED);
  ck_assert_uint_eq(offset, size);
  ck_assert(!complete);
  free(file);
  close(fd);
}
END_TEST

START_TEST(a_frame_of_another_size_is_damaged) {
  int fd = trace_of(1);
  uint64_t offset = 0;
  trace_block_place_t place;
  bool complete;
  uint8_t content[1024];
  ck_assert_int_eq(trace_block_find(fd, &offset, &place, &complete), TRACE_ERROR_NONE);
  place.content_size++;
  ck_assert_int_eq(load(fd, &place, content), TRACE_ERROR_CHECKSUM);
  place.content_size -= 2;
  ck_assert_int_eq(load(fd, &place, content), TRACE_ERROR_CHECKSUM);
  close(fd);
}
END_TEST

// Junk of many lengths, with magics in it, so that the header that follows it crosses the border
// of what is read at once at every byte.
START_TEST(a_header_is_found_behind_junk) {
  int trace = trace_of(2), fd = file_new();
  uint64_t size = file_size(trace);
  uint8_t *file = malloc(size), *junk = malloc(200 << 10);
  ck_assert_int_eq(pread(trace, file, size, 0), (ssize_t)size);
  for (size_t i = 0; i < 200 << 10; i++) junk[i] = "U*M\x18^*M\x18\x38INSB\0\0"[i % 15];
  static const size_t borders[] = {16, 64 << 10, 128 << 10};
  for (size_t i = 0; i < sizeof(borders) / sizeof(borders[0]); i++)
    for (size_t length = borders[i]; length-- > borders[i] - (i ? 140 : 15);) {
      ck_assert_int_eq(pwrite(fd, junk, length, 0), (ssize_t)length);
      ck_assert_int_eq(pwrite(fd, file, size, (off_t)length), (ssize_t)size);
      ck_assert_int_eq(ftruncate(fd, (off_t)(length + size)), 0);
      uint64_t offset = 0;
      bool complete;
      trace_error_t error;
      blocks_read(fd, &offset, 0, &complete, &error);
      ck_assert_int_eq(error, TRACE_ERROR_HEADER);
      ck_assert_uint_eq(offset, length);
      ck_assert_uint_eq(blocks_read(fd, &offset, 0, &complete, &error), 2);
      ck_assert_int_eq(error, TRACE_ERROR_END);
    }
  free(file);
  free(junk);
  close(trace);
  close(fd);
}
END_TEST

START_TEST(random_bytes_do_no_harm) {
  formats_random_t random = 61;
  int fd = file_new();
  for (int round = 0; round < 300; round++) {
    uint8_t bytes[600];
    for (size_t i = 0; i < sizeof(bytes); i++)
      bytes[i] = formats_random(&random) % 3 ? (uint8_t)formats_random(&random)
                                             : (uint8_t) "U^*M\x18"[formats_random(&random) % 5];
    size_t size = formats_random(&random) % sizeof(bytes);
    ck_assert_int_eq(ftruncate(fd, 0), 0);
    ck_assert_int_eq(pwrite(fd, bytes, size, 0), (ssize_t)size);
    ck_assert_uint_eq(blocks_salvaged(fd), 0);
  }
  close(fd);
}
END_TEST

START_TEST(no_trace_is_no_trace) {
  trace_block_place_t place;
  bool complete = false;
  int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
  uint64_t offset = 0;
  ck_assert_int_eq(trace_block_find(fd, &offset, &place, &complete), TRACE_ERROR_HEADER);
  ck_assert_uint_eq(offset, file_size(fd));
  ck_assert_int_eq(trace_block_find(fd, &offset, &place, &complete), TRACE_ERROR_END);
  close(fd);
  fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  offset = 0;
  ck_assert_int_eq(trace_block_find(fd, &offset, &place, &complete), TRACE_ERROR_SYSTEM);
  ck_assert_int_eq(errno, EISDIR);
  close(fd);
  ck_assert(!complete);
}
END_TEST

START_TEST(errors_have_texts) {
  ck_assert_str_eq(trace_error_text(TRACE_ERROR_NONE), "no error");
  ck_assert_str_eq(trace_error_text(TRACE_ERROR_SYSTEM), "the file cannot be read");
  ck_assert_str_eq(trace_error_text((trace_error_t)99), "unknown error");
}
END_TEST

static TCase *writing_case(void) {
  TCase *writing = tcase_create("writing");
  tcase_add_test(writing, blocks_are_found_again);
  tcase_add_test(writing, a_trace_without_blocks_is_complete);
  tcase_add_test(writing, an_unfinished_trace_is_not_complete);
  tcase_add_test(writing, a_finished_trace_can_grow);
  tcase_add_test(writing, a_trace_is_taken_up_again);
  tcase_add_test(writing, what_is_no_trace_is_not_written_to);
  tcase_add_test(writing, a_block_of_the_greatest_size);
  tcase_add_test(writing, the_seek_table_is_zstds);
  tcase_add_test(writing, zstd_reads_it);
  tcase_add_test(writing, a_full_file_is_cut_back);
  tcase_add_test(writing, a_table_without_room_is_cut_back);
  tcase_add_test(writing, a_full_device_is_an_error);
  tcase_add_test(writing, what_stands_behind_the_blocks_can_be_cut_off_at_once);
  return writing;
}

static TCase *reading_case(void) {
  TCase *reading = tcase_create("reading");
  tcase_set_timeout(reading, 60);
  tcase_add_test(reading, a_cut_trace_is_read_to_its_last_whole_frame);
  tcase_add_test(reading, a_cut_trace_is_taken_up_again);
  tcase_add_test(reading, a_flipped_bit_costs_one_block);
  tcase_add_test(reading, a_damaged_frame_is_told_from_a_damaged_header);
  tcase_add_test(reading, a_load_behind_the_end_is_truncated);
  tcase_add_test(reading, a_table_inside_the_file_completes_nothing);
  tcase_add_test(reading, a_frame_of_another_size_is_damaged);
  tcase_add_test(reading, a_header_is_found_behind_junk);
  tcase_add_test(reading, random_bytes_do_no_harm);
  tcase_add_test(reading, no_trace_is_no_trace);
  tcase_add_test(reading, errors_have_texts);
  return reading;
}

Suite *formats_container_suite(void);
Suite *formats_container_suite(void) {
  Suite *suite = suite_create("formats_container");
  suite_add_tcase(suite, writing_case());
  suite_add_tcase(suite, reading_case());
  return suite;
}
