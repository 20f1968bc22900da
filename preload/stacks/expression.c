// SPDX-License-Identifier: Apache-2.0
// DWARF expressions, worked out as far as that goes without registers: constants are folded, an
// operation on a register other than adding a constant or loading once gives up.
#include "preload/stacks/expression.h"

enum {
  OP_ADDRESS = 0x03,
  OP_LOAD = 0x06,
  OP_U1 = 0x08,
  OP_S1 = 0x09,
  OP_U2 = 0x0a,
  OP_S2 = 0x0b,
  OP_U4 = 0x0c,
  OP_S4 = 0x0d,
  OP_U8 = 0x0e,
  OP_S8 = 0x0f,
  OP_LEB = 0x10,
  OP_SIGNED_LEB = 0x11,
  OP_DUPLICATE = 0x12,
  OP_DROP = 0x13,
  OP_OVER = 0x14,
  OP_SWAP = 0x16,
  OP_AND = 0x1a,
  OP_MINUS = 0x1c,
  OP_MULTIPLY = 0x1e,
  OP_OR = 0x21,
  OP_PLUS = 0x22,
  OP_PLUS_LEB = 0x23,
  OP_SHIFT_LEFT = 0x24,
  OP_SHIFT_RIGHT = 0x25,
  OP_EQUAL = 0x29,
  OP_NOT_LESS = 0x2a,
  OP_GREATER = 0x2b,
  OP_NOT_GREATER = 0x2c,
  OP_LESS = 0x2d,
  OP_NOT_EQUAL = 0x2e,
  OP_LITERAL = 0x30,  // to 0x4f
  OP_BASE = 0x70,     // to 0x8f
  OP_BASE_LEB = 0x92,
  OP_NOTHING = 0x96,
};

// A value of cfi_value_t's form with room for what does not fit there in between.
typedef struct {
  uint8_t base;
  bool dereferenced;
  int64_t offset, addend;  // a constant is the offset of CFI_CONSTANT
} term_t;

enum { DEPTH = 8 };
typedef struct {
  term_t terms[DEPTH];
  unsigned depth;
  bool failed;
} machine_t;

static void push(machine_t *machine, term_t term) {
  if (machine->depth == DEPTH)
    machine->failed = true;
  else
    machine->terms[machine->depth++] = term;
}

static void push_constant(machine_t *machine, uint64_t value) {
  push(machine, (term_t){.base = CFI_CONSTANT, .offset = (int64_t)value});
}

static term_t pop(machine_t *machine) {
  if (machine->depth) return machine->terms[--machine->depth];
  machine->failed = true;
  return (term_t){.base = CFI_CONSTANT};
}

static bool is_constant(const term_t *term) {
  return term->base == CFI_CONSTANT && !term->dereferenced;
}

static void push_base(machine_t *machine, uint64_t number, int64_t offset, uint64_t ip) {
  if (number == CFI_RA)
    push_constant(machine, ip + (uint64_t)offset);
  else if (number < CFI_RA)
    push(machine, (term_t){.base = (uint8_t)number, .offset = offset});
  else
    machine->failed = true;
}

static void add(machine_t *machine, term_t term, int64_t constant) {
  int64_t *sum = term.dereferenced ? &term.addend : &term.offset;
  *sum = (int64_t)((uint64_t)*sum + (uint64_t)constant);
  push(machine, term);
}

static void load(machine_t *machine) {
  term_t term = pop(machine);
  if (term.dereferenced || term.base == CFI_CONSTANT) machine->failed = true;
  term.dereferenced = true;
  push(machine, term);
}

static uint64_t fold(unsigned operation, uint64_t a, uint64_t b, bool *failed) {
  switch (operation) {
  case OP_AND:
    return a & b;
  case OP_OR:
    return a | b;
  case OP_MULTIPLY:
    return a * b;
  case OP_SHIFT_LEFT:
    return b < 64 ? a << b : 0;
  case OP_SHIFT_RIGHT:
    return b < 64 ? a >> b : 0;
  case OP_EQUAL:
    return a == b;
  case OP_NOT_EQUAL:
    return a != b;
  case OP_NOT_LESS:
    return (int64_t)a >= (int64_t)b;
  case OP_GREATER:
    return (int64_t)a > (int64_t)b;
  case OP_NOT_GREATER:
    return (int64_t)a <= (int64_t)b;
  case OP_LESS:
    return (int64_t)a < (int64_t)b;
  }
  *failed = true;
  return 0;
}

static void combine(machine_t *machine, unsigned operation) {
  term_t right = pop(machine), left = pop(machine);
  if (operation == OP_PLUS && is_constant(&right))
    add(machine, left, right.offset);
  else if (operation == OP_PLUS && is_constant(&left))
    add(machine, right, left.offset);
  else if (operation == OP_MINUS && is_constant(&right))
    add(machine, left, (int64_t)(0 - (uint64_t)right.offset));
  else if (is_constant(&left) && is_constant(&right))
    push_constant(machine,
                  fold(operation, (uint64_t)left.offset, (uint64_t)right.offset, &machine->failed));
  else
    machine->failed = true;
}

static void rearrange(machine_t *machine, unsigned operation) {
  term_t top = pop(machine);
  if (operation == OP_DROP) return;
  if (operation == OP_DUPLICATE) {
    push(machine, top);
    push(machine, top);
    return;
  }
  term_t below = pop(machine);
  if (operation == OP_OVER) push(machine, below);
  push(machine, top);
  push(machine, below);
}

static bool push_number(machine_t *machine, reader_t *reader, unsigned operation) {
  switch (operation) {
  case OP_ADDRESS:
  case OP_U8:
  case OP_S8:
    push_constant(machine, reader_bytes(reader, 8));
    return true;
  case OP_U1:
    push_constant(machine, reader_u1(reader));
    return true;
  case OP_S1:
    push_constant(machine, (uint64_t)(int64_t)(int8_t)reader_u1(reader));
    return true;
  case OP_U2:
    push_constant(machine, reader_u2(reader));
    return true;
  case OP_S2:
    push_constant(machine, (uint64_t)(int64_t)(int16_t)reader_u2(reader));
    return true;
  case OP_U4:
    push_constant(machine, reader_u4(reader));
    return true;
  case OP_S4:
    push_constant(machine, (uint64_t)(int64_t)(int32_t)reader_u4(reader));
    return true;
  case OP_LEB:
    push_constant(machine, reader_leb(reader));
    return true;
  case OP_SIGNED_LEB:
    push_constant(machine, (uint64_t)reader_signed_leb(reader));
    return true;
  }
  return false;
}

static void step(machine_t *machine, reader_t *reader, unsigned operation, uint64_t ip) {
  if (push_number(machine, reader, operation)) return;
  if (operation >= OP_LITERAL && operation < OP_LITERAL + 32) {
    push_constant(machine, operation - OP_LITERAL);
  } else if (operation >= OP_BASE && operation < OP_BASE + 32) {
    push_base(machine, operation - OP_BASE, reader_signed_leb(reader), ip);
  } else if (operation == OP_BASE_LEB) {
    uint64_t number = reader_leb(reader);
    push_base(machine, number, reader_signed_leb(reader), ip);
  } else if (operation == OP_LOAD) {
    load(machine);
  } else if (operation == OP_PLUS_LEB) {
    add(machine, pop(machine), (int64_t)reader_leb(reader));
  } else if (operation == OP_DUPLICATE || operation == OP_DROP || operation == OP_OVER ||
             operation == OP_SWAP) {
    rearrange(machine, operation);
  } else if (operation != OP_NOTHING) {
    combine(machine, operation);
  }
}

static bool fits(int64_t number) { return number == (int32_t)number; }

bool expression_value(reader_t *reader, uint64_t ip, bool with_cfa, cfi_value_t *value) {
  machine_t machine = {.depth = 0};
  if (with_cfa) push(&machine, (term_t){.base = CFI_CFA});
  while (!reader->failed && !machine.failed && reader->at < reader->end)
    step(&machine, reader, reader_u1(reader), ip);
  term_t result = pop(&machine);
  if (reader->failed || machine.failed || !fits(result.offset) || !fits(result.addend))
    return false;
  *value = (cfi_value_t){result.base, result.dereferenced, (int32_t)result.offset,
                         (int32_t)result.addend};
  return true;
}
