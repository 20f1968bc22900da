// SPDX-License-Identifier: Apache-2.0
// The lanes of a trace merged in order of time.
#include "analyzer/reading/reader.h"

#include "analyzer/reading/places.h"
#include "analyzer/reading/runs.h"
#include "analyzer/reading/state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SETTLE_MS = 50 };

// ---- the heap of lanes -----------------------------------------------------------------------

// Lanes at the same time go by number, so that the order is always the same.
static bool lane_before(const reading_lane_t *a, const reading_lane_t *b) {
  return a->time != b->time ? a->time < b->time : a->number < b->number;
}

static void heap_sift_down(reader_t *reader, size_t at) {
  reading_lane_t **heap = reader->heap;
  for (;;) {
    size_t least = at, left = 2 * at + 1, right = left + 1;
    if (left < reader->heap_count && lane_before(heap[left], heap[least])) least = left;
    if (right < reader->heap_count && lane_before(heap[right], heap[least])) least = right;
    if (least == at) return;
    reading_lane_t *other = heap[at];
    heap[at] = heap[least];
    heap[least] = other;
    at = least;
  }
}

static void heap_push(reader_t *reader, reading_lane_t *lane) {
  size_t at = reader->heap_count++;
  for (; at > 0 && lane_before(lane, reader->heap[(at - 1) / 2]); at = (at - 1) / 2)
    reader->heap[at] = reader->heap[(at - 1) / 2];
  reader->heap[at] = lane;
}

static reading_lane_t *heap_pop(reader_t *reader) {
  if (reader->heap_count == 0) return NULL;
  reading_lane_t *first = reader->heap[0];
  reader->heap[0] = reader->heap[--reader->heap_count];
  heap_sift_down(reader, 0);
  return first;
}

// ---- from records to events ------------------------------------------------------------------

static bool kind_is_fact(unsigned kind) {
  return trace_event_kinds[kind].family == TRACE_FAMILY_FACT;
}

// What the reader itself keeps.
static bool kind_is_kept(unsigned kind) {
  switch (kind) {
  case TRACE_STACK:
  case TRACE_MODULE:
  case TRACE_MODULE_GONE:
  case TRACE_PROPERTY:
  case TRACE_CLOCK:
  case TRACE_END:
  case TRACE_OVERHEAD:
  case TRACE_LANE:
    return true;
  default:
    return false;
  }
}

// Events move their lane on in time, and so does a call that never returned: it stands where it
// began. Facts do not: they may stand before events that are older.
static uint64_t event_time(reader_t *reader, reading_lane_t *lane, uint64_t stamp) {
  uint64_t time = reading_clock_time(&reader->clock, stamp);
  if (time > lane->time || !lane->timed) lane->time = time;
  lane->timed = true;
  return lane->time;
}

static uint64_t fact_time(reader_t *reader, reading_lane_t *lane) {
  const trace_record_t *record = &lane->record;
  if (record->timed) return lane->fact_time = reading_clock_time(&reader->clock, record->stamp);
  return lane->time > lane->fact_time ? lane->time : lane->fact_time;
}

static uint64_t record_time(reader_t *reader, reading_lane_t *lane) {
  const trace_record_t *record = &lane->record;
  if (record->kind == TRACE_PENDING) return event_time(reader, lane, record->words[2]);
  // It stands before the call that it tells of, and was noted after it: that begins before this.
  if (record->kind == TRACE_TRANSFER_SLOW) return lane->time;
  // The writer's own facts are in order; and what is given out must be.
  if (kind_is_fact(record->kind) && lane->number != 0)
    return kind_is_kept(record->kind) ? fact_time(reader, lane) : lane->time;
  return record->timed ? event_time(reader, lane, record->stamp) : lane->time;
}

static void stack_find(reader_t *reader, reading_lane_t *lane) {
  const trace_record_t *record = &lane->record;
  lane->stack = record->stack ? reading_numbers_get(&lane->numbers, record->stack) : 0;
  if (record->stack && !lane->stack) reader->unknown_stacks++;
}

// A write stands first where it began.
static void call_begin(reader_t *reader, reading_lane_t *lane, uint64_t before) {
  const trace_record_t *record = &lane->record;
  uint64_t duration = reading_clock_duration(&reader->clock, record->words[1]);
  uint64_t begins = lane->time > duration ? lane->time - duration : 0;
  lane->ends = lane->time;
  lane->time = lane->record_time = begins > before ? begins : before;
}

static void call_end(reading_lane_t *lane) {
  lane->time = lane->record_time = lane->ends;
  lane->ends = 0;
}

// Reads on to the next record that is to be given out. False at the end of the lane.
static bool lane_advance(reader_t *reader, reading_lane_t *lane) {
  lane->has_begun = lane->ends != 0;
  if (lane->has_begun) {
    call_end(lane);
    return true;
  }
  uint64_t before = lane->time;
  while (reading_lanes_read(lane, &reader->files, &reader->warnings)) {
    uint64_t time = record_time(reader, lane);
    unsigned kind = lane->record.kind;
    if (kind_is_fact(kind)) {
      reading_facts_note(reader, lane, time);
      // The writer's own facts say until when it saw the process.
      if (lane->number == 0 && time > reader->summary.duration_ns)
        reader->summary.duration_ns = time;
    }
    if (kind_is_kept(kind) && !reader->options.facts) continue;
    lane->record_time = time;
    stack_find(reader, lane);
    if (kind == TRACE_WRITE && reader->options.beginnings && lane->record.timed)
      call_begin(reader, lane, before);
    return true;
  }
  reading_facts_note_quiet(reader, lane);
  reading_lanes_rest(lane);
  return false;
}

static void event_fill(reader_t *reader, reading_lane_t *lane, reader_event_t *event) {
  const trace_record_t *record = &lane->record;
  event->kind = record->kind;
  event->phase = lane->ends ? READER_BEGINS : lane->has_begun ? READER_ENDS : READER_WHOLE;
  event->timed = record->timed;
  event->lane = lane->number;
  event->thread = lane->thread;
  event->stack = lane->stack;
  if (lane->record_time > reader->last_time) reader->last_time = lane->record_time;
  event->time = reader->options.facts ? lane->record_time : reader->last_time;
  event->arg = record->arg;
  memcpy(event->words, record->words, sizeof event->words);
  event->payload = record->payload;
  for (unsigned mask = reader->ticks_words[record->kind], i = 0; mask; mask >>= 1, i++)
    if (mask & 1) event->words[i] = reading_clock_duration(&reader->clock, record->words[i]);
  if (record->kind == TRACE_LOCK_SHARED_AT && !event->words[1] && reader->summary.running)
    reading_place_fill(event, reader->summary.pid);
  if (record->kind == TRACE_PENDING)
    event->words[2] = reading_clock_time(&reader->clock, record->words[2]);
}

static void event_count(reader_t *reader, const reading_lane_t *lane, const reader_event_t *event) {
  reader_summary_t *summary = &reader->summary;
  if (event->time > summary->duration_ns) summary->duration_ns = event->time;
  if (kind_is_fact(event->kind) || event->phase == READER_BEGINS) return;
  summary->events++;
  summary->events_from_rings += lane->from_ring;
  reader->threads.threads[event->thread].events++;
}

// ---- reading ---------------------------------------------------------------------------------

// What is only known after everything was read.
static void reader_finish(reader_t *reader) {
  reader_summary_t *summary = &reader->summary;
  if (reader->ended) return;
  reader->ended = true;
  if (summary->running) {
    uint64_t now = reading_clock_time(&reader->clock, reader->now_ticks);
    if (now > summary->duration_ns) summary->duration_ns = now;
  }
  summary->unwind_truncated = reader->stacks.truncated;
  if (reader->unknown_stacks)
    memory_lines_print(&reader->warnings,
                       "%" PRIu64 " events name a stack that the trace does not define",
                       reader->unknown_stacks);
  if (reader->malformed_facts)
    memory_lines_print(&reader->warnings, "%" PRIu64 " facts are malformed",
                       reader->malformed_facts);
  summary->damaged = reader->files.damaged || reader->malformed_facts > 0;
  if (summary->damaged) summary->complete = false;
}

// The lane whose record is next, NULL at the end.
static reading_lane_t *lane_choose(reader_t *reader) {
  reading_lane_t *lane = reader->current;
  reader->current = NULL;
  if (lane && lane_advance(reader, lane)) {
    // Nobody can tell where a call began during which nothing else happened.
    if (lane->ends && (reader->heap_count == 0 || reader->heap[0]->time >= lane->ends))
      call_end(lane);
    if (reader->heap_count == 0 || lane_before(lane, reader->heap[0])) return lane;
    reading_lane_t *first = reader->heap[0];
    reader->heap[0] = lane;
    heap_sift_down(reader, 0);
    lane = first;
  } else {
    lane = heap_pop(reader);
  }
  // Until a lane is begun it stands in the heap with a time that is no later than its first.
  while (lane && !lane->begun) {
    lane->begun = true;
    if (lane_advance(reader, lane)) heap_push(reader, lane);
    lane = heap_pop(reader);
  }
  return lane;
}

int reader_next(reader_t *reader, reader_event_t *event) {
  if (reader->join) return reading_join_next(reader->join, event);
  reading_lane_t *lane = reader->chosen ? reader->chosen : lane_choose(reader);
  if (!lane) {
    reader_finish(reader);
    return 0;
  }
  reader->chosen = NULL;
  reader->current = lane;
  if (!lane->thread || reader->notable[lane->record.kind]) reading_facts_note_event(reader, lane);
  event_fill(reader, lane, event);
  event_count(reader, lane, event);
  return 1;
}

// Whether the lane's record tells the reader nothing, and several such may be given out at once.
static bool is_plain(const reader_t *reader, const reading_lane_t *lane) {
  return lane && lane->thread && reader->plain[lane->record.kind];
}

size_t reader_read(reader_t *reader, reader_event_t *events, size_t limit) {
  if (reader->join) return (size_t)reader_next(reader, events);
  for (size_t count = 0;;) {
    if (!reader->chosen) count += reading_runs_take(reader, events + count, limit - count);
    if (count == limit) return count;
    if (!reader->chosen) reader->chosen = lane_choose(reader);
    const bool plain = is_plain(reader, reader->chosen);
    if (count && !plain) return count;
    count += (size_t)reader_next(reader, events + count);
    if (!plain || count == limit) return count;
  }
}

static void lanes_begin(reader_t *reader) {
  reader->heap = memory_new(TRACE_RINGS_MAX + 1, sizeof *reader->heap);
  for (uint32_t number = 0; number <= TRACE_RINGS_MAX; number++) {
    reading_lane_t *lane = reader->lanes[number];
    if (!lane) continue;
    uint64_t ticks = reading_lanes_first_ticks(lane, &reader->files);
    lane->time = ticks ? reading_clock_time(&reader->clock, ticks) : 0;
    heap_push(reader, lane);
  }
}

static void kinds_look_up(reader_t *reader) {
  static const uint8_t notable[] = {TRACE_THREAD_START, TRACE_THREAD_CREATE, TRACE_THREAD_END,
                                    TRACE_THREAD_NAME, TRACE_PENDING};
  for (size_t i = 0; i < sizeof notable; i++) reader->notable[notable[i]] = true;
  for (unsigned kind = 0; kind < TRACE_KIND_LIMIT; kind++)
    for (unsigned i = 0; i < trace_event_kinds[kind].word_count; i++)
      if (trace_event_kinds[kind].words[i].type == TRACE_FIELD_TICKS)
        reader->ticks_words[kind] |= (uint8_t)(1 << i);
  reading_runs_init(reader);
}

reader_t *reader_open(const char *path, const reader_options_t *options, char *error, size_t size) {
  reader_t *reader = memory_new(1, sizeof *reader);
  if (options) reader->options = *options;
  if (reader->options.settle_ms == 0) reader->options.settle_ms = SETTLE_MS;
  reader->summary.end_how = reader->summary.exit_status = -1;
  reading_stacks_init(&reader->stacks);
  reading_threads_init(&reader->threads);
  kinds_look_up(reader);
  if (!reading_look(reader, path, error, size)) {
    reader_close(reader);
    return NULL;
  }
  if (!reading_clock_fit(&reader->clock, reader->clock_is_monotonic, reader->start_ticks))
    memory_lines_print(&reader->warnings, "the clock is not known: a tick is taken for 1 ns");
  reader->summary.start_realtime_ns = reading_clock_start_realtime(&reader->clock);
  reader->threads.pid = reader->summary.pid;
  lanes_begin(reader);
  return reader;
}

reader_t *reader_join(reader_t *const *readers, uint32_t count) {
  reader_t *reader = memory_new(1, sizeof *reader);
  uint64_t starts[READER_PARTS_MAX];
  for (uint32_t i = 0; i < count; i++) starts[i] = readers[i]->clock.start_ns;
  reader->join = reading_join_open(readers, starts, count);
  return reader;
}

uint32_t reader_part_count(const reader_t *reader) {
  return reader->join ? reading_join_part_count(reader->join) : 1;
}
const reader_t *reader_part(const reader_t *reader, uint32_t part) {
  return reader->join ? reading_join_part(reader->join, part) : reader;
}
uint32_t reader_part_of_thread(const reader_t *reader, uint32_t thread) {
  return reader->join ? reading_join_part_of(reader->join, thread) : 0;
}
uint32_t reader_part_of_stack(const reader_t *reader, uint32_t stack) {
  return reader->join ? reading_join_part_of_stack(reader->join, stack) : 0;
}

void reader_close(reader_t *reader) {
  if (reader->join) {
    reading_join_close(reader->join);
    free(reader);
    return;
  }
  for (uint32_t number = 0; number <= TRACE_RINGS_MAX; number++) {
    if (!reader->lanes[number]) continue;
    reading_lanes_free(reader->lanes[number]);
    free(reader->lanes[number]);
  }
  memory_lines_free(&reader->properties);
  memory_lines_free(&reader->warnings);
  memory_lines_free(&reader->arguments);
  reading_files_close(&reader->files);
  reading_rings_close(&reader->rings);
  reading_clock_free(&reader->clock);
  reading_stacks_free(&reader->stacks);
  reading_modules_free(&reader->modules);
  reading_threads_free(&reader->threads);
  free(reader->rings_name);
  free(reader->heap);
  free(reader);
}

// ---- facts -----------------------------------------------------------------------------------

const reader_summary_t *reader_summary(const reader_t *reader) {
  return reader->join ? reading_join_summary(reader->join) : &reader->summary;
}

const reader_stack_t *reader_stack(const reader_t *reader, uint32_t stack) {
  if (reader->join) return reading_join_stack(reader->join, stack);
  return &reader->stacks.stacks[stack < reader->stacks.count ? stack : 0];
}
size_t reader_stack_count(const reader_t *reader) {
  return reader->join ? reading_join_stack_count(reader->join) : reader->stacks.count;
}

const reader_thread_t *reader_thread(const reader_t *reader, uint32_t thread) {
  if (reader->join) return reading_join_thread(reader->join, thread);
  return &reader->threads.threads[thread < reader->threads.count ? thread : 0];
}
size_t reader_thread_count(const reader_t *reader) {
  return reader->join ? reading_join_thread_count(reader->join) : reader->threads.count;
}

size_t reader_module_count(const reader_t *reader) {
  return reader->join ? reading_join_module_count(reader->join) : reader->modules.count;
}
const reader_module_t *reader_module(const reader_t *reader, size_t index) {
  if (reader->join) return reading_join_module(reader->join, index);
  return index < reader->modules.count ? &reader->modules.modules[index] : NULL;
}

uint32_t reader_thread_by_handle(const reader_t *reader, uint64_t handle, uint64_t time) {
  return reading_threads_by_handle(&reader->threads, handle, time);
}

const char *reader_property(const reader_t *reader, size_t index) {
  return memory_lines_get(&reader->properties, index);
}
const char *reader_warning(const reader_t *reader, size_t index) {
  return memory_lines_get(&reader->warnings, index);
}
