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

static inline void event_complete(reader_t *reader, const reading_lane_t *lane, bool timed,
                                  reader_event_t *event) {
  event->phase = READER_WHOLE;
  event->timed = timed;
  event->lane = lane->number;
  event->thread = lane->thread;
  event->stack = stack_find(reader, lane, event->stack);
  event->payload = NULL;
  words_scale(reader, event);
}

// A further look at the block says the same.
static void block_refuse(trace_block_cursor_t *cursor) {
  cursor->records_left = 0;
  cursor->content = NULL;
}

// Reads the next record, of that kind. False: it comes later, or the block is malformed.
static inline bool event_take(reader_t *reader, reading_lane_t *lane, uint8_t coded,
                              reader_event_t *event) {
  trace_block_cursor_t *cursor = lane->cursor;
  const bool timed = coded >> 7, was_timed = lane->timed;
  const uint64_t before = lane->time;
  event->kind = coded & 0x7f;
  if (timed && !stamp_take(reader, lane)) return false;
  if (!trace_block_fields(cursor, event->kind, &event->stack, &event->arg, event->words)) {
    block_refuse(cursor);
    lane->time = before;
    lane->timed = was_timed;
    return false;
  }
  cursor->kinds++;
  cursor->records_left--;
  if (lane->time > reader->last_time) reader->last_time = lane->time;
  event->time = reader->last_time;
  event_complete(reader, lane, timed, event);
  return true;
}

size_t reading_runs_take(reader_t *reader, reader_event_t *events, size_t limit) {
  reading_lane_t *lane = reader->current;
  if (!may_run(reader, lane)) return 0;
  size_t count = 0;
  if (limit > lane->cursor->records_left) limit = (size_t)lane->cursor->records_left;
  while (count < limit) {
    const uint8_t coded = *lane->cursor->kinds;
    if (!reader->plain[coded & 0x7f] || !event_take(reader, lane, coded, &events[count])) break;
    count++;
  }
  lane->block_left -= (uint32_t)count;
  reader->summary.events += count;
  reader->threads.threads[lane->thread].events += count;
  if (count && reader->last_time > reader->summary.duration_ns)
    reader->summary.duration_ns = reader->last_time;
  return count;
}
