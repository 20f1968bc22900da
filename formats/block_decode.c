// SPDX-License-Identifier: Apache-2.0
// Columns back into records. What it reads may be anything: every number is checked against the
// end of its column, and every column is one that the table of kinds has.
#include "formats/block.h"

#include "formats/block_fields.h"

#include <string.h>

// Whether kind and slot name a column that a block may have.
static bool column_exists(unsigned kind, unsigned slot) {
  if (kind == 0) return slot <= TRACE_SLOT_STAMPS;
  if (kind >= TRACE_KIND_LIMIT) return false;
  const trace_event_kind_t *row = &trace_event_kinds[kind];
  if (!row->name) return false;
  switch (slot) {
  case TRACE_SLOT_STACK:
    return row->has_stack;
  case TRACE_SLOT_ARG:
    return row->arg.type != TRACE_FIELD_NONE;
  case TRACE_SLOT_PAYLOAD:
    return row->has_payload;
  default:
    return slot - TRACE_SLOT_WORDS < row->word_count;
  }
}

// One entry of the directory: gives the column its bytes, which start at *bytes, and moves that
// behind them. Returns the place behind the entry, or NULL.
static const uint8_t *entry_read(trace_block_cursor_t *cursor, const uint8_t *next,
                                 unsigned *number, const uint8_t **bytes) {
  if (cursor->end - next < 2) return NULL;
  unsigned kind = next[0], slot = next[1];
  uint64_t size;
  next = varint_get(next + 2, cursor->end, &size);
  if (!next || !column_exists(kind, slot)) return NULL;
  unsigned here = kind * TRACE_SLOT_LIMIT + slot + 1;
  if (here <= *number || size > (size_t)(cursor->end - *bytes)) return NULL;
  *number = here;
  cursor->columns[kind][slot].next = *bytes;
  cursor->columns[kind][slot].end = *bytes += size;
  return next;
}

// Where the directory of `count` entries ends, or NULL.
static const uint8_t *directory_end(const uint8_t *next, const uint8_t *end, uint64_t count) {
  for (; count > 0; count--) {
    uint64_t size;
    if (end - next < 2) return NULL;
    next = varint_get(next + 2, end, &size);
    if (!next) return NULL;
  }
  return next;
}

bool trace_block_open(trace_block_cursor_t *cursor, const trace_block_t *block,
                      const uint8_t *content, size_t size) {
  memset(cursor, 0, offsetof(trace_block_cursor_t, payload));
  cursor->content = content;
  cursor->end = content + size;
  cursor->last_stamp = block->first_ticks;

  uint64_t records, count;
  const uint8_t *next = varint_get(content, cursor->end, &records);
  if (next) next = varint_get(next, cursor->end, &count);
  if (!next || records != block->records) return false;
  const uint8_t *bytes = directory_end(next, cursor->end, count);
  if (!bytes) return false;
  for (unsigned number = 0; count > 0; count--) {
    next = entry_read(cursor, next, &number, &bytes);
    if (!next) return false;
  }
  cursor->kinds = cursor->columns[0][TRACE_SLOT_KINDS].next;
  cursor->records_left = records;
  return bytes == cursor->end &&
         records == (uint64_t)(cursor->columns[0][TRACE_SLOT_KINDS].end - cursor->kinds);
}

static bool payload_get(trace_block_cursor_t *cursor, trace_block_column_t *column,
                        trace_record_t *record) {
  if (record->arg > TRACE_PAYLOAD_MAX) return false;
  for (size_t i = 0; i < record->arg; i++) {
    uint64_t coded;
    if (!trace_block_column_get(column, &coded)) return false;
    cursor->payload[i] = trace_block_add(&column->last, coded);
  }
  record->payload = cursor->payload;
  return true;
}

static bool stamp_get(trace_block_cursor_t *cursor, trace_record_t *record) {
  uint64_t coded;
  if (!trace_block_column_get(&cursor->columns[0][TRACE_SLOT_STAMPS], &coded)) return false;
  record->stamp = trace_block_add(&cursor->last_stamp, coded);
  return true;
}

// A kind with a payload has no words.
static bool payload_record_get(trace_block_cursor_t *cursor, bool has_stack,
                               trace_record_t *record) {
  trace_block_column_t *columns = cursor->columns[record->kind];
  uint64_t stack = 0;
  if (has_stack &&
      (!trace_block_column_get(&columns[TRACE_SLOT_STACK], &stack) || stack >= TRACE_STACK_LIMIT))
    return false;
  record->stack = (uint32_t)stack;
  return trace_block_column_get(&columns[TRACE_SLOT_ARG], &record->arg) &&
         payload_get(cursor, &columns[TRACE_SLOT_PAYLOAD], record);
}

static bool record_get(trace_block_cursor_t *cursor, trace_record_t *record) {
  unsigned kind = *cursor->kinds & 0x7f;
  const trace_event_kind_t *row = &trace_event_kinds[kind];
  *record = (trace_record_t){.kind = (uint8_t)kind, .timed = *cursor->kinds >> 7};
  if (row->has_payload
          ? !payload_record_get(cursor, row->has_stack, record)
          : !trace_block_fields(cursor, kind, &record->stack, &record->arg, record->words))
    return false;
  return !record->timed || stamp_get(cursor, record);
}

// Whether every column was read to its end.
static bool columns_read(const trace_block_cursor_t *cursor) {
  if (cursor->columns[0][TRACE_SLOT_STAMPS].next != cursor->columns[0][TRACE_SLOT_STAMPS].end)
    return false;
  for (unsigned kind = 1; kind < TRACE_KIND_LIMIT; kind++)
    for (unsigned slot = 0; slot < TRACE_SLOT_LIMIT; slot++)
      if (cursor->columns[kind][slot].next != cursor->columns[kind][slot].end) return false;
  return true;
}

int trace_block_next(trace_block_cursor_t *cursor, trace_record_t *record) {
  if (cursor->records_left == 0) return cursor->content && columns_read(cursor) ? 0 : -1;
  if (!record_get(cursor, record)) {
    cursor->records_left = 0;  // a further call says the same
    cursor->content = NULL;
    return -1;
  }
  cursor->kinds++;
  cursor->records_left--;
  return 1;
}
