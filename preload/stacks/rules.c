// SPDX-License-Identifier: Apache-2.0
// The cache of rules, and how a row of call frame information becomes one.
#include "preload/stacks/rules.h"

_Atomic uint64_t rules_words[RULES_WORDS] __attribute__((aligned(64)));
_Atomic uint64_t rules_generation = 1;

static struct {
  _Atomic bool whole;
  rule_other_t other;
} others[RULES_OTHERS];
static _Atomic uint32_t others_taken;

// ---- the cache -----------------------------------------------------------------------------

void rules_keep(uint64_t pc, uint64_t generation, rule_t rule) {
  uint64_t mixed = rules_mix(pc), place = rules_place(mixed);
  uint64_t word = rules_key(mixed, generation) << RULE_BITS | rule;
  // A word may stand in either of its two places, so the one that is there can move over.
  uint64_t older = atomic_load_explicit(&rules_words[place], memory_order_relaxed);
  if (older) atomic_store_explicit(&rules_words[place ^ 1], older, memory_order_relaxed);
  atomic_store_explicit(&rules_words[place], word, memory_order_release);
  if (atomic_load(&rules_generation) != generation) {
    // Whoever changed it may have cleared the table before the store.
    atomic_store_explicit(&rules_words[place], 0, memory_order_relaxed);
  }
}

// The words hold a part of the generation only; long before that part comes round again they go.
void rules_forget(void) {
  const uint64_t period = (1 << RULES_GENERATION_BITS) / 2;
  uint64_t before = atomic_fetch_add(&rules_generation, 1);
  if ((before + 1) % (2 * period) == 0) atomic_fetch_add(&rules_generation, 1);
  if ((before + 1) % period != 0) return;
  for (size_t i = 0; i < RULES_WORDS; i++)
    if (atomic_load_explicit(&rules_words[i], memory_order_relaxed))
      atomic_store_explicit(&rules_words[i], 0, memory_order_relaxed);
}

// ---- other rules ---------------------------------------------------------------------------

static bool value_equals(cfi_value_t a, cfi_value_t b) {
  return a.base == b.base && a.dereferenced == b.dereferenced && a.offset == b.offset &&
         a.addend == b.addend;
}

static bool other_equals(const rule_other_t *a, const rule_other_t *b) {
  return a->step == b->step && a->signal == b->signal && value_equals(a->cfa, b->cfa) &&
         value_equals(a->caller, b->caller) && a->rbp.how == b->rbp.how &&
         value_equals(a->rbp.value, b->rbp.value);
}

rule_t rules_other_add(const rule_other_t *other) {
  uint32_t taken = atomic_load_explicit(&others_taken, memory_order_acquire);
  for (uint32_t i = 0; i < taken && i < RULES_OTHERS; i++)
    if (atomic_load_explicit(&others[i].whole, memory_order_acquire) &&
        other_equals(&others[i].other, other))
      return i << RULE_INDEX_SHIFT | RULE_OTHER;
  if (taken >= RULES_OTHERS) return RULE_UNKNOWN;
  uint32_t index = atomic_fetch_add(&others_taken, 1);
  if (index >= RULES_OTHERS) return RULE_UNKNOWN;
  others[index].other = *other;
  atomic_store_explicit(&others[index].whole, true, memory_order_release);
  return index << RULE_INDEX_SHIFT | RULE_OTHER;
}

const rule_other_t *rules_other(rule_t rule) { return &others[rule >> RULE_INDEX_SHIFT].other; }

// ---- from rows to rules --------------------------------------------------------------------

static bool sum_fits(int32_t a, int32_t b, int32_t *sum) {
  return !__builtin_add_overflow(a, b, sum);
}

// Expresses `value` by rsp or rbp, where it may be counted from the CFA.
static bool value_from_stack(const cfi_value_t *cfa, cfi_value_t *value) {
  if (value->base == CFI_RSP || value->base == CFI_RBP) return true;
  if (value->base != CFI_CFA) return false;
  if (!cfa->dereferenced) {
    value->base = cfa->base;
    return sum_fits(cfa->offset, value->offset, &value->offset);
  }
  if (value->dereferenced) return false;
  cfi_value_t moved = *cfa;
  if (!sum_fits(cfa->addend, value->offset, &moved.addend)) return false;
  *value = moved;
  return true;
}

// Whether the caller's rsp is the CFA, as it is but for odd code. A signal frame says so at length:
// its CFA and the place of rsp are the same load.
static bool rsp_is_cfa(const cfi_row_t *row) {
  cfi_rule_t rule = row->registers[CFI_RSP];
  if (rule.how == CFI_SAME) return true;
  if (rule.how == CFI_VALUE)
    return value_equals(rule.value, (cfi_value_t){.base = CFI_CFA}) ||
           value_equals(rule.value, row->cfa);
  rule.value.dereferenced = true;
  return rule.how == CFI_SAVED_AT && value_equals(rule.value, row->cfa);
}

static bool rbp_from_stack(const cfi_row_t *row, cfi_rule_t *rbp) {
  if (rbp->how == CFI_SAME) return true;
  return rbp->how != CFI_UNDEFINED && value_from_stack(&row->cfa, &rbp->value);
}

static void other_make(const cfi_row_t *row, bool signal, rule_other_t *other) {
  cfi_rule_t caller = row->registers[CFI_RA];
  *other = (rule_other_t){.step = STEP_TO_CALLER,
                          .signal = signal,
                          .cfa = row->cfa,
                          .caller = caller.value,
                          .rbp = row->registers[CFI_RBP]};
  if (caller.how == CFI_UNDEFINED)
    *other = (rule_other_t){.step = STEP_END};
  else if (caller.how == CFI_SAME)
    *other = (rule_other_t){.step = STEP_TRUNCATED};
  else if (caller.how == CFI_VALUE || (row->cfa.base != CFI_RSP && row->cfa.base != CFI_RBP) ||
           !rsp_is_cfa(row) || !value_from_stack(&row->cfa, &other->caller) ||
           other->caller.dereferenced || !rbp_from_stack(row, &other->rbp))
    *other = (rule_other_t){.step = STEP_REGISTERS};
}

// Bits 0-2 of a usual rule, or RULE_OTHER.
static rule_t rbp_slot(const cfi_row_t *row) {
  cfi_rule_t rbp = row->registers[CFI_RBP];
  if (rbp.how == CFI_SAME) return 0;
  if (rbp.how != CFI_SAVED_AT || rbp.value.base != CFI_CFA || rbp.value.dereferenced ||
      rbp.value.offset % 8 || rbp.value.offset > -16 || rbp.value.offset < -56)
    return RULE_OTHER;
  return (rule_t)(-rbp.value.offset / 8 - 1);
}

rule_t rules_compact(const cfi_row_t *row, bool signal, rule_other_t *other) {
  other_make(row, signal, other);
  rule_t slot = rbp_slot(row);
  const cfi_rule_t *caller = &row->registers[CFI_RA];
  const cfi_value_t return_slot = {.base = CFI_CFA, .offset = -8};
  if (other->step != STEP_TO_CALLER || signal || slot == RULE_OTHER || row->cfa.dereferenced ||
      row->cfa.offset % 8 || row->cfa.offset < 8 ||
      row->cfa.offset >= 8 << (RULE_BITS - RULE_CFA_SHIFT) ||
      !value_equals(caller->value, return_slot))
    return RULE_UNKNOWN;
  return slot | (row->cfa.base == CFI_RBP ? RULE_FROM_RBP : 0) |
         (rule_t)(row->cfa.offset / 8) << RULE_CFA_SHIFT;
}
