// SPDX-License-Identifier: Apache-2.0
// Call frame information: what .eh_frame says about one instruction.
//
// A place is never computed with real register values here. What compilers and assemblers write
// has the form register + offset, or *(register + offset) + addend, once what is known of the
// instruction's own address is folded in (the expression of a PLT stub is of that kind, that of a
// signal frame and of a realigned stack too). An expression of another form makes the frame
// CFI_ODD; it is not guessed at.
#ifndef PRELOAD_STACKS_CFI_H
#define PRELOAD_STACKS_CFI_H

#include "preload/stacks/image.h"

// DWARF's numbers of x86-64 registers, and two more bases that a value may have.
enum {
  CFI_RBP = 6,
  CFI_RSP = 7,
  CFI_RA = 16,  // rip
  CFI_REGISTERS = 17,
  CFI_CFA = 17,
  CFI_CONSTANT = 18,
};

typedef struct {
  uint8_t base;       // register, CFI_CFA or CFI_CONSTANT
  bool dereferenced;  // *(base + offset) + addend, else base + offset (and addend is 0)
  int32_t offset, addend;
} cfi_value_t;

// How the caller's value of a register is found.
typedef enum { CFI_SAME, CFI_UNDEFINED, CFI_SAVED_AT, CFI_VALUE } cfi_how_t;
typedef struct {
  uint8_t how;        // cfi_how_t
  cfi_value_t value;  // its address (CFI_SAVED_AT) or itself (CFI_VALUE)
} cfi_rule_t;

typedef struct {
  cfi_value_t cfa;
  cfi_rule_t registers[CFI_REGISTERS];
} cfi_row_t;

typedef enum {
  CFI_FOUND,
  CFI_NONE,  // nothing is said about the instruction
  CFI_ODD,   // damaged, or of a kind that is not understood
} cfi_result_t;

// Scratch for the interpreter, which must not be on a small stack. `row` is its result.
enum { CFI_REMEMBERED = 6 };
typedef struct {
  cfi_row_t row;
  bool signal;  // the frame was interrupted: its caller's address is not a return address
  cfi_row_t initial, remembered[CFI_REMEMBERED];
} cfi_workspace_t;

// Looks up `pc` (the return address minus 1, or the very address at which a signal struck) in
// `image`, which holds it. `ip` is the frame's instruction pointer itself. Believes nothing it
// reads: every access stays in readable memory and every loop ends with the entry it reads.
cfi_result_t cfi_find(const image_t *image, uint64_t pc, uint64_t ip, memory_t *memory,
                      cfi_workspace_t *workspace);

#endif
