// SPDX-License-Identifier: Apache-2.0
// A block: consecutive records of one lane as columns, the content of one zstd frame.
//
//   varint records, varint columns
//   columns x (byte kind, byte slot, varint bytes)
//   the columns' bytes, in that order
//
// Column (0, 0) has a byte a record: kind | timed << 7. Column (0, 1) has the stamps: zigzag
// varint of the difference to the stamp before (the first: to block.first_ticks). A kind has a
// column for each of its fields: slot 0 stack, 1 arg, 2.. words, 7 payload. Values are varints
// (LEB128) of: ADDRESS: zigzag difference to the address before in any ADDRESS column of the same
// family; TOKEN, FRAMES, MODULE, TEXT words: zigzag difference to the value before in the column;
// everything else as it is. A column without bytes is left out; the directory is in ascending order
// of kind and slot.
#ifndef FORMATS_BLOCK_H
#define FORMATS_BLOCK_H

#include "formats/record.h"

enum {
  TRACE_SLOT_STACK = 0,
  TRACE_SLOT_ARG = 1,
  TRACE_SLOT_WORDS = 2,
  TRACE_SLOT_PAYLOAD = 7,
  TRACE_SLOT_LIMIT = 8,
  // Slots of kind 0.
  TRACE_SLOT_KINDS = 0,
  TRACE_SLOT_STAMPS = 1,
};

// What stands beside a block, in the skippable frame before it.
typedef struct {
  uint32_t lane;
  uint32_t records;
  uint64_t from, to;     // positions in the lane's ring: [from, to); equal for a
                         // block of facts; lane 0: trace_process_identity, twice
  uint64_t first_ticks;  // stamp of the first timed record (0: none is timed)
  uint64_t last_ticks;   // greatest stamp
} trace_block_t;

// Bytes of scratch memory that encoding up to `words` words of records needs.
size_t trace_block_scratch(size_t words);
// Greatest size of the content that `words` words of records encode to.
size_t trace_block_bound(size_t words);

// Encodes the `count` words of whole records at `words` (padding allowed) into `out`.
// `scratch` has trace_block_scratch(count) bytes, `out` trace_block_bound(count).
// Sets records, first_ticks and last_ticks of `block`. Returns the bytes written, or 0 where the
// words are not whole valid records. Allocates nothing; touches nothing but its arguments.
size_t trace_block_encode(const uint64_t *words, size_t count, void *scratch, uint8_t *out,
                          trace_block_t *block);
// The same in parts: a block of up to `words` words is begun, gets spans of whole records one after
// the other, and is ended. trace_block_put gives false where the words are not whole valid records:
// the block can only be begun again then.
void trace_block_begin(void *scratch, size_t words);
bool trace_block_put(void *scratch, const uint64_t *words, size_t count);
size_t trace_block_end(void *scratch, uint8_t *out, trace_block_t *block);
// How many records of each kind the block had that was encoded last, well, with that scratch.
void trace_block_counts(const void *scratch, uint32_t counts[TRACE_KIND_LIMIT]);

// What is left of a column, and the value before that in it which differences are taken from.
typedef struct {
  const uint8_t *next, *end;
  uint64_t last;
} trace_block_column_t;

// Reads records back, one after the other. Plain data: copying it is a bookmark, as long as the
// content lives.
typedef struct {
  const uint8_t *content, *end;
  uint64_t records_left;
  uint64_t last_stamp;
  const uint8_t *kinds;
  trace_block_column_t columns[TRACE_KIND_LIMIT][TRACE_SLOT_LIMIT];
  uint64_t last_address[TRACE_FAMILY_COUNT];
  uint64_t payload[TRACE_PAYLOAD_MAX];
} trace_block_cursor_t;

// Starts reading `size` bytes of content. False where the directory is malformed.
// `content` must outlive the cursor.
bool trace_block_open(trace_block_cursor_t *cursor, const trace_block_t *block,
                      const uint8_t *content, size_t size);
// 1: a record, whose payload lives until the next call. 0: the end. -1: malformed here.
int trace_block_next(trace_block_cursor_t *cursor, trace_record_t *record);

#endif
