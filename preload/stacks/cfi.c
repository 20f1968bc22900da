// SPDX-License-Identifier: Apache-2.0
// Call frame information: running an entry's program up to one instruction.
#include "preload/stacks/cfi.h"

#include "preload/stacks/entry.h"
#include "preload/stacks/expression.h"

#include <string.h>

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
  cfi_entry_t entry;
  cfi_result_t result = entry_find(image, pc, memory, &entry);
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
