// SPDX-License-Identifier: Apache-2.0
// Call frame information: finding the entry of an instruction, and running its program.
#include "preload/stacks/cfi.h"

#include "preload/stacks/expression.h"

#include <string.h>

typedef struct {
  uint64_t code_factor;
  int64_t data_factor;
  uint8_t encoding;  // of the addresses in the entries
  bool augmented;
  bool signal;
  reader_t program;
} cfi_common_t;

typedef struct {
  cfi_common_t common;
  uint64_t start, size;  // of the code
  reader_t program;
} cfi_entry_t;

typedef struct {
  const image_t *image;
  memory_t *memory;
} cfi_source_t;

// ---- finding the entry ---------------------------------------------------------------------

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

static cfi_result_t entry_find(const cfi_source_t *source, uint64_t pc, cfi_entry_t *entry) {
  uint64_t base = source->image->frame_header;
  if (!base) return CFI_NONE;
  reader_t reader = reader_open(source->image, base, 24, source->memory);
  if (reader_u1(&reader) != 1) return CFI_ODD;
  uint8_t section_encoding = reader_u1(&reader);
  uint8_t count_encoding = reader_u1(&reader), table_encoding = reader_u1(&reader);
  uint64_t section = reader_pointer(&reader, section_encoding, base);
  if (reader.failed) return CFI_ODD;
  if (table_encoding != (READER_FROM_TABLE | READER_S4) || count_encoding == READER_OMITTED)
    return section_search(source, section, pc, entry);
  uint64_t count = reader_pointer(&reader, count_encoding, base);
  if (reader.failed) return CFI_ODD;
  uint64_t at;
  if (count > UINT32_MAX / PAIR_SIZE) return CFI_ODD;
  cfi_result_t result = table_search(source, reader.at, count, pc, &at);
  if (result != CFI_FOUND) return result;
  if (!entry_read(source, at, entry)) return CFI_ODD;
  return entry_covers(entry, pc) ? CFI_FOUND : CFI_NONE;
}

// ---- running the program -------------------------------------------------------------------

enum {
  RUN_ADVANCE = 0x40,  // the top two bits are the operation, the others its operand
  RUN_OFFSET = 0x80,
  RUN_RESTORE = 0xc0,
  RUN_NOTHING = 0x00,
  RUN_SET_PLACE = 0x01,
  RUN_ADVANCE_1 = 0x02,
  RUN_ADVANCE_2 = 0x03,
  RUN_ADVANCE_4 = 0x04,
  RUN_OFFSET_LONG = 0x05,
  RUN_RESTORE_LONG = 0x06,
  RUN_UNDEFINED = 0x07,
  RUN_SAME = 0x08,
  RUN_REGISTER = 0x09,
  RUN_REMEMBER = 0x0a,
  RUN_RECALL = 0x0b,
  RUN_CFA = 0x0c,
  RUN_CFA_REGISTER = 0x0d,
  RUN_CFA_OFFSET = 0x0e,
  RUN_CFA_EXPRESSION = 0x0f,
  RUN_EXPRESSION = 0x10,
  RUN_OFFSET_SIGNED = 0x11,
  RUN_CFA_SIGNED = 0x12,
  RUN_CFA_OFFSET_SIGNED = 0x13,
  RUN_VALUE_OFFSET = 0x14,
  RUN_VALUE_OFFSET_SIGNED = 0x15,
  RUN_VALUE_EXPRESSION = 0x16,
  RUN_ARGUMENTS_SIZE = 0x2e,
};

typedef struct {
  const cfi_entry_t *entry;
  cfi_workspace_t *workspace;
  reader_t reader;
  uint64_t place, pc, ip;
  unsigned remembered;
  bool reached;  // the row of pc is complete
  bool failed;
} cfi_run_t;

static int32_t run_offset(cfi_run_t *run, int64_t offset) {
  if (offset != (int32_t)offset) run->failed = true;
  return (int32_t)offset;
}

static void run_advance(cfi_run_t *run, uint64_t delta) {
  uint64_t next = run->place + delta * run->entry->common.code_factor;
  if (next > run->pc)
    run->reached = true;
  else
    run->place = next;
}

// Rules of registers that a frame can do without (vector registers, flags) are read and dropped.
static void run_rule(cfi_run_t *run, uint64_t number, uint8_t how, cfi_value_t value) {
  if (number < CFI_REGISTERS) run->workspace->row.registers[number] = (cfi_rule_t){how, value};
}

static void run_saved(cfi_run_t *run, uint64_t number, uint8_t how, int64_t factored) {
  int64_t offset;
  if (__builtin_mul_overflow(factored, run->entry->common.data_factor, &offset)) run->failed = true;
  run_rule(run, number, how,
           (cfi_value_t){.base = CFI_CFA, .offset = run_offset(run, run->failed ? 0 : offset)});
}

static void run_restore(cfi_run_t *run, uint64_t number) {
  if (number < CFI_REGISTERS)
    run->workspace->row.registers[number] = run->workspace->initial.registers[number];
}

static void run_cfa(cfi_run_t *run, uint64_t number, int64_t offset) {
  if (number >= CFI_RA) run->failed = true;
  run->workspace->row.cfa =
      (cfi_value_t){.base = (uint8_t)number, .offset = run_offset(run, offset)};
}

static void run_cfa_offset(cfi_run_t *run, int64_t offset) {
  if (run->workspace->row.cfa.dereferenced) run->failed = true;
  run->workspace->row.cfa.offset = run_offset(run, offset);
}

static cfi_value_t run_expression(cfi_run_t *run, bool with_cfa) {
  cfi_value_t value = {.base = CFI_CONSTANT};
  uint64_t size = reader_leb(&run->reader);
  reader_t expression = run->reader;
  reader_skip(&run->reader, size);
  expression.end = run->reader.at;
  if (run->reader.failed || !expression_value(&expression, run->ip, with_cfa, &value))
    run->failed = true;
  return value;
}

static void run_remember(cfi_run_t *run) {
  if (run->remembered == CFI_REMEMBERED)
    run->failed = true;
  else
    run->workspace->remembered[run->remembered++] = run->workspace->row;
}

static void run_recall(cfi_run_t *run) {
  if (!run->remembered)
    run->failed = true;
  else
    run->workspace->row = run->workspace->remembered[--run->remembered];
}

static int64_t scaled(cfi_run_t *run, int64_t factored) {
  int64_t offset = 0;
  if (__builtin_mul_overflow(factored, run->entry->common.data_factor, &offset)) run->failed = true;
  return offset;
}

static void run_place(cfi_run_t *run, uint8_t operation) {
  reader_t *reader = &run->reader;
  if (operation == RUN_ADVANCE_1) {
    run_advance(run, reader_u1(reader));
  } else if (operation == RUN_ADVANCE_2) {
    run_advance(run, reader_u2(reader));
  } else if (operation == RUN_ADVANCE_4) {
    run_advance(run, reader_u4(reader));
  } else {
    uint64_t place = reader_pointer(reader, run->entry->common.encoding, 0);
    run->reached = place > run->pc;
    run->place = place;
  }
}

static void run_cfa_step(cfi_run_t *run, uint8_t operation) {
  reader_t *reader = &run->reader;
  uint64_t number;
  switch (operation) {
  case RUN_CFA:
    number = reader_leb(reader);
    run_cfa(run, number, (int64_t)reader_leb(reader));
    break;
  case RUN_CFA_SIGNED:
    number = reader_leb(reader);
    run_cfa(run, number, scaled(run, reader_signed_leb(reader)));
    break;
  case RUN_CFA_REGISTER:
    run_cfa(run, reader_leb(reader), run->workspace->row.cfa.offset);
    break;
  case RUN_CFA_OFFSET:
    run_cfa_offset(run, (int64_t)reader_leb(reader));
    break;
  case RUN_CFA_OFFSET_SIGNED:
    run_cfa_offset(run, scaled(run, reader_signed_leb(reader)));
    break;
  default:
    run->workspace->row.cfa = run_expression(run, false);
  }
}

static void run_register_step(cfi_run_t *run, uint8_t operation) {
  reader_t *reader = &run->reader;
  uint64_t number = reader_leb(reader), other;
  switch (operation) {
  case RUN_OFFSET_LONG:
    run_saved(run, number, CFI_SAVED_AT, (int64_t)reader_leb(reader));
    break;
  case RUN_OFFSET_SIGNED:
    run_saved(run, number, CFI_SAVED_AT, reader_signed_leb(reader));
    break;
  case RUN_VALUE_OFFSET:
    run_saved(run, number, CFI_VALUE, (int64_t)reader_leb(reader));
    break;
  case RUN_VALUE_OFFSET_SIGNED:
    run_saved(run, number, CFI_VALUE, reader_signed_leb(reader));
    break;
  case RUN_EXPRESSION:
    run_rule(run, number, CFI_SAVED_AT, run_expression(run, true));
    break;
  case RUN_VALUE_EXPRESSION:
    run_rule(run, number, CFI_VALUE, run_expression(run, true));
    break;
  case RUN_RESTORE_LONG:
    run_restore(run, number);
    break;
  case RUN_UNDEFINED:
    run_rule(run, number, CFI_UNDEFINED, (cfi_value_t){.base = 0});
    break;
  case RUN_SAME:
    run_rule(run, number, CFI_SAME, (cfi_value_t){.base = 0});
    break;
  case RUN_REGISTER:
    other = reader_leb(reader);
    if (other >= CFI_RA) run->failed = true;
    run_rule(run, number, CFI_VALUE, (cfi_value_t){.base = (uint8_t)other});
    break;
  default:
    run->failed = true;
  }
}

static void run_step(cfi_run_t *run, uint8_t operation) {
  uint8_t operand = operation & 0x3f;
  switch (operation & 0xc0) {
  case RUN_ADVANCE:
    run_advance(run, operand);
    return;
  case RUN_OFFSET:
    run_saved(run, operand, CFI_SAVED_AT, (int64_t)reader_leb(&run->reader));
    return;
  case RUN_RESTORE:
    run_restore(run, operand);
    return;
  }
  switch (operation) {
  case RUN_NOTHING:
    break;
  case RUN_SET_PLACE:
  case RUN_ADVANCE_1:
  case RUN_ADVANCE_2:
  case RUN_ADVANCE_4:
    run_place(run, operation);
    break;
  case RUN_REMEMBER:
    run_remember(run);
    break;
  case RUN_RECALL:
    run_recall(run);
    break;
  case RUN_CFA:
  case RUN_CFA_REGISTER:
  case RUN_CFA_OFFSET:
  case RUN_CFA_EXPRESSION:
  case RUN_CFA_SIGNED:
  case RUN_CFA_OFFSET_SIGNED:
    run_cfa_step(run, operation);
    break;
  case RUN_ARGUMENTS_SIZE:
    reader_leb(&run->reader);
    break;
  default:
    run_register_step(run, operation);
  }
}

static bool run_program(cfi_run_t *run, const reader_t *program) {
  run->reader = *program;
  while (!run->reached && !run->failed && !run->reader.failed && run->reader.at < run->reader.end)
    run_step(run, reader_u1(&run->reader));
  return !run->failed && !run->reader.failed;
}

cfi_result_t cfi_find(const image_t *image, uint64_t pc, uint64_t ip, memory_t *memory,
                      cfi_workspace_t *workspace) {
  cfi_source_t source = {image, memory};
  cfi_entry_t entry;
  cfi_result_t result = entry_find(&source, pc, &entry);
  if (result != CFI_FOUND) return result;
  workspace->signal = entry.common.signal;
  memset(&workspace->row, 0, sizeof workspace->row);
  workspace->row.cfa.base = CFI_CONSTANT;  // until the program says otherwise
  cfi_run_t run = {&entry, workspace, .place = entry.start, .pc = pc, .ip = ip};
  if (!run_program(&run, &entry.common.program) || run.reached) return CFI_ODD;
  workspace->initial = workspace->row;
  if (!run_program(&run, &entry.program)) return CFI_ODD;
  bool outermost = workspace->row.registers[CFI_RA].how == CFI_UNDEFINED;
  return outermost || workspace->row.cfa.base != CFI_CONSTANT ? CFI_FOUND : CFI_ODD;
}
