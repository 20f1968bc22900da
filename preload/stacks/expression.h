// SPDX-License-Identifier: Apache-2.0
// DWARF expressions of call frame information, worked out as far as that goes without registers.
#ifndef PRELOAD_STACKS_EXPRESSION_H
#define PRELOAD_STACKS_EXPRESSION_H

#include "preload/stacks/cfi.h"
#include "preload/stacks/reader.h"

// Works out the expression that `reader` holds, to its end. `ip` is the value of rip; `with_cfa`:
// the CFA is on the stack at first, as for the rule of a register. False where the expression is
// malformed or its value is not of the form that cfi_value_t has.
bool expression_value(reader_t *reader, uint64_t ip, bool with_cfa, cfi_value_t *value);

#endif
