// SPDX-License-Identifier: Apache-2.0
// Walking one stack with all registers, as far as they can be known: the origin gives rsp and rbp,
// frames give those that they saved, a signal frame gives all.
#include "preload/stacks/walk.h"

// A register is known where its bit is set.
typedef struct {
  uint64_t values[CFI_REGISTERS];
  uint32_t known;
} registers_t;

typedef struct {
  walk_t *walk;
  registers_t now;
  uint64_t cfa;
  bool struck;  // now.values[CFI_RA] is where a signal struck
} position_t;

static void register_set(registers_t *registers, unsigned number, uint64_t value) {
  registers->values[number] = value;
  registers->known |= 1u << number;
}

static bool value_take(position_t *position, const cfi_value_t *value, uint64_t *result) {
  if (value->base == CFI_CFA)
    *result = position->cfa;
  else if (value->base < CFI_REGISTERS && (position->now.known >> value->base & 1))
    *result = position->now.values[value->base];
  else
    return false;
  *result += (uint64_t)(int64_t)value->offset;
  if (!value->dereferenced) return true;
  if (!memory_word(&position->walk->memory, *result, result)) return false;
  *result += (uint64_t)(int64_t)value->addend;
  return true;
}

// The caller's value of a register; one that cannot be had is unknown from there on.
static void register_take(position_t *position, unsigned number, const cfi_rule_t *rule,
                          registers_t *caller) {
  uint64_t value;
  caller->known &= ~(1u << number);
  if (rule->how == CFI_SAME) {
    if (position->now.known >> number & 1)
      register_set(caller, number, position->now.values[number]);
  } else if (rule->how != CFI_UNDEFINED && value_take(position, &rule->value, &value) &&
             (rule->how == CFI_VALUE || memory_word(&position->walk->memory, value, &value))) {
    register_set(caller, number, value);
  }
}

static step_t caller_take(position_t *position) {
  const cfi_row_t *row = &position->walk->workspace.row;
  bool signal = position->walk->workspace.signal;
  registers_t caller = position->now;
  if (row->registers[CFI_RA].how == CFI_UNDEFINED) return STEP_END;
  if (!value_take(position, &row->cfa, &position->cfa)) return STEP_TRUNCATED;
  for (unsigned number = 0; number < CFI_REGISTERS; number++)
    register_take(position, number, &row->registers[number], &caller);
  if (row->registers[CFI_RSP].how == CFI_SAME) register_set(&caller, CFI_RSP, position->cfa);
  const uint32_t needed = 1u << CFI_RSP | 1u << CFI_RA;
  if (row->registers[CFI_RA].how == CFI_SAME || (caller.known & needed) != needed)
    return STEP_TRUNCATED;
  if (!signal && caller.values[CFI_RSP] <= position->now.values[CFI_RSP]) return STEP_TRUNCATED;
  position->now = caller;
  position->struck = signal;
  return STEP_TO_CALLER;
}

// The kernel's signal frame, where nothing is said of it: all registers from the ucontext.
static void signal_rows(cfi_workspace_t *workspace) {
  // In the order of mcontext_t: r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip.
  static const uint8_t order[CFI_REGISTERS] = {8, 9, 10, 11, 12, 13, 14, 15, 5,
                                               4, 6, 3,  1,  0,  2,  7,  16};
  workspace->signal = true;
  workspace->row.cfa = (cfi_value_t){.base = CFI_RSP, .dereferenced = true, .offset = 40 + 15 * 8};
  for (int i = 0; i < CFI_REGISTERS; i++)
    workspace->row.registers[order[i]] =
        (cfi_rule_t){CFI_SAVED_AT, {.base = CFI_RSP, .offset = 40 + i * 8}};
}

static step_t step(position_t *position) {
  walk_t *walk = position->walk;
  uint64_t ip = position->now.values[CFI_RA], pc = ip - !position->struck;
  image_t *image = images_get(&walk->images, pc, &walk->memory);
  walk->outside = !image;
  cfi_result_t result = image ? cfi_find(image, pc, ip, &walk->memory, &walk->workspace) : CFI_NONE;
  if (result == CFI_ODD) return STEP_TRUNCATED;
  if (result == CFI_NONE) {
    step_t unknown = walk_unknown(walk, image, ip);
    if (unknown != STEP_TO_CALLER) return unknown;
    signal_rows(&walk->workspace);
  }
  return caller_take(position);
}

void walk_by_registers(walk_t *walk, const stacks_origin_t *origin) {
  position_t position = {.walk = walk};
  step_t outcome = STEP_TO_CALLER;
  register_set(&position.now, CFI_RA, origin->ip);
  register_set(&position.now, CFI_RSP, origin->cfa);
  register_set(&position.now, CFI_RBP, origin->rbp);
  walk->trail.broken = true;
  walk->count = 0;
  while (outcome == STEP_TO_CALLER) {
    uint64_t ip = position.now.values[CFI_RA];
    if (!ip && !position.struck && walk->count) break;
    if (walk->count == STACKS_FRAMES_MAX) {
      outcome = STEP_TRUNCATED;
      break;
    }
    walk->frames[walk->count++] = ip + position.struck;
    outcome = step(&position);
  }
  walk->truncated = outcome == STEP_TRUNCATED;
  if (outcome == STEP_ROOT) walk->frames[walk->count - 1]++;
}
