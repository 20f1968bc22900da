// SPDX-License-Identifier: Apache-2.0
// One lane as a sequence of records: its blocks, then what its ring still held, then what the
// ring's header says of its end. Damage in between is given as a LOST record.
#ifndef ANALYZER_READING_LANES_H
#define ANALYZER_READING_LANES_H

#include "analyzer/reading/files.h"
#include "analyzer/reading/rings.h"
#include "analyzer/reading/stacks.h"

// Where the next record comes from.
typedef enum {
  READING_BLOCKS,
  READING_GAP,  // the same as READING_RING_LOST, where the ring does not go on from the blocks
  READING_RING,
  READING_RING_LOST,  // what the ring counted as lost and no LOST record speaks of
  READING_PENDING,
  READING_DONE,
} reading_phase_t;

typedef struct {
  uint32_t number;
  uint32_t *blocks;  // indices in files->blocks
  size_t block_count, block_capacity;
  uint64_t covered;                 // positions below are in the blocks
  const reading_ring_t *ring;       // NULL: none
  uint64_t lost[TRACE_KIND_LIMIT];  // by the LOST records read
  trace_record_t noted_pending;     // the last PENDING of the blocks; kind 0: none

  reading_phase_t phase;
  size_t block_next, ring_next;
  unsigned kind_next;  // in READING_RING_LOST
  bool block_open;
  uint32_t block_left;  // records of the open block
  uint64_t gap;         // records of a damaged block, to be given as LOST
  trace_block_cursor_t *cursor;
  uint8_t *content;
  size_t content_capacity;

  // The record read last. Its payload lives until the next call.
  trace_record_t record;
  bool from_ring;
  // Kept by the reader.
  reading_numbers_t numbers;
  uint64_t time;         // of the event read last, ns; never goes back
  uint64_t fact_time;    // of the timed fact read last
  uint64_t record_time;  // of the record
  uint64_t ends;         // not 0: the record is a call that begins at `time`, and ends then
  bool has_begun;        // its beginning was given
  bool timed;            // some event of the lane had a stamp
  bool begun;
  uint32_t stack, thread;
} reading_lane_t;

// Adds a block in order of the files. False where it repeats positions that another block has.
// A block of facts alone stands at a position and covers none.
bool reading_lanes_add_block(reading_lane_t *lane, const trace_block_t *block, uint32_t index);
// Makes lane->record the next record. False at the end. What is damaged is said in `warnings`.
bool reading_lanes_read(reading_lane_t *lane, reading_files_t *files, memory_lines_t *warnings);
// Whether a record of that kind is among those of the ring that are still to come.
bool reading_lanes_ring_holds(const reading_lane_t *lane, unsigned kind);
// Goes back to the first record.
void reading_lanes_rewind(reading_lane_t *lane);
// No record of the lane has a stamp before this; 0 unknown.
uint64_t reading_lanes_first_ticks(const reading_lane_t *lane, const reading_files_t *files);
// Frees what reading needs; facts stay.
void reading_lanes_rest(reading_lane_t *lane);
void reading_lanes_free(reading_lane_t *lane);

#endif
