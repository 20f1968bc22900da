// SPDX-License-Identifier: Apache-2.0
// Runs of events. See the header. What is read here is what reader_next would give, without a look
// at the other lanes, and without a copy on the way.
#include "analyzer/reading/runs.h"

#include "formats/block_fields.h"

void reading_runs_init(reader_t *reader) {
  for (unsigned kind = 1; kind < TRACE_KIND_LIMIT; kind++) {
    const trace_event_kind_t *row = &trace_event_kinds[kind];
    reader->plain[kind] = row->name && row->family != TRACE_FAMILY_FACT && !row->has_payload &&
                          !reader->notable[kind];
  }
}

// In the middle of a block, and no call whose end is still to come.
static bool may_run(const reader_t *reader, const reading_lane_t *lane) {
  return lane && !reader->options.facts && lane->phase == READING_BLOCKS && lane->block_open &&
         lane->thread && !lane->ends;
}

// The time of the next record by its stamp, which is left where it is. False where it cannot be
// read.
static bool stamp_look(reader_t *reader, const reading_lane_t *lane, trace_block_column_t *stamps,
                       uint64_t *stamp, uint64_t *time) {
  uint64_t coded;
  *stamps = lane->cursor->columns[0][TRACE_SLOT_STAMPS];
  if (!trace_block_column_get(stamps, &coded)) return false;
  *stamp = lane->cursor->last_stamp + (uint64_t)trace_unzigzag(coded);
  *time = reading_clock_time(&reader->clock, *stamp);
  if (*time < lane->time && lane->timed) *time = lane->time;
  return true;
}

static bool is_before_others(const reader_t *reader, const reading_lane_t *lane, uint64_t time) {
  const reading_lane_t *other = reader->heap_count ? reader->heap[0] : NULL;
  return !other || time < other->time || (time == other->time && lane->number < other->number);
}

// Takes the stamp of the next record where the record comes before those of other lanes.
static bool stamp_take(reader_t *reader, reading_lane_t *lane) {
  trace_block_column_t stamps;
  uint64_t stamp, time;
  if (!stamp_look(reader, lane, &stamps, &stamp, &time) || !is_before_others(reader, lane, time))
    return false;
  lane->cursor->columns[0][TRACE_SLOT_STAMPS] = stamps;
  lane->cursor->last_stamp = stamp;
  lane->time = time;
  lane->timed = true;
  return true;
}

static inline void words_scale(const reader_t *reader, reader_event_t *event) {
  for (unsigned mask = reader->ticks_words[event->kind], i = 0; mask; mask >>= 1, i++)
    if (mask & 1) event->words[i] = reading_clock_duration(&reader->clock, event->words[i]);
}

static inline uint32_t stack_find(reader_t *reader, const reading_lane_t *lane, uint32_t number) {
  if (!number) return 0;
  const uint32_t stack = reading_numbers_get(&lane->numbers, number);
  reader->unknown_stacks += !stack;
  return stack;
}

// What a run has in common stands in `alike`, which has the time of the lane, too.
static inline void event_complete(reader_t *reader, const reading_lane_t *lane,
                                  const reader_event_t *alike, bool timed, reader_event_t *event) {
  event->phase = READER_WHOLE;
  event->timed = timed;
  event->lane = alike->lane;
  event->thread = alike->thread;
  event->time = alike->time;
  event->stack = stack_find(reader, lane, event->stack);
  event->payload = NULL;
  words_scale(reader, event);
}

// A further look at the block says the same.
static void block_refuse(trace_block_cursor_t *cursor) {
  cursor->records_left = 0;
  cursor->content = NULL;
}

static inline bool fields_take(reading_lane_t *lane, unsigned kind, reader_event_t *event) {
  event->kind = (uint8_t)kind;
  return trace_block_fields(lane->cursor, kind, &event->stack, &event->arg, event->words);
}

// The same with a stamp, which gives the lane its time. False as well where the record comes later.
static bool stamped_take(reader_t *reader, reading_lane_t *lane, unsigned kind,
                         reader_event_t *event, bool *refused) {
  const uint64_t before = lane->time;
  const bool was_timed = lane->timed;
  if (!stamp_take(reader, lane)) return false;
  if (fields_take(lane, kind, event)) return true;
  lane->time = before;
  lane->timed = was_timed;
  *refused = true;
  return false;
}

static inline uint64_t time_raise(reader_t *reader, const reading_lane_t *lane) {
  if (lane->time > reader->last_time) reader->last_time = lane->time;
  return reader->last_time;
}

// Takes up to `limit` of the records that the block still has. `refused`: it is malformed.
static size_t events_take(reader_t *reader, reading_lane_t *lane, reader_event_t *events,
                          size_t limit, bool *refused) {
  const uint8_t *kinds = lane->cursor->kinds;
  reader_event_t alike = {
      .lane = lane->number, .thread = lane->thread, .time = time_raise(reader, lane)};
  for (size_t count = 0; count < limit; count++) {
    const bool timed = kinds[count] >> 7;
    const unsigned kind = kinds[count] & 0x7f;
    if (!reader->plain[kind]) return count;
    if (timed) {
      if (!stamped_take(reader, lane, kind, &events[count], refused)) return count;
      alike.time = time_raise(reader, lane);
    } else if (!fields_take(lane, kind, &events[count])) {
      *refused = true;
      return count;
    }
    event_complete(reader, lane, &alike, timed, &events[count]);
  }
  return limit;
}

size_t reading_runs_take(reader_t *reader, reader_event_t *events, size_t limit) {
  reading_lane_t *lane = reader->current;
  if (!may_run(reader, lane)) return 0;
  trace_block_cursor_t *cursor = lane->cursor;
  bool refused = false;
  if (limit > cursor->records_left) limit = (size_t)cursor->records_left;
  const uint64_t last_time = reader->last_time;
  const size_t count = events_take(reader, lane, events, limit, &refused);
  if (!count) reader->last_time = last_time;
  cursor->kinds += count;
  cursor->records_left -= count;
  if (refused) block_refuse(cursor);
  lane->block_left -= (uint32_t)count;
  reader->summary.events += count;
  reader->threads.threads[lane->thread].events += count;
  if (count && reader->last_time > reader->summary.duration_ns)
    reader->summary.duration_ns = reader->last_time;
  return count;
}
