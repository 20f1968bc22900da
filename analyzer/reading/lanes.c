// SPDX-License-Identifier: Apache-2.0
// One lane as a sequence of records. See the header.
#include "analyzer/reading/lanes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool reading_lanes_add_block(reading_lane_t *lane, const trace_block_t *block, uint32_t index) {
  if (lane->number != 0 && block->from != block->to) {
    if (block->from < lane->covered || block->to < block->from) return false;
    lane->covered = block->to;
  }
  lane->blocks =
      memory_grow(lane->blocks, &lane->block_capacity, lane->block_count + 1, sizeof *lane->blocks);
  lane->blocks[lane->block_count++] = index;
  return true;
}

void reading_lanes_rewind(reading_lane_t *lane) {
  lane->phase = READING_BLOCKS;
  lane->block_next = lane->ring_next = 0;
  lane->block_open = false;
  lane->gap = 0;
  lane->kind_next = 0;
  memset(lane->lost, 0, sizeof lane->lost);
  lane->noted_pending = (trace_record_t){0};
}

void reading_lanes_rest(reading_lane_t *lane) {
  free(lane->cursor);
  free(lane->content);
  lane->cursor = NULL;
  lane->content = NULL;
  lane->content_capacity = 0;
  lane->block_open = false;
}

void reading_lanes_free(reading_lane_t *lane) {
  reading_lanes_rest(lane);
  reading_numbers_free(&lane->numbers);
  free(lane->blocks);
}

// Facts have times of their own, and in a bounded trace may be much older than its first event.
uint64_t reading_lanes_first_ticks(const reading_lane_t *lane, const reading_files_t *files) {
  for (size_t i = 0; i < lane->block_count; i++) {
    const trace_block_t *block = &files->blocks[lane->blocks[i]].place.block;
    if (block->from != block->to) return block->first_ticks;
  }
  return 0;
}

// Opens the next block. A block that cannot be read becomes a gap.
static void block_open(reading_lane_t *lane, reading_files_t *files, memory_lines_t *warnings) {
  reading_block_t *block = &files->blocks[lane->blocks[lane->block_next++]];
  const trace_block_t *header = &block->place.block;
  if (!lane->cursor) lane->cursor = memory_new(1, sizeof *lane->cursor);
  if (!reading_files_load(files, block, &lane->content, &lane->content_capacity, warnings)) {
    lane->gap = header->records;
    return;
  }
  if (!trace_block_open(lane->cursor, header, lane->content, block->place.content_size)) {
    reading_files_report(files, block, TRACE_ERROR_CONTENT, warnings);
    lane->gap = header->records;
    return;
  }
  lane->block_open = true;
  lane->block_left = header->records;
}

static bool block_read(reading_lane_t *lane, reading_files_t *files, memory_lines_t *warnings) {
  int result = trace_block_next(lane->cursor, &lane->record);
  if (result > 0) {
    lane->block_left--;
    return true;
  }
  lane->block_open = false;
  if (result < 0) {
    reading_files_report(files, &files->blocks[lane->blocks[lane->block_next - 1]],
                         TRACE_ERROR_CONTENT, warnings);
    lane->gap = lane->block_left;
  }
  return false;
}

static void lost_make(reading_lane_t *lane, unsigned kind, uint64_t events, unsigned reason) {
  lane->record = (trace_record_t){.kind = TRACE_LOST, .arg = kind, .words = {events, reason}};
}

// The next record of the blocks, or of what is missing between them.
static bool blocks_read(reading_lane_t *lane, reading_files_t *files, memory_lines_t *warnings) {
  for (;;) {
    if (lane->block_open && block_read(lane, files, warnings)) return true;
    if (lane->gap) {
      lost_make(lane, 0, lane->gap, TRACE_LOST_DISK);
      lane->gap = 0;
      return true;
    }
    if (!lane->block_open && lane->block_next == lane->block_count) return false;
    if (!lane->block_open) block_open(lane, files, warnings);
  }
}

// Where the blocks end in the copy of the ring, in words.
static void ring_enter(reading_lane_t *lane) {
  const reading_ring_t *ring = lane->ring;
  uint64_t from = lane->covered > ring->from ? lane->covered : ring->from;
  lane->ring_next = (size_t)((from < ring->to ? from : ring->to) - ring->from);
}

static bool ring_read(reading_lane_t *lane, memory_lines_t *warnings) {
  const reading_ring_t *ring = lane->ring;
  size_t count = (size_t)(ring->to - ring->from);
  while (lane->ring_next < count) {
    size_t length =
        trace_record_parse(ring->words + lane->ring_next, count - lane->ring_next, &lane->record);
    if (length == 0) {
      memory_lines_print(warnings,
                         "ring %" PRIu32 ": damaged at position %" PRIu64 ", %zu words are lost",
                         lane->number - 1, ring->from + lane->ring_next, count - lane->ring_next);
      lane->ring_next = count;
      lost_make(lane, 0, 1, TRACE_LOST_DISK);
      return true;
    }
    lane->ring_next += length;
    if (lane->record.kind != 0) return true;
  }
  return false;
}

bool reading_lanes_ring_holds(const reading_lane_t *lane, unsigned kind) {
  const reading_ring_t *ring = lane->ring;
  size_t count = (size_t)(ring->to - ring->from), length;
  for (size_t at = lane->ring_next; at < count; at += length) {
    trace_record_t record;
    length = trace_record_parse(ring->words + at, count - at, &record);
    if (length == 0) break;
    if (record.kind == kind) return true;
  }
  return false;
}

// What the owner dropped is in the file after all where the writer was killed between the block and
// the ring's tail.
static uint64_t ring_lost(const reading_lane_t *lane, unsigned kind) {
  const reading_ring_t *ring = lane->ring;
  const uint64_t lost = ring->lost[kind];
  const uint64_t kept = lane->covered >= ring->taking ? ring->lost_taken[kind] : 0;
  return lost > kept ? lost - kept : 0;
}

// The ring's counters run ahead of the LOST records, or are all there is of them.
static bool ring_lost_read(reading_lane_t *lane) {
  while (lane->kind_next < TRACE_KIND_LIMIT) {
    unsigned kind = lane->kind_next++;
    uint64_t counted = ring_lost(lane, kind), told = lane->lost[kind];
    if (counted <= told || !trace_event_kinds[kind].name) continue;
    lost_make(lane, kind, counted - told,
              kind == TRACE_CONNECTION_OUT ? TRACE_LOST_OUT : TRACE_LOST_RING_FULL);
    return true;
  }
  return false;
}

// The writer may have noted the call in the file already.
static bool pending_is_noted(const reading_lane_t *lane) {
  const reading_pending_t *pending = &lane->ring->pending;
  const trace_record_t *noted = &lane->noted_pending;
  return noted->kind == TRACE_PENDING && noted->arg == pending->what &&
         noted->words[0] == pending->object && noted->words[2] == pending->since;
}

// A thread that went on after its ring was copied is in another call by now.
static bool pending_read(reading_lane_t *lane) {
  const reading_ring_t *ring = lane->ring;
  lane->phase = READING_DONE;
  if (ring->pending.what == TRACE_PENDING_NONE || !ring->owned || lane->covered > ring->to ||
      pending_is_noted(lane))
    return false;
  lane->record = (trace_record_t){
      .kind = TRACE_PENDING,
      .stack = ring->pending.stack,
      .arg = ring->pending.what,
      .words = {ring->pending.object, ring->pending.second, ring->pending.since},
  };
  return true;
}

// A LOST gives a count so far (the same fact may stand in the file twice); it leaves here as what
// is new in it. Those of unknown kind count each for itself.
static void lost_note(reading_lane_t *lane) {
  trace_record_t *record = &lane->record;
  if (record->kind != TRACE_LOST || record->arg == 0 || record->arg >= TRACE_KIND_LIMIT) return;
  const uint64_t told = lane->lost[record->arg], now = record->words[0];
  record->words[0] = now > told ? now - told : 0;
  if (now > told) lane->lost[record->arg] = now;
}

// Among facts a start is restated where a bounded recording begins again.
static void start_note(reading_lane_t *lane, const reading_files_t *files) {
  const trace_block_t *block = &files->blocks[lane->blocks[lane->block_next - 1]].place.block;
  if (lane->record.kind == TRACE_THREAD_START && block->from == block->to)
    lane->record.kind = TRACE_LANE;
}

static void block_record_note(reading_lane_t *lane, const reading_files_t *files) {
  lost_note(lane);
  start_note(lane, files);
  if (lane->record.kind == TRACE_PENDING) lane->noted_pending = lane->record;
}

static bool phase_read(reading_lane_t *lane, reading_files_t *files, memory_lines_t *warnings) {
  switch (lane->phase) {
  case READING_BLOCKS:
    return blocks_read(lane, files, warnings);
  case READING_GAP:
    return lane->ring->from > lane->covered && ring_lost_read(lane);
  case READING_RING:
    return ring_read(lane, warnings);
  case READING_RING_LOST:
    return ring_lost_read(lane);
  case READING_PENDING:
    return pending_read(lane);
  default:
    return false;
  }
}

bool reading_lanes_read(reading_lane_t *lane, reading_files_t *files, memory_lines_t *warnings) {
  while (lane->phase != READING_DONE) {
    lane->from_ring = lane->phase != READING_BLOCKS;
    if (phase_read(lane, files, warnings)) {
      if (!lane->from_ring) block_record_note(lane, files);
      if (lane->record.kind == TRACE_LOST && lane->record.words[0] == 0) continue;
      return true;
    }
    if (lane->phase != READING_DONE) lane->phase++;
    if (lane->phase != READING_GAP) continue;
    if (lane->ring)
      ring_enter(lane);
    else
      lane->phase = READING_DONE;
  }
  return false;
}
