// SPDX-License-Identifier: Apache-2.0
// Entries of .eh_frame: which one speaks of an instruction, and what it is made of.
#ifndef PRELOAD_STACKS_ENTRY_H
#define PRELOAD_STACKS_ENTRY_H

#include "preload/stacks/cfi.h"
#include "preload/stacks/reader.h"

// What several entries have in common (CIE).
typedef struct {
  uint64_t code_factor;
  int64_t data_factor;
  uint8_t encoding;  // of the addresses in the entries
  bool augmented;
  bool signal;  // the code was interrupted, it did not call
  reader_t program;
} cfi_common_t;

// What is said of one piece of code (FDE).
typedef struct {
  cfi_common_t common;
  uint64_t start, size;  // of the code
  reader_t program;
} cfi_entry_t;

// The entry of `image` for the instruction at `pc`, by the table of .eh_frame_hdr, or one after the
// other where there is none. CFI_ODD: damaged.
cfi_result_t entry_find(const image_t *image, uint64_t pc, memory_t *memory, cfi_entry_t *entry);

#endif
