// SPDX-License-Identifier: Apache-2.0
// Entries of .eh_frame: which one speaks of an instruction, and what it is made of.
#include "preload/stacks/entry.h"

typedef struct {
  const image_t *image;
  memory_t *memory;
} cfi_source_t;

// The record (a common or a code entry) at `at`, from after its length to its end. An empty one
// ends the section. 64-bit lengths do not occur in .eh_frame of any linker.
static reader_t record_open(const cfi_source_t *source, uint64_t at) {
  reader_t length = reader_open(source->image, at, 4, source->memory);
  uint32_t size = reader_u4(&length);
  if (length.failed || size >= 0xfffffff0) return (reader_t){.failed = true};
  return reader_open(source->image, at + 4, size, source->memory);
}

// The letters of the augmentation after 'z' say what its data holds, in order.
static void augmentation_read(reader_t *letters, reader_t *data, cfi_common_t *common) {
  for (uint8_t letter; (letter = reader_u1(letters)) != 0;) {
    if (letter == 'R') {
      common->encoding = reader_u1(data);
    } else if (letter == 'P') {
      uint8_t encoding = reader_u1(data);
      if (encoding != READER_OMITTED) reader_number(data, encoding);
    } else if (letter == 'L') {
      reader_u1(data);
    } else if (letter == 'S') {
      common->signal = true;
    } else {
      data->failed = true;
      return;
    }
  }
}

static bool common_read(const cfi_source_t *source, uint64_t at, cfi_common_t *common) {
  reader_t reader = record_open(source, at);
  if (reader_u4(&reader) != 0) return false;
  uint8_t version = reader_u1(&reader);
  if (reader.failed || (version != 1 && version != 3)) return false;
  reader_t letters = reader;
  while (reader_u1(&reader) != 0)
    if (reader.failed) return false;
  *common = (cfi_common_t){.code_factor = reader_leb(&reader)};
  common->data_factor = reader_signed_leb(&reader);
  uint64_t column = version == 1 ? reader_u1(&reader) : reader_leb(&reader);
  if (reader.failed || column != CFI_RA) return false;
  uint8_t first = reader_u1(&letters);
  if (first == 'z') {
    common->augmented = true;
    uint64_t size = reader_leb(&reader);
    reader_t data = reader;
    reader_skip(&reader, size);
    data.end = reader.at;
    augmentation_read(&letters, &data, common);
    if (data.failed) return false;
  } else if (first != 0) {
    return false;
  }
  common->program = reader;
  return !reader.failed;
}

// The code entry at `at`, with the common one it refers to.
static bool entry_read(const cfi_source_t *source, uint64_t at, cfi_entry_t *entry) {
  reader_t reader = record_open(source, at);
  uint64_t place = reader.at;
  uint32_t back = reader_u4(&reader);
  if (reader.failed || !back || !common_read(source, place - back, &entry->common)) return false;
  uint8_t encoding = entry->common.encoding;
  entry->start = reader_pointer(&reader, encoding, source->image->frame_header);
  entry->size = reader_number(&reader, encoding & READER_FORMAT);
  if (entry->common.augmented) reader_skip(&reader, reader_leb(&reader));
  entry->program = reader;
  return !reader.failed;
}

static bool entry_covers(const cfi_entry_t *entry, uint64_t pc) {
  return pc - entry->start < entry->size;
}

// The table of .eh_frame_hdr: pairs of (start of code, entry), both relative to the header.
enum { PAIR_SIZE = 8 };
static uint64_t pair_start(uint64_t table, uint64_t index, uint64_t base) {
  int32_t offset = (int32_t)memory_peek(table + index * PAIR_SIZE, sizeof offset);
  return base + (uint64_t)(int64_t)offset;
}

// Bisects for the last pair that starts at or before `pc`; address of its entry, or 0.
static cfi_result_t table_search(const cfi_source_t *source, uint64_t table, uint64_t count,
                                 uint64_t pc, uint64_t *entry) {
  uint64_t low = 0, high = count, base = source->image->frame_header;
  while (low < high) {
    uint64_t middle = low + (high - low) / 2;
    if (!image_readable(source->image, table + middle * PAIR_SIZE, PAIR_SIZE, source->memory))
      return CFI_ODD;
    if (pair_start(table, middle, base) <= pc)
      low = middle + 1;
    else
      high = middle;
  }
  if (!low) return CFI_NONE;
  *entry = pair_start(table + 4, low - 1, base);
  return CFI_FOUND;
}

// Without a table every entry is looked at in turn.
static cfi_result_t section_search(const cfi_source_t *source, uint64_t at, uint64_t pc,
                                   cfi_entry_t *entry) {
  for (;;) {
    reader_t record = record_open(source, at);
    if (record.failed) return CFI_ODD;
    if (record.at == record.end) return CFI_NONE;
    reader_t head = record;
    if (reader_u4(&head) != 0 && entry_read(source, at, entry) && entry_covers(entry, pc))
      return CFI_FOUND;
    at = record.end;
  }
}

cfi_result_t entry_find(const image_t *image, uint64_t pc, memory_t *memory, cfi_entry_t *entry) {
  const cfi_source_t source = {image, memory};
  uint64_t base = image->frame_header;
  if (!base) return CFI_NONE;
  reader_t reader = reader_open(image, base, 24, memory);
  if (reader_u1(&reader) != 1) return CFI_ODD;
  uint8_t section_encoding = reader_u1(&reader);
  uint8_t count_encoding = reader_u1(&reader), table_encoding = reader_u1(&reader);
  uint64_t section = reader_pointer(&reader, section_encoding, base);
  if (reader.failed) return CFI_ODD;
  if (table_encoding != (READER_FROM_TABLE | READER_S4) || count_encoding == READER_OMITTED)
    return section_search(&source, section, pc, entry);
  uint64_t count = reader_pointer(&reader, count_encoding, base);
  if (reader.failed) return CFI_ODD;
  uint64_t at;
  if (count > UINT32_MAX / PAIR_SIZE) return CFI_ODD;
  cfi_result_t result = table_search(&source, reader.at, count, pc, &at);
  if (result != CFI_FOUND) return result;
  if (!entry_read(&source, at, entry)) return CFI_ODD;
  return entry_covers(entry, pc) ? CFI_FOUND : CFI_NONE;
}
