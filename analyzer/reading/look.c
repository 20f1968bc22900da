// SPDX-License-Identifier: Apache-2.0
// The look at a trace that may still be written: in which order files and rings are read, so that
// nothing falls between the two.
//
// The writer writes a block and then releases its words in the ring. Rings first, then the file:
// what is missing in the copy of a ring is in the file.
#include "analyzer/reading/process.h"
#include "analyzer/reading/state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

enum { FIRST_BLOCKS = 4, WRITER_WAIT_MS = 1000, WRITER_STEP_MS = 10 };

static void pause_ms(unsigned ms) {
  struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
  nanosleep(&time, NULL);
}

// Properties of the trace, as far as its first blocks have them. False where there is no block.
static bool properties_peek(reader_t *reader) {
  reading_files_t *files = &reader->files;
  reading_files_index_first(files, FIRST_BLOCKS);
  reading_lane_t lane = {0};
  for (size_t i = 0; i < files->block_count; i++)
    if (files->blocks[i].place.block.lane == 0)
      reading_lanes_add_block(&lane, &files->blocks[i].place.block, (uint32_t)i);
  memory_lines_t unheard = {0};  // said again when the whole file is read
  while (reading_lanes_read(&lane, files, &unheard))
    if (lane.record.kind == TRACE_PROPERTY) reading_facts_note_early(reader, &lane.record);
  memory_lines_free(&unheard);
  reading_lanes_free(&lane);
  reading_facts_summarize(reader);
  return files->block_count > 0;
}

static char *beside(const char *path, const char *name) {
  const char *slash = strrchr(path, '/');
  char *result = NULL;
  if (asprintf(&result, "%.*s%s", slash ? (int)(slash + 1 - path) : 0, path, name) < 0)
    result = NULL;
  return memory_require(result);
}

// The rings that the properties name; where there are none yet, those that are named after the
// trace.
static void rings_find(reader_t *reader, const char *path) {
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  bool named = reader->rings_name && !strchr(reader->rings_name, '/');
  char *guess = NULL;
  if (!named && (reader->rings_name || asprintf(&guess, "%s.rings", name) < 0)) return;
  char *rings_path = beside(path, named ? reader->rings_name : guess);
  if (reading_rings_open(&reader->rings, rings_path, &reader->warnings)) {
    bool ours = named ? reading_rings_select(&reader->rings, reader->slot, reader->summary.pid,
                                             reader->start_time)
                      : reading_rings_select_name(&reader->rings, name);
    if (!ours) reading_rings_close(&reader->rings);
  }
  free(rings_path);
  free(guess);
}

// What the session says of a process whose properties never reached a file.
static void identity_from_rings(reader_t *reader) {
  const trace_process_t *process = reading_rings_process(&reader->rings);
  const trace_session_t *session = reading_rings_session(&reader->rings);
  if (reader->summary.pid) return;
  reader->summary.pid = atomic_load(&process->pid);
  reader->summary.parent = atomic_load(&process->parent);
  reader->start_time = atomic_load(&process->start_time);
  reader->start_ticks = atomic_load(&process->start_ticks);
  reader->clock_is_monotonic = !session->clock_is_tsc;
}

// A process that has just died: its writer is about to complete the trace.
static void writer_await(reader_t *reader) {
  for (unsigned waited = 0; waited < WRITER_WAIT_MS; waited += WRITER_STEP_MS) {
    if (reading_process_lives(reader->summary.pid, reader->start_time)) return;
    if (!reading_rings_writer_works(&reader->rings)) return;
    pause_ms(WRITER_STEP_MS);
  }
}

// A moment that the trace itself does not have.
static void moment_add(reader_t *reader, uint64_t ticks, uint64_t monotonic, uint64_t realtime) {
  if (!ticks && !monotonic) return;
  reading_moment_t *moment = &reader->own_moments[reader->own_moment_count++];
  *moment = (reading_moment_t){ticks, monotonic, realtime};
  reading_clock_add(&reader->clock, moment);
}

static uint64_t clock_now(clockid_t clock) {
  struct timespec time;
  if (clock_gettime(clock, &time) != 0) return 0;
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

// The process runs on this machine, by the clocks that are read here.
static void moment_add_now(reader_t *reader) {
  uint64_t monotonic = clock_now(CLOCK_MONOTONIC), realtime = clock_now(CLOCK_REALTIME);
#if defined(__x86_64__)
  uint64_t ticks = reader->clock_is_monotonic ? monotonic : __rdtsc();
#else
  uint64_t ticks = monotonic;
#endif
  moment_add(reader, ticks, monotonic, realtime);
  reader->now_ticks = ticks;
}

// The latest that a thread noted without a writer: without it the clock's rate is not known.
static void moment_add_alone(reader_t *reader, const trace_session_t *session) {
  const reading_ring_t *latest = NULL;
  for (size_t i = 0; i < reader->rings.count; i++) {
    const reading_ring_t *ring = &reader->rings.rings[i];
    if (ring->alone_ns && (!latest || ring->alone_ns > latest->alone_ns)) latest = ring;
  }
  if (latest && latest->alone_ns > session->monotonic_ns)
    moment_add(reader, latest->alone_ticks, latest->alone_ns,
               session->realtime_ns + (latest->alone_ns - session->monotonic_ns));
}

static void rings_look(reader_t *reader) {
  if (!reader->rings.map) return;
  identity_from_rings(reader);
  writer_await(reader);
  reading_rings_copy(&reader->rings, &reader->warnings);
  const trace_session_t *session = reading_rings_session(&reader->rings);
  moment_add(reader, session->ticks, session->monotonic_ns, session->realtime_ns);
  moment_add_alone(reader, session);
  uint32_t missed = atomic_load(&session->calls_unrecorded);
  if (missed)
    memory_lines_print(&reader->warnings,
                       "%" PRIu32 " calls of threads that found no ring were not recorded", missed);
}

// A process that lives, and whose trace has not come to its end.
static void running_find(reader_t *reader) {
  if (reading_facts_property(reader, READING_RECOVERED_KEY)) return;
  if (!reading_process_lives(reader->summary.pid, reader->start_time)) return;
  bool active = reader->rings.map &&
                atomic_load(&reading_rings_process(&reader->rings)->state) == TRACE_PROCESS_ACTIVE;
  reader->summary.running = active || reader->summary.end_how < 0;
}

// What its process said as it ended, where the writer did not live to put it into the trace.
static void end_find(reader_t *reader) {
  reader_summary_t *summary = &reader->summary;
  if (!reader->rings.map || summary->running || summary->end_how >= 0) return;
  const trace_process_t *process = reading_rings_process(&reader->rings);
  if (!atomic_load(&process->exit_known) || atomic_load(&process->exec_pending)) return;
  summary->end_how = TRACE_END_EXIT;
  summary->exit_status = atomic_load(&process->exit_status);
}

static void lane_zero_read(reader_t *reader) {
  reading_lane_t *lane = reader->lanes[0];
  if (!lane) return;
  memory_lines_free(&reader->properties);  // those of the peek
  reader->restated = false;
  while (reading_lanes_read(lane, &reader->files, &reader->warnings))
    reading_facts_note_early(reader, &lane->record);
  reading_lanes_rewind(lane);
}

static reading_lane_t *lane_get(reader_t *reader, uint32_t number) {
  if (!reader->lanes[number]) {
    reader->lanes[number] = memory_new(1, sizeof **reader->lanes);
    reader->lanes[number]->number = number;
  }
  return reader->lanes[number];
}

static void lanes_make(reader_t *reader) {
  reading_files_t *files = &reader->files;
  for (size_t i = 0; i < files->block_count; i++) {
    reading_block_t *block = &files->blocks[i];
    uint32_t number = block->place.block.lane;
    block->refused =
        number > TRACE_RINGS_MAX ||
        !reading_lanes_add_block(lane_get(reader, number), &block->place.block, (uint32_t)i);
    if (block->refused) reading_files_report(files, block, TRACE_ERROR_HEADER, &reader->warnings);
  }
  for (size_t i = 0; i < reader->rings.count; i++) {
    reading_lane_t *lane = lane_get(reader, reader->rings.rings[i].lane);
    lane->ring = &reader->rings.rings[i];
  }
}

// What a file that ends in the middle of a frame means: the writer is at it, or was when it died.
static void truncation_note(reader_t *reader) {
  for (size_t i = 0; i < reader->files.file_count; i++) {
    const reading_file_t *file = &reader->files.files[i];
    if (!file->truncated || reader->summary.running) continue;
    if (!reader->rings.map) reader->files.damaged = true;
    memory_lines_print(&reader->warnings, "%soffset %" PRIu64 ": %s", file->prefix,
                       file->truncated_at, trace_error_text(TRACE_ERROR_TRUNCATED));
  }
}

static void summary_of_files(reader_t *reader) {
  reader_summary_t *summary = &reader->summary;
  bool complete = reader->files.file_count > 0;
  for (size_t i = 0; i < reader->files.file_count; i++) {
    summary->file_bytes += reader->files.files[i].size;
    if (!reader->files.files[i].complete) complete = false;
  }
  summary->blocks = reader->files.block_count;
  summary->files = (uint32_t)reader->files.file_count;
  summary->rings = (uint32_t)reader->rings.count;
  summary->seek_table = complete;
  summary->damaged = reader->files.damaged;
  summary->complete = complete && summary->end_how >= 0 && !summary->running;
}

static bool look_fault(reader_t *reader, const char *path, const char *what, char *error,
                       size_t size) {
  (void)reader;
  snprintf(error, size, "%s: offset 0: %s", path, what);
  return false;
}

// Why there is nothing to read, where there is not.
static const char *emptiness_fault(const reader_t *reader) {
  const reading_file_t *file = &reader->files.files[0];
  if (file->truncated) return trace_error_text(TRACE_ERROR_TRUNCATED);
  if (file->size > 0) return trace_error_text(TRACE_ERROR_NOT_A_TRACE);
  if (!reader->rings.map)
    return "the file is empty: if a recorder made it, its process was killed before anything was "
           "recorded";
  return reading_process_lives(reader->summary.pid, reader->start_time)
             ? "nothing has been recorded yet"
             : "the process was killed before anything was recorded";
}

bool reading_look(reader_t *reader, const char *path, char *error, size_t size) {
  if (!reading_files_open(&reader->files, path, error, size)) return false;
  properties_peek(reader);
  bool alone = reader->options.no_rings || reading_facts_property(reader, READING_RECOVERED_KEY);
  if (!alone) rings_find(reader, path);
  rings_look(reader);
  // Anew: the writer may have completed or replaced the file.
  reading_files_close(&reader->files);
  if (!reading_files_open(&reader->files, path, error, size)) return false;
  reading_files_index(&reader->files, &reader->warnings);
  if (reader->files.block_count == 0 && reader->rings.count == 0)
    return look_fault(reader, path, emptiness_fault(reader), error, size);
  lanes_make(reader);
  lane_zero_read(reader);
  reading_facts_summarize(reader);
  if (reader->rings.map) identity_from_rings(reader);
  if (reader->summary.version > TRACE_VERSION)
    return look_fault(reader, path, trace_error_text(TRACE_ERROR_NEWER), error, size);
  running_find(reader);
  end_find(reader);
  if (reader->summary.running) {
    if (reader->rings.map) {
      pause_ms(reader->options.settle_ms);
      reading_rings_look_again(&reader->rings);
    }
    moment_add_now(reader);
  }
  truncation_note(reader);
  summary_of_files(reader);
  return true;
}
