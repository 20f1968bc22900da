// SPDX-License-Identifier: Apache-2.0
// The writer's way from a ring into a file: what was put into the ring is in the file, in order,
// and each event's stack means what it meant when it was written, wherever the writer came by.
#include "preload/writer/drain.h"
#include "tests/unit/formats_random.h"
#include "tests/unit/rounds.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

enum { LANE = 1, NUMBERS_MAX = 40, EVENTS_MAX = 400000, FRAMES_MAX = 30 };

static trace_session_t *session;
static session_files_t files;
static stream_memory_t memory;
static stream_t stream;
static drain_state_t state;
static trace_ring_t *ring;
static FILE *file;

static uint64_t meanings[NUMBERS_MAX + 1];  // of the numbers defined since they began again
static uint64_t expected[EVENTS_MAX];       // meaning of the stack of event i
static uint64_t event_count, meaning_count;

static void setup(void) {
  static char *const no_arguments[] = {NULL};
  file = tmpfile();
  session = calloc(1, TRACE_SESSION_SIZE);
  ring = aligned_alloc(4096, TRACE_RING_STRIDE);
  memset(ring, 0, TRACE_RING_STRIDE);
  files = (session_files_t){.trace_path = "trace.zst",
                            .rings_path = "trace.zst.rings",
                            .program = "program",
                            .arguments = no_arguments,
                            .session = session};
  memory.scratch = malloc(trace_block_scratch(TRACE_RING_WORDS));
  memory.content = malloc(trace_block_bound(TRACE_RING_WORDS));
  memory.facts = malloc(TRACE_RING_WORDS * sizeof *memory.facts);
  memory.events = malloc(TRACE_RING_WORDS * sizeof *memory.events);
  ck_assert_int_eq(
      trace_writer_prepare(&memory.compressor, trace_block_bound(TRACE_RING_WORDS), STREAM_LEVEL),
      0);
  ck_assert(stream_open(&stream, &files, 0, dup(fileno(file)), &memory));
}

static void teardown(void) {
  trace_writer_close(&stream.segments[0].out);
  close(stream.segments[0].fd);
  trace_writer_close(&memory.compressor);
  fclose(file);
  free(session);
  free(ring);
  free(memory.scratch);
  free(memory.content);
  free(memory.facts);
  free(memory.events);
}

static void drain(void) {
  const uint64_t waiting = ring->head - ring->tail;
  ck_assert_uint_eq(drain_ring(&stream, ring, LANE, &state, &memory), waiting);
  ck_assert_uint_eq(ring->tail, ring->head);
}

// As a lane does it: a record never wraps.
static void put(const uint64_t *words, size_t count) {
  uint64_t *data = (uint64_t *)((uint8_t *)ring + TRACE_RING_HEADER);
  const size_t left = TRACE_RING_WORDS - ring->head % TRACE_RING_WORDS;
  const size_t padding = left < count ? left : 0;
  if (ring->tail + TRACE_RING_WORDS - ring->head < padding + count) drain();
  if (padding)
    data[ring->head % TRACE_RING_WORDS] = trace_header(0, false, 0, (uint32_t)padding - 1);
  ring->head += padding;
  memcpy(data + ring->head % TRACE_RING_WORDS, words, count * sizeof *words);
  ring->head += count;
}

static void put_definition(uint32_t number, size_t frames) {
  uint64_t words[FRAMES_MAX + 3];
  meanings[number] = ++meaning_count;
  words[0] = trace_header(TRACE_STACK, true, number, (uint32_t)frames + 1);
  words[1] = 0;
  for (size_t i = 0; i < frames; i++) words[2 + i] = meaning_count;
  words[2 + frames] = meaning_count;
  put(words, frames + 3);
  ring->last_fact = ring->head;
}

static void put_event(uint32_t number, bool timed) {
  const uint64_t words[] = {trace_header(TRACE_ALLOCATE, timed, number, 64), event_count,
                            event_count};
  expected[event_count++] = meanings[number];
  put(words, timed ? 3 : 2);
}

// A run of pairs that are alike, as a loop makes them: these are put into columns as one.
static void put_pairs(uint32_t number, size_t count) {
  while (count-- > 0 && event_count < EVENTS_MAX) put_event(number, false);
}

static void read_block(const trace_block_place_t *place, ZSTD_DCtx *context, uint64_t *seen) {
  static uint8_t buffer[TRACE_BLOCK_MAX], content[TRACE_BLOCK_MAX];
  static trace_block_cursor_t cursor;
  trace_record_t record;
  int result;
  ck_assert_int_eq(trace_block_load(fileno(file), place, context, buffer, content),
                   TRACE_ERROR_NONE);
  ck_assert(trace_block_open(&cursor, &place->block, content, place->content_size));
  while ((result = trace_block_next(&cursor, &record)) > 0) {
    if (record.kind == TRACE_STACK) {
      ck_assert_uint_le(record.stack, NUMBERS_MAX);
      meanings[record.stack] = record.payload[1];
    } else if (record.kind == TRACE_ALLOCATE) {
      ck_assert_uint_eq(record.words[0], *seen);
      ck_assert_msg(meanings[record.stack] == expected[*seen], "event %lu: stack %lu, not %lu",
                    (unsigned long)*seen, (unsigned long)meanings[record.stack],
                    (unsigned long)expected[*seen]);
      ++*seen;
    }
  }
  ck_assert_int_eq(result, 0);
}

// The lane's blocks cover its positions without a gap, and hold every event once.
static void judge(void) {
  ZSTD_DCtx *context = ZSTD_createDCtx();
  trace_block_place_t place;
  uint64_t offset = 0, seen = 0, covered = 0;
  bool complete;
  memset(meanings, 0, sizeof meanings);
  while (trace_block_find(fileno(file), &offset, &place, &complete) == TRACE_ERROR_NONE) {
    if (place.block.lane != LANE) continue;
    ck_assert_uint_ge(place.block.from, covered);
    if (place.block.from != place.block.to) covered = place.block.to;
    read_block(&place, context, &seen);
  }
  ck_assert_uint_eq(seen, event_count);
  ZSTD_freeDCtx(context);
}

// Numbers begin again as often as not at the very place where the writer has just been.
START_TEST(events_keep_the_meaning_of_their_stacks) {
  formats_random_t random = (formats_random_t)_i + 1;
  const uint64_t often = UINT64_C(1) << (1 + _i % 12);
  uint32_t last = 0;
  for (int i = 0; i < 20000 && event_count < EVENTS_MAX; i++) {
    const uint64_t draw = formats_random(&random);
    if (last == 0 || draw % 16 == 0) {
      if (draw % 64 == 0) drain();
      if (last == NUMBERS_MAX || draw % 256 == 0) last = 0;
      put_definition(++last, 1 + draw / 256 % FRAMES_MAX);
    }
    const uint32_t number = 1 + (uint32_t)(draw >> 32) % last;
    if (draw % 512 == 1)
      put_pairs(number, draw / 512 % 3000);
    else
      put_event(number, draw % 8 == 2);
    if (draw / 4096 % often == 0) drain();
  }
  drain();
  judge();
}
END_TEST

// What is dropped by the owner, and what a stopped stream throws away, is counted by kind, once.
START_TEST(losses_are_told_as_counts_so_far) {
  ring->lost[TRACE_FREE] = 3;
  ring->lost_total = 3;
  put_definition(1, 1);
  put_event(1, false);
  drain();
  stream_stop(&stream, "recording stopped: by a test", &memory);
  put_pairs(1, 7);
  drain();
  drain();
  ck_assert_uint_eq(ring->discarded[TRACE_ALLOCATE], 7);
  ck_assert_uint_eq(ring->discarded_total, 7);
  drain_losses(&stream, ring, LANE, &state, true, &memory);
  ck_assert_uint_eq(state.reported[TRACE_FREE], 3);
  ck_assert_uint_eq(state.reported[TRACE_ALLOCATE], 7);
}
END_TEST

// How many connections are out of the sample is told with what was lost, and at the end; it is no
// loss.
START_TEST(connections_out_of_the_sample_are_told_at_the_end) {
  put_definition(1, 1);
  put_event(1, false);
  ring->lost[TRACE_CONNECTION_OUT] = 5;
  drain();
  ck_assert_uint_eq(state.reported[TRACE_CONNECTION_OUT], 0);
  drain_losses(&stream, ring, LANE, &state, true, &memory);
  ck_assert_uint_eq(state.reported[TRACE_CONNECTION_OUT], 5);
  ck_assert_uint_eq(state.reported_total, 0);
}
END_TEST

// A ring that cannot be believed is left alone.
START_TEST(positions_that_cannot_be_are_not_drained) {
  ring->head = 2 * TRACE_RING_WORDS;
  ck_assert_uint_eq(drain_ring(&stream, ring, LANE, &state, &memory), 0);
  ck_assert_uint_eq(ring->tail, 0);
}
END_TEST

Suite *writer_drain_suite(void);
Suite *writer_drain_suite(void) {
  Suite *suite = suite_create("writer_drain");
  TCase *drains = tcase_create("drain");
  tcase_add_checked_fixture(drains, setup, teardown);
  tcase_set_timeout(drains, 60);
  tcase_add_loop_test(drains, events_keep_the_meaning_of_their_stacks, 0, rounds(12));
  tcase_add_test(drains, losses_are_told_as_counts_so_far);
  tcase_add_test(drains, connections_out_of_the_sample_are_told_at_the_end);
  tcase_add_test(drains, positions_that_cannot_be_are_not_drained);
  suite_add_tcase(suite, drains);
  return suite;
}
