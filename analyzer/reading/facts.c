// SPDX-License-Identifier: Apache-2.0
// What the facts of a trace say of its run, and what events say of its threads.
#include "analyzer/reading/state.h"
#include "formats/trace.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { UNKNOWN_TID = 0 };

// The value of "key=value" where the key is this one, else NULL.
static const char *value_of(const char *property, const char *key) {
  size_t length = strlen(key);
  return strncmp(property, key, length) == 0 && property[length] == '=' ? property + length + 1
                                                                        : NULL;
}

const char *reading_facts_property(const reader_t *reader, const char *key) {
  for (size_t i = 0; i < reader->properties.count; i++) {
    const char *value = value_of(reader->properties.lines[i], key);
    if (value) return value;
  }
  return NULL;
}

static uint64_t property_number(const reader_t *reader, const char *key) {
  const char *value = reading_facts_property(reader, key);
  return value ? strtoull(value, NULL, 10) : 0;
}

static double property_decimal(const reader_t *reader, const char *key, double missing) {
  const char *value = reading_facts_property(reader, key);
  return value ? strtod(value, NULL) : missing;
}

static bool property_known(const reader_t *reader, const char *text) {
  for (size_t i = 0; i < reader->properties.count; i++)
    if (strcmp(reader->properties.lines[i], text) == 0) return true;
  return false;
}

// A segment of a bounded recording begins with all properties again.
static void property_note(reader_t *reader, const trace_record_t *record) {
  uint64_t id;
  const char *text;
  size_t length;
  if (!record->payload ||
      !trace_text_unpack(record->payload, (size_t)record->arg, &id, &text, &length)) {
    reader->malformed_facts++;
    return;
  }
  char *line = memory_text(text, length);
  if (value_of(line, TRACE_KEY_VERSION) && reader->properties.count > 0) reader->restated = true;
  if (reader->restated && property_known(reader, line))
    free(line);
  else
    memory_lines_add(&reader->properties, line);
}

static void end_note(reader_t *reader, const trace_record_t *record) {
  reader->summary.end_how = record->arg <= TRACE_END_LIMIT ? (int)record->arg : -1;
  int64_t status = trace_unzigzag(record->words[0]);
  reader->summary.exit_status = status >= -1 && status <= INT32_MAX ? (int)status : -1;
  reader->summary.end_signal = 0;
  if (reader->summary.end_how != TRACE_END_DIED) return;
  reader->summary.exit_status = -1;
  if (status > TRACE_END_SIGNAL && status <= TRACE_END_SIGNAL + 64)
    reader->summary.end_signal = (int)(status - TRACE_END_SIGNAL);
}

void reading_facts_note_early(reader_t *reader, const trace_record_t *record) {
  switch (record->kind) {
  case TRACE_PROPERTY:
    property_note(reader, record);
    break;
  case TRACE_CLOCK:
    reading_clock_add(&reader->clock,
                      &(reading_moment_t){record->words[0], record->words[1], record->words[2]});
    break;
  case TRACE_END:
    end_note(reader, record);
    break;
  default:
    break;
  }
}

void reading_facts_summarize(reader_t *reader) {
  reader_summary_t *summary = &reader->summary;
  const char *program = reading_facts_property(reader, TRACE_KEY_PROGRAM);
  const char *mode = reading_facts_property(reader, TRACE_KEY_MODE);
  const char *clock = reading_facts_property(reader, TRACE_KEY_CLOCK);
  const char *rings = reading_facts_property(reader, TRACE_KEY_RINGS);
  summary->program = program ? program : "?";
  summary->mode = mode ? mode : "?";
  summary->version = (uint32_t)property_number(reader, TRACE_KEY_VERSION);
  summary->pid = (uint32_t)property_number(reader, TRACE_KEY_PID);
  summary->parent = (uint32_t)property_number(reader, TRACE_KEY_PARENT);
  summary->sampling = property_decimal(reader, TRACE_KEY_SAMPLING, 1);
  summary->lock_rate = property_decimal(reader, TRACE_KEY_SAMPLING_LOCKS, 1);
  summary->task_rate = property_decimal(reader, TRACE_KEY_SAMPLING_TASKS, 1);
  summary->sampling_bytes = property_number(reader, TRACE_KEY_SAMPLING_BYTES);
  summary->stall_ms = property_decimal(reader, TRACE_KEY_STALL_MS, 10);
  summary->processors = (uint32_t)property_number(reader, TRACE_KEY_PROCESSORS);
  summary->wait_ms = property_decimal(reader, TRACE_KEY_WAIT_MS, 1);
  reader->clock_is_monotonic = clock && strcmp(clock, "monotonic") == 0;
  reader->slot = (uint32_t)property_number(reader, TRACE_KEY_SLOT);
  reader->start_time = property_number(reader, TRACE_KEY_START_TIME);
  reader->start_ticks = property_number(reader, TRACE_KEY_START_TICKS);
  free(reader->rings_name);
  reader->rings_name = rings ? memory_text(rings, strlen(rings)) : NULL;
  memory_lines_free(&reader->arguments);
  for (size_t i = 0; i < reader->properties.count; i++) {
    const char *value = value_of(reader->properties.lines[i], TRACE_KEY_ARGUMENT);
    if (value) memory_lines_add(&reader->arguments, memory_text(value, strlen(value)));
  }
  summary->arguments = (const char **)reader->arguments.lines;
  summary->argument_count = reader->arguments.count;
}

static void stack_note(reader_t *reader, reading_lane_t *lane, uint64_t time) {
  const trace_record_t *record = &lane->record;
  if (!record->payload || record->arg == 0 || record->stack == 0) {
    reader->malformed_facts++;
    return;
  }
  uint32_t stack =
      reading_stacks_add(&reader->stacks, &reader->modules, record->payload + 1,
                         (size_t)record->arg - 1, record->payload[0] & TRACE_STACK_TRUNCATED, time);
  reading_numbers_set(&lane->numbers, record->stack, stack);
}

static reader_thread_t *thread_of(reader_t *reader, const reading_lane_t *lane) {
  return &reader->threads.threads[lane->thread];
}

// A lane is restated where a bounded recording begins again: then this is who it was, or someone
// whose start was dropped.
static void lane_note(reader_t *reader, reading_lane_t *lane, uint64_t time) {
  const reader_thread_t *thread = thread_of(reader, lane);
  uint64_t handle = lane->record.words[0];
  uint32_t tid = (uint32_t)lane->record.arg;
  if (lane->thread && thread->handle == handle && thread->tid == tid) return;
  lane->thread = reading_threads_start(&reader->threads, lane->number, tid, handle,
                                       lane->record.words[1], time);
  thread_of(reader, lane)->assumed = true;
}

static void lost_note(reader_t *reader, reading_lane_t *lane) {
  trace_record_t *record = &lane->record;
  if (record->arg >= TRACE_KIND_LIMIT) record->arg = 0;
  if (record->arg == TRACE_CONNECTION_OUT) {
    reader->summary.connections_out += record->words[0];
    return;
  }
  reader->summary.lost += record->words[0];
  reader->summary.lost_by_kind[record->arg] += record->words[0];
  thread_of(reader, lane)->lost += record->words[0];
}

static void overhead_note(reader_t *reader, const trace_record_t *record) {
  reader_summary_t *summary = &reader->summary;
  summary->writer_cpu_ns = record->words[0];
  summary->waits = record->words[1];
  summary->waited_ns = reading_clock_duration(&reader->clock, record->words[2]);
}

void reading_facts_note(reader_t *reader, reading_lane_t *lane, uint64_t time) {
  switch (lane->record.kind) {
  case TRACE_STACK:
    stack_note(reader, lane, time);
    break;
  case TRACE_MODULE:
    if (!reading_modules_add(&reader->modules, &lane->record, time)) reader->malformed_facts++;
    break;
  case TRACE_MODULE_GONE:
    reading_modules_remove(&reader->modules, lane->record.words[0], time);
    break;
  case TRACE_LOST:
    lost_note(reader, lane);
    break;
  case TRACE_OVERHEAD:
    overhead_note(reader, &lane->record);
    break;
  case TRACE_LANE:
    lane_note(reader, lane, time);
    break;
  default:  // known since the early look at lane 0
    break;
  }
}

static void thread_start_note(reader_t *reader, reading_lane_t *lane) {
  const trace_record_t *record = &lane->record;
  lane->thread = reading_threads_start(&reader->threads, lane->number, (uint32_t)record->arg,
                                       record->words[0], record->words[1], lane->time);
}

static void name_note(reader_t *reader, const trace_record_t *record) {
  uint64_t handle;
  const char *name;
  size_t length;
  if (record->payload &&
      trace_text_unpack(record->payload, (size_t)record->arg, &handle, &name, &length))
    reading_threads_name(&reader->threads, handle, name, length);
  else
    reader->malformed_facts++;
}

static bool is_only_lane(const reader_t *reader, const reading_lane_t *lane) {
  for (size_t number = 1; number <= TRACE_RINGS_MAX; number++)
    if (reader->lanes[number] && reader->lanes[number] != lane) return false;
  return true;
}

// The lane begins in the middle of a thread's life; its ring knows whose it was last. The only one
// that there ever was is the main thread's.
static void thread_assume(reader_t *reader, reading_lane_t *lane) {
  bool last = lane->from_ring && !reading_lanes_ring_holds(lane, TRACE_THREAD_START);
  uint32_t unknown = is_only_lane(reader, lane) ? reader->threads.pid : UNKNOWN_TID;
  uint32_t tid = last ? lane->ring->tid : unknown;
  uint64_t handle = last ? lane->ring->handle : 0;
  lane->thread = reading_threads_start(&reader->threads, lane->number, tid, handle, 0, lane->time);
  thread_of(reader, lane)->assumed = true;
}

void reading_facts_note_event(reader_t *reader, reading_lane_t *lane) {
  const trace_record_t *record = &lane->record;
  bool is_fact = trace_event_kinds[record->kind].family == TRACE_FAMILY_FACT;
  if (is_fact && record->kind != TRACE_PENDING) return;
  if (record->kind == TRACE_THREAD_START) thread_start_note(reader, lane);
  if (!lane->thread && lane->number != 0) thread_assume(reader, lane);
  if (record->kind == TRACE_THREAD_CREATE && record->arg == 0)
    reading_threads_created(&reader->threads, lane->thread, lane->stack, record->words[0],
                            record->words[1]);
  if (record->kind == TRACE_THREAD_NAME) name_note(reader, record);
  if (record->kind == TRACE_THREAD_END) thread_of(reader, lane)->ended = lane->time;
  if (record->kind == TRACE_PENDING) reading_facts_note_quiet(reader, lane);
}

void reading_facts_note_quiet(reader_t *reader, reading_lane_t *lane) {
  if (lane->thread && lane->ring && lane->ring->owned && lane->covered <= lane->ring->to)
    thread_of(reader, lane)->quiet = lane->ring->quiet;
}
