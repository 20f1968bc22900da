// SPDX-License-Identifier: Apache-2.0
// Rules: how to get from a frame to its caller when only rsp, rbp and memory are known, and the
// process-wide cache of them.
//
// A rule of the usual kind is 17 bits, so that it fits in a word of the cache beside its key:
//
//   bits 0-2   0: rbp is the caller's; n = 1 to 6: it is saved at CFA - 8 (n + 1); 7: see below
//   bit 3      the CFA is counted from rbp, else from rsp
//   bits 4-16  CFA offset / 8
//
// and the return address is at CFA - 8. With 7 in bits 0-2, bits 3-16 are the index of a row in
// the table of other rules. That table only grows, and a row never changes once it is whole.
//
// A word of the cache is written and read at once (8 bytes) and proves itself: with its place in
// the table it has all 47 bits of the address, and the low bits of the generation of modules.
// No lock, no order between words; a word lost to a race is worked out again.
#ifndef PRELOAD_STACKS_RULES_H
#define PRELOAD_STACKS_RULES_H

#include "preload/stacks/cfi.h"

#include <stdatomic.h>

enum {
  RULE_BITS = 17,
  RULE_OTHER = 7,
  RULE_FROM_RBP = 1 << 3,
  RULE_CFA_SHIFT = 4,
  RULE_INDEX_SHIFT = 3,

  RULES_LINE_BITS = 12,  // lines of 64 bytes
  RULES_WORDS = 8 << RULES_LINE_BITS,
  RULES_ADDRESS_BITS = 47,
  RULES_GENERATION_BITS = 12,
  RULES_OTHERS = 1024,
};

typedef uint32_t rule_t;
#define RULE_UNKNOWN UINT32_MAX

// What a row of the table of other rules tells to do.
typedef enum {
  STEP_TO_CALLER,
  STEP_END,        // the outermost frame
  STEP_ROOT,       // the same, and its address is not one that a call left there (makecontext)
  STEP_TRUNCATED,  // nothing is known of its caller
  STEP_REGISTERS,  // it takes more registers than rsp and rbp: walk again from the start
} step_t;

typedef struct {
  uint8_t step;        // step_t; the rest is only for STEP_TO_CALLER
  bool signal;         // the caller was interrupted, at the very address found
  cfi_value_t cfa;     // base CFI_RSP or CFI_RBP; so everywhere here
  cfi_value_t caller;  // address of the word with the caller's ip
  cfi_rule_t rbp;
} rule_other_t;

// Words are zero where there is nothing.
extern _Atomic uint64_t rules_words[RULES_WORDS];
// Greater after every dlclose. Its low RULES_GENERATION_BITS are never all 0, so no key is 0.
extern _Atomic uint64_t rules_generation __attribute__((visibility("hidden")));

// The multiplier is odd, so the product has all 47 bits of the address, mixed: the top ones choose
// the line, the others stay in the word.
static inline uint64_t rules_mix(uint64_t pc) {
  return pc * UINT64_C(0x9e3779b97f4a7c15) & ((UINT64_C(1) << RULES_ADDRESS_BITS) - 1);
}
static inline uint64_t rules_key(uint64_t mixed, uint64_t generation) {
  const unsigned line_shift = RULES_ADDRESS_BITS - RULES_LINE_BITS;
  uint64_t rest = mixed & ((UINT64_C(1) << line_shift) - 1);
  return rest << RULES_GENERATION_BITS | (generation & ((1 << RULES_GENERATION_BITS) - 1));
}
// The word where a rule is looked for first; its neighbour (index ^ 1) is the other one.
static inline uint64_t rules_place(uint64_t mixed) {
  return (mixed >> (RULES_ADDRESS_BITS - RULES_LINE_BITS)) << 3 | ((mixed >> 20) & 7);
}
_Static_assert(RULES_ADDRESS_BITS - RULES_LINE_BITS + RULES_GENERATION_BITS + RULE_BITS == 64,
               "key and rule fill a word");

// The rule for the instruction at `pc` from the cache, or RULE_UNKNOWN.
static inline rule_t rules_look_up(uint64_t pc, uint64_t generation) {
  uint64_t mixed = rules_mix(pc), key = rules_key(mixed, generation), place = rules_place(mixed);
  uint64_t word = atomic_load_explicit(&rules_words[place], memory_order_acquire);
  if (likely(word >> RULE_BITS == key)) return word & ((1 << RULE_BITS) - 1);
  word = atomic_load_explicit(&rules_words[place ^ 1], memory_order_acquire);
  if (word >> RULE_BITS == key) return word & ((1 << RULE_BITS) - 1);
  return RULE_UNKNOWN;
}

// Keeps a rule for `pc`, which rules_look_up has not found; the older of the two in its places
// goes.
void rules_keep(uint64_t pc, uint64_t generation, rule_t rule);

// The number of a row with that content, a new one if there is none yet; RULE_UNKNOWN where the
// table is full.
rule_t rules_other_add(const rule_other_t *other);
const rule_other_t *rules_other(rule_t rule);

// What `row` comes to, for walking with rsp and rbp only: as a rule where it is of the usual kind,
// else RULE_UNKNOWN with `other` set.
rule_t rules_compact(const cfi_row_t *row, bool signal, rule_other_t *other);

// Begins a new generation: what is in the cache is void.
void rules_forget(void);

#endif
