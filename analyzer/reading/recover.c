// SPDX-License-Identifier: Apache-2.0
// One complete trace out of what an interrupted run has left. See the header.
//
// Good blocks are copied as they are. What the rings add, and what is said about damage, become
// further blocks; then END and the seek table.
#include "analyzer/reading/recover.h"

#include "analyzer/reading/state.h"
#include "formats/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LEVEL = 3, FACT_WORDS_MAX = 4096 };

typedef struct {
  reader_t *reader;
  trace_writer_t writer;
  reading_recovery_t *recovery;
  uint64_t facts[FACT_WORDS_MAX];
  size_t fact_words;
  trace_block_cursor_t cursor;
  uint8_t *content;
  size_t content_capacity;
  int failure;  // -errno
} recover_t;

// ---- writing ---------------------------------------------------------------------------------

static void block_write(recover_t *state, const trace_block_t *block, const uint8_t *content,
                        size_t size) {
  if (state->failure == 0)
    state->failure = trace_writer_append(&state->writer, block, content, size);
}

static void words_write(recover_t *state, uint32_t lane, uint64_t from, uint64_t to,
                        const uint64_t *words, size_t count) {
  trace_block_t block = {.lane = lane, .from = from, .to = to};
  void *scratch = memory_new(trace_block_scratch(count), 1);
  uint8_t *content = memory_new(trace_block_bound(count), 1);
  size_t size = trace_block_encode(words, count, scratch, content, &block);
  // Of padding alone nothing is encoded.
  if (size > 0 && block.records > 0) block_write(state, &block, content, size);
  free(scratch);
  free(content);
}

static void fact_put(recover_t *state, unsigned kind, uint32_t stack, uint32_t arg,
                     const uint64_t *words, size_t count) {
  if (state->fact_words + count + 1 > FACT_WORDS_MAX) return;
  state->facts[state->fact_words++] = trace_header(kind, false, stack, arg);
  memcpy(state->facts + state->fact_words, words, count * sizeof *words);
  state->fact_words += count;
}

static void facts_flush(recover_t *state, uint32_t lane, uint64_t position) {
  if (state->fact_words)
    words_write(state, lane, position, position, state->facts, state->fact_words);
  state->fact_words = 0;
}

static void property_put(recover_t *state, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void property_put(recover_t *state, const char *key, const char *format, ...) {
  char text[256];
  uint64_t payload[sizeof text / 8 + 3];
  int used = snprintf(text, sizeof text, "%s=", key);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text + used, sizeof text - (size_t)used, format, arguments);
  va_end(arguments);
  size_t words = trace_text_pack(payload, sizeof payload / 8, 0, text, strlen(text));
  fact_put(state, TRACE_PROPERTY, 0, (uint32_t)words, payload, words);
}

// ---- parts -----------------------------------------------------------------------------------

// A trace whose first block is gone, or that never had one: what the session knows of the process.
static void identity_write(recover_t *state) {
  const reader_t *reader = state->reader;
  property_put(state, TRACE_KEY_VERSION, "%d", TRACE_VERSION);
  property_put(state, TRACE_KEY_PID, "%" PRIu32, reader->summary.pid);
  property_put(state, TRACE_KEY_START_TICKS, "%" PRIu64, reader->start_ticks);
  property_put(state, TRACE_KEY_CLOCK, "%s", reader->clock_is_monotonic ? "monotonic" : "tsc");
  facts_flush(state, 0, 0);
}

// Whether every record of the block can be read.
static bool block_is_whole(recover_t *state, reading_block_t *block) {
  reading_files_t *files = &state->reader->files;
  trace_record_t record;
  if (!reading_files_load(files, block, &state->content, &state->content_capacity,
                          &state->reader->warnings) ||
      !trace_block_open(&state->cursor, &block->place.block, state->content,
                        block->place.content_size))
    return false;
  int result;
  while ((result = trace_block_next(&state->cursor, &record)) > 0) continue;
  return result == 0;
}

static void recovered_write(recover_t *state) {
  property_put(state, READING_RECOVERED_KEY, "%s", INSPECT_VERSION);
  facts_flush(state, 0, 0);
}

static bool block_is_identity(const recover_t *state, const reading_block_t *block) {
  return block == state->reader->files.blocks && block->place.block.lane == 0 && !block->reported &&
         reading_facts_property(state->reader, TRACE_KEY_VERSION);
}

static void blocks_copy(recover_t *state) {
  reading_files_t *files = &state->reader->files;
  if (files->block_count == 0 || !block_is_identity(state, files->blocks)) {
    identity_write(state);
    recovered_write(state);
  }
  for (size_t i = 0; i < files->block_count && state->failure == 0; i++) {
    reading_block_t *block = &files->blocks[i];
    const trace_block_t *header = &block->place.block;
    if (block->refused) continue;
    if (block_is_whole(state, block)) {
      block_write(state, header, state->content, block->place.content_size);
      state->recovery->blocks++;
      if (block_is_identity(state, block)) recovered_write(state);
      continue;
    }
    state->recovery->damaged_blocks++;
    uint64_t words[] = {header->records, TRACE_LOST_DISK};
    fact_put(state, TRACE_LOST, 0, 0, words, 2);
    facts_flush(state, header->lane, header->from);
  }
}

// What the lane's ring has beyond its blocks.
static void ring_write(recover_t *state, reading_lane_t *lane) {
  const reading_ring_t *ring = lane->ring;
  uint64_t from = lane->covered > ring->from ? lane->covered : ring->from;
  if (from > ring->to) return;
  const uint64_t *words = ring->words + (from - ring->from);
  size_t count = (size_t)(ring->to - from), whole = 0, length;
  trace_record_t record;
  while (whole < count && (length = trace_record_parse(words + whole, count - whole, &record)))
    whole += length;
  if (whole > 0) {
    words_write(state, lane->number, from, from + whole, words, whole);
    state->recovery->rings++;
  }
  if (whole < count) {
    uint64_t lost[] = {1, TRACE_LOST_DISK};
    fact_put(state, TRACE_LOST, 0, 0, lost, 2);
    facts_flush(state, lane->number, ring->to);
  }
}

// What the ring's header says, as the reader gives it: what is missing before the leftovers, then
// these, then what is missing after them and the pending call.
static void lane_write(recover_t *state, reading_lane_t *lane) {
  bool written = false;
  reading_lanes_rewind(lane);
  while (reading_lanes_read(lane, &state->reader->files, &state->reader->warnings)) {
    const trace_record_t *record = &lane->record;
    if (lane->phase > READING_RING && !written) {
      facts_flush(state, lane->number, lane->ring->from);
      ring_write(state, lane);
      written = true;
    }
    if (lane->phase == READING_GAP || lane->phase == READING_RING_LOST) {
      // In a file they are counts so far.
      const uint64_t so_far[] = {lane->lost[record->arg] + record->words[0], record->words[1]};
      fact_put(state, TRACE_LOST, 0, (uint32_t)record->arg, so_far, 2);
    } else if (lane->phase == READING_DONE)
      fact_put(state, TRACE_PENDING, record->stack, (uint32_t)record->arg, record->words, 3);
  }
  facts_flush(state, lane->number, written ? lane->ring->to : lane->ring->from);
  if (!written) ring_write(state, lane);
}

static void rings_write(recover_t *state) {
  for (uint32_t number = 1; number <= TRACE_RINGS_MAX && state->failure == 0; number++) {
    reading_lane_t *lane = state->reader->lanes[number];
    if (lane && lane->ring) lane_write(state, lane);
  }
}

static void end_write(recover_t *state) {
  reader_t *reader = state->reader;
  for (size_t i = 0; i < reader->own_moment_count; i++) {
    const reading_moment_t *moment = &reader->own_moments[i];
    uint64_t words[] = {moment->ticks, moment->monotonic_ns, moment->realtime_ns};
    fact_put(state, TRACE_CLOCK, 0, 0, words, 3);
  }
  bool known = reader->summary.end_how >= 0 && !reader->summary.running;
  int how = known                     ? reader->summary.end_how
            : reader->summary.running ? TRACE_END_LIMIT
                                      : TRACE_END_DIED;
  int signal = reader->summary.end_signal;
  uint64_t status = trace_zigzag(!known   ? -1
                                 : signal ? TRACE_END_SIGNAL + signal
                                          : reader->summary.exit_status);
  fact_put(state, TRACE_END, 0, (uint32_t)how, &status, 1);
  facts_flush(state, 0, 0);
}

static int trace_write(recover_t *state, int fd) {
  state->failure = trace_writer_open(&state->writer, fd, TRACE_BLOCK_MAX, LEVEL);
  if (state->failure) return state->failure;
  blocks_copy(state);
  rings_write(state);
  end_write(state);
  if (state->failure == 0) state->failure = trace_writer_finish(&state->writer);
  trace_writer_close(&state->writer);
  struct stat status;
  if (state->failure == 0 && (fsync(fd) != 0 || fstat(fd, &status) != 0)) state->failure = -errno;
  if (state->failure == 0) state->recovery->bytes = (uint64_t)status.st_size;
  return state->failure;
}

// ---- the output ------------------------------------------------------------------------------

// Only a regular file may be replaced, and not the trace itself.
static const char *output_fault(const char *path, const char *output) {
  struct stat in, out;
  if (stat(output, &out) != 0) return NULL;
  if (S_ISDIR(out.st_mode)) return strerror(EISDIR);
  if (!S_ISREG(out.st_mode)) return "not a regular file";
  if (stat(path, &in) == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino)
    return "is the trace itself";
  return NULL;
}

static int output_write(recover_t *state, const char *output) {
  char *part;
  if (asprintf(&part, "%s.XXXXXX", output) < 0) return -ENOMEM;
  int fd = mkstemp(part), failure = fd < 0 ? -errno : trace_write(state, fd);
  if (fd >= 0 && close(fd) != 0 && failure == 0) failure = -errno;
  if (failure == 0 && rename(part, output) != 0) failure = -errno;
  if (fd >= 0 && failure != 0) unlink(part);
  free(part);
  return failure;
}

reading_recovered_t reading_recover(const char *path, const char *output,
                                    reading_recovery_t *recovery, char *error, size_t size) {
  *recovery = (reading_recovery_t){0};
  reader_t *reader = reader_open(path, NULL, error, size);
  if (!reader) return READING_NOTHING;
  recover_t *state = memory_new(1, sizeof *state);
  state->reader = reader;
  state->recovery = recovery;
  const char *fault = output_fault(path, output);
  int failure = fault ? 0 : output_write(state, output);
  if (failure) fault = strerror(-failure);
  if (fault) snprintf(error, size, "%s: %s", output, fault);
  free(state->content);
  free(state);
  reader_close(reader);
  return fault ? READING_NOT_WRITTEN : READING_RECOVERED;
}
