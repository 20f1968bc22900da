// SPDX-License-Identifier: Apache-2.0
// Any bytes as the content of a block: the decoder must end, and read nothing outside them.
#include "formats/block.h"
#include "formats/varint.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint64_t sink;

// Reads all that a record has.
static uint64_t record_sum(const trace_record_t *record) {
  uint64_t sum = record->kind + record->stack + record->arg + record->stamp;
  for (size_t i = 0; i < TRACE_WORDS_MAX; i++) sum += record->words[i];
  for (size_t i = 0; record->payload && i < record->arg; i++) sum += record->payload[i];
  return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static trace_block_cursor_t cursor;
  // The header says how many records there are, as the content does; else nothing is decoded.
  uint64_t records = 0;
  varint_get(data, data + size, &records);
  trace_block_t block = {.records = (uint32_t)records, .first_ticks = 12345};
  if (!trace_block_open(&cursor, &block, data, size)) return 0;
  trace_record_t record;
  uint64_t count = 0;
  while (trace_block_next(&cursor, &record) == 1) {
    sink += record_sum(&record);
    if (!trace_event_kinds[record.kind].name || ++count > size) abort();
  }
  return 0;
}
