// SPDX-License-Identifier: Apache-2.0
// Makes traces for tests. See the header.
#include "tests/unit/trace_builder.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BUILDER_LANES = 64, BUILDER_CONTENT_MAX = 4 << 20, BUILDER_LEVEL = 1 };

typedef struct {
  uint64_t *words;
  size_t count, capacity;
  uint64_t flushed;  // position of words[0]
  uint64_t before;   // position of the block written last
  uint32_t tid;
  uint64_t handle;
} builder_lane_t;

struct trace_builder {
  char folder[64], path[96], rings_path[128];
  int fd;
  trace_writer_t writer;
  builder_lane_t lanes[BUILDER_LANES];
  uint8_t *map;
  size_t map_size;
};

static builder_lane_t *builder_lane(trace_builder_t *builder, uint32_t lane, size_t room) {
  ck_assert_uint_lt(lane, BUILDER_LANES);
  builder_lane_t *it = &builder->lanes[lane];
  if (it->count + room > it->capacity) {
    it->capacity = (it->count + room) * 2;
    it->words = realloc(it->words, it->capacity * sizeof *it->words);
    ck_assert_ptr_nonnull(it->words);
  }
  return it;
}

static void builder_begin(builder_lane_t *lane, int kind, bool timed, uint32_t stack,
                          uint64_t arg) {
  bool is_long = arg >= TRACE_ARG_LONG;
  uint32_t in_header = is_long ? TRACE_ARG_LONG : (uint32_t)arg;
  lane->words[lane->count++] = trace_header((unsigned)kind, timed, stack, in_header);
  if (is_long) lane->words[lane->count++] = arg;
}

void trace_builder_record(trace_builder_t *builder, uint32_t lane, int kind, uint64_t stamp,
                          uint32_t stack, uint64_t arg, uint64_t word0, uint64_t word1,
                          uint64_t word2) {
  bool timed = stamp != TRACE_BUILDER_UNTIMED;
  builder_lane_t *it = builder_lane(builder, lane, 6);
  const uint64_t words[TRACE_WORDS_MAX] = {word0, word1, word2};
  builder_begin(it, kind, timed, stack, arg);
  for (unsigned i = 0; i < trace_event_kinds[kind].word_count; i++)
    it->words[it->count++] = words[i];
  if (timed) it->words[it->count++] = stamp;
}

void trace_builder_payload(trace_builder_t *builder, uint32_t lane, int kind, uint64_t stamp,
                           uint32_t stack, const uint64_t *payload, size_t words) {
  bool timed = stamp != TRACE_BUILDER_UNTIMED;
  ck_assert(trace_event_kinds[kind].has_payload);
  ck_assert_uint_le(words, TRACE_PAYLOAD_MAX);
  builder_lane_t *it = builder_lane(builder, lane, words + 2);
  builder_begin(it, kind, timed, stack, words);
  memcpy(it->words + it->count, payload, words * sizeof *payload);
  it->count += words;
  if (timed) it->words[it->count++] = stamp;
}

void trace_builder_text(trace_builder_t *builder, uint32_t lane, int kind, uint64_t stamp,
                        uint64_t id, const char *text) {
  uint64_t payload[TRACE_PAYLOAD_MAX];
  size_t words = trace_text_pack(payload, TRACE_PAYLOAD_MAX, id, text, strlen(text));
  trace_builder_payload(builder, lane, kind, stamp, 0, payload, words);
}

void trace_builder_property(trace_builder_t *builder, const char *text) {
  trace_builder_text(builder, 0, TRACE_PROPERTY, TRACE_BUILDER_UNTIMED, 0, text);
}

void trace_builder_clock(trace_builder_t *builder, uint64_t ticks, uint64_t monotonic_ns,
                         uint64_t realtime_ns) {
  trace_builder_record(builder, 0, TRACE_CLOCK, TRACE_BUILDER_UNTIMED, 0, 0, ticks, monotonic_ns,
                       realtime_ns);
}

void trace_builder_module(trace_builder_t *builder, uint32_t lane, uint64_t stamp, uint64_t bias,
                          uint64_t start, uint64_t end, const uint8_t *build_id,
                          size_t build_id_length, const char *path) {
  uint64_t payload[TRACE_PAYLOAD_MAX];
  trace_module_t module = {bias, start, end, build_id_length, strlen(path)};
  size_t words = trace_module_pack(payload, TRACE_PAYLOAD_MAX, &module, build_id, path);
  ck_assert_uint_gt(words, 0);
  trace_builder_payload(builder, lane, TRACE_MODULE, stamp, 0, payload, words);
}

void trace_builder_stack(trace_builder_t *builder, uint32_t lane, uint32_t number,
                         const uint64_t *frames, size_t count) {
  uint64_t payload[TRACE_PAYLOAD_MAX] = {0};
  memcpy(payload + 1, frames, count * sizeof *frames);
  trace_builder_payload(builder, lane, TRACE_STACK, TRACE_BUILDER_UNTIMED, number, payload,
                        count + 1);
}

void trace_builder_thread(trace_builder_t *builder, uint32_t lane, uint64_t stamp, uint32_t tid,
                          uint64_t handle, uint64_t routine) {
  trace_builder_record(builder, lane, TRACE_THREAD_START, stamp, 0, tid, handle, routine, 0);
  builder->lanes[lane].tid = tid;
  builder->lanes[lane].handle = handle;
}

void trace_builder_flush(trace_builder_t *builder, uint32_t lane) {
  builder_lane_t *it = builder_lane(builder, lane, 0);
  if (it->count == 0) return;
  void *scratch = malloc(trace_block_scratch(it->count));
  uint8_t *content = malloc(trace_block_bound(it->count));
  ck_assert(scratch && content);
  trace_block_t block = {.lane = lane, .from = it->flushed, .to = it->flushed + it->count};
  if (lane == 0) block.from = 0, block.to = it->count;
  size_t size = trace_block_encode(it->words, it->count, scratch, content, &block);
  ck_assert_uint_gt(size, 0);
  ck_assert_int_eq(trace_writer_append(&builder->writer, &block, content, size), 0);
  free(scratch);
  free(content);
  it->before = it->flushed;
  it->flushed += it->count;
  it->count = 0;
}

void trace_builder_skip(trace_builder_t *builder, uint32_t lane, uint64_t words) {
  builder->lanes[lane].flushed += words;
}

void trace_builder_repeat(trace_builder_t *builder, uint32_t lane) {
  builder->lanes[lane].flushed = builder->lanes[lane].before;
}

void trace_builder_finish(trace_builder_t *builder, int how, int status) {
  for (uint32_t lane = 0; lane < BUILDER_LANES; lane++) trace_builder_flush(builder, lane);
  trace_builder_record(builder, 0, TRACE_END, TRACE_BUILDER_UNTIMED, 0, (uint64_t)how,
                       trace_zigzag(status), 0, 0);
  trace_builder_flush(builder, 0);
  ck_assert_int_eq(trace_writer_finish(&builder->writer), 0);
}

void trace_builder_pad(trace_builder_t *builder, uint32_t lane) {
  const builder_lane_t *it = &builder->lanes[lane];
  uint64_t left = TRACE_RING_WORDS - (it->flushed + it->count) % TRACE_RING_WORDS;
  builder_lane_t *padded = builder_lane(builder, lane, left);
  memset(padded->words + padded->count, 0, left * sizeof *padded->words);
  padded->words[padded->count] = trace_header(0, false, 0, (uint32_t)left - 1);
  padded->count += left;
}

static void builder_unmap(trace_builder_t *builder) {
  if (builder->map) munmap(builder->map, builder->map_size);
  builder->map = NULL;
}

static void builder_map(trace_builder_t *builder, unsigned rings) {
  builder_unmap(builder);
  builder->map_size = TRACE_SESSION_SIZE + (size_t)rings * TRACE_RING_STRIDE;
  int fd = open(builder->rings_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(ftruncate(fd, (off_t)builder->map_size), 0);
  builder->map = mmap(NULL, builder->map_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ck_assert_ptr_ne(builder->map, MAP_FAILED);
  close(fd);
}

static void builder_fill_ring(trace_builder_t *builder, uint32_t number) {
  builder_lane_t *lane = &builder->lanes[number];
  trace_ring_t *ring = trace_builder_ring(builder, number);
  ck_assert_uint_le(lane->count, TRACE_RING_WORDS);
  uint64_t *data = (uint64_t *)((uint8_t *)ring + TRACE_RING_HEADER);
  for (size_t i = 0; i < lane->count; i++)
    data[(lane->flushed + i) % TRACE_RING_WORDS] = lane->words[i];
  ring->tail = lane->flushed;
  ring->head = lane->flushed + lane->count;
  ring->process = 0;
  ring->tid = lane->tid;
  ring->handle = lane->handle;
  ring->generation = 1;
  ring->state = lane->flushed + lane->count > 0 ? TRACE_RING_OWNED : TRACE_RING_FREE;
}

void trace_builder_rings(trace_builder_t *builder, uint32_t pid, uint64_t start_time) {
  trace_builder_flush(builder, 0);
  unsigned rings = 1;
  for (uint32_t lane = 1; lane < BUILDER_LANES; lane++)
    if (builder->lanes[lane].count + builder->lanes[lane].flushed > 0) rings = lane;
  builder_map(builder, rings);
  trace_session_t *session = trace_builder_session(builder);
  session->magic = TRACE_SESSION_MAGIC;
  session->version = TRACE_SESSION_VERSION;
  session->header_size = TRACE_SESSION_SIZE;
  session->ring_stride = TRACE_RING_STRIDE;
  session->ring_header = TRACE_RING_HEADER;
  session->rings_max = TRACE_RINGS_MAX;
  session->processes_max = TRACE_PROCESSES_MAX;
  session->rings_ready = rings;
  session->processes[0].state = TRACE_PROCESS_ACTIVE;
  session->processes[0].pid = pid;
  session->processes[0].start_time = start_time;
  snprintf(session->processes[0].trace_path, TRACE_PATH_MAX, "%s", builder->path);
  for (uint32_t lane = 1; lane <= rings; lane++) builder_fill_ring(builder, lane);
}

trace_session_t *trace_builder_session(trace_builder_t *builder) {
  ck_assert_ptr_nonnull(builder->map);
  return (trace_session_t *)builder->map;
}

trace_ring_t *trace_builder_ring(trace_builder_t *builder, uint32_t lane) {
  size_t offset = TRACE_SESSION_SIZE + (size_t)(lane - 1) * TRACE_RING_STRIDE;
  ck_assert_uint_lt(offset, builder->map_size);
  return (trace_ring_t *)(builder->map + offset);
}

trace_builder_t *trace_builder_empty(void) {
  trace_builder_t *builder = calloc(1, sizeof *builder);
  ck_assert_ptr_nonnull(builder);
  const char *base = getenv("TMPDIR");
  snprintf(builder->folder, sizeof builder->folder, "%s/inspect-unit-XXXXXX",
           base && strlen(base) < 32 ? base : "/tmp");
  ck_assert_ptr_nonnull(mkdtemp(builder->folder));
  snprintf(builder->path, sizeof builder->path, "%s/trace.zst", builder->folder);
  snprintf(builder->rings_path, sizeof builder->rings_path, "%s.rings", builder->path);
  builder->fd = open(builder->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  ck_assert_int_ge(builder->fd, 0);
  ck_assert_int_eq(
      trace_writer_open(&builder->writer, builder->fd, BUILDER_CONTENT_MAX, BUILDER_LEVEL), 0);
  return builder;
}

trace_builder_t *trace_builder_bare(void) {
  trace_builder_t *builder = trace_builder_empty();
  char version[64];
  snprintf(version, sizeof version, "%s=%d", TRACE_KEY_VERSION, TRACE_VERSION);
  trace_builder_property(builder, version);
  return builder;
}

trace_builder_t *trace_builder_new(void) {
  trace_builder_t *builder = trace_builder_bare();
  char text[128];
  static const char *const properties[] = {
      TRACE_KEY_RECORDER "=test",    TRACE_KEY_PROGRAM "=/usr/bin/example",
      TRACE_KEY_ARGUMENT "=example", TRACE_KEY_ARGUMENT "=--flag",
      TRACE_KEY_MODE "=development", TRACE_KEY_SAMPLING "=1",
      TRACE_KEY_CLOCK "=monotonic",  TRACE_KEY_RINGS "=trace.zst.rings",
      TRACE_KEY_SLOT "=0",           TRACE_KEY_START_TICKS "=0",
      TRACE_KEY_STALL_MS "=10",      TRACE_KEY_WAIT_MS "=1",
  };
  for (size_t i = 0; i < sizeof properties / sizeof *properties; i++)
    trace_builder_property(builder, properties[i]);
  snprintf(text, sizeof text, "%s=%d", TRACE_KEY_PID, TRACE_BUILDER_PID);
  trace_builder_property(builder, text);
  snprintf(text, sizeof text, "%s=%d", TRACE_KEY_START_TIME, TRACE_BUILDER_START_TIME);
  trace_builder_property(builder, text);
  trace_builder_clock(builder, 0, 0, UINT64_C(1700000000000000000));
  return builder;
}

static int builder_remove(const char *path, const struct stat *status, int type, struct FTW *ftw) {
  (void)status, (void)type, (void)ftw;
  return remove(path);
}

void trace_builder_free(trace_builder_t *builder) {
  builder_unmap(builder);
  trace_writer_close(&builder->writer);
  close(builder->fd);
  nftw(builder->folder, builder_remove, 8, FTW_DEPTH | FTW_PHYS);
  for (uint32_t lane = 0; lane < BUILDER_LANES; lane++) free(builder->lanes[lane].words);
  free(builder);
}

const char *trace_builder_path(const trace_builder_t *builder) { return builder->path; }
const char *trace_builder_folder(const trace_builder_t *builder) { return builder->folder; }
