// SPDX-License-Identifier: Apache-2.0
// Walking one stack by rules.
#include "preload/stacks/walk.h"

#include <string.h>

// Where the value of rbp came from, and so what has to be compared if a frame is found by it.
typedef enum { RBP_PROVEN, RBP_ORIGIN, RBP_SLOT } rbp_source_t;

typedef struct {
  uint64_t pc;  // ip - 1, or ip where a signal struck
  bool struck;
  uint64_t sp, rbp;
  uint64_t rbp_slot;
  rbp_source_t rbp_source;
  uint64_t origin;  // CFA of the hook
} frame_t;

// ---- the trail -----------------------------------------------------------------------------

static inline void trail_add(trail_t *trail, uint64_t address, uint64_t value, uint64_t origin) {
  uint64_t offset = address - origin;
  if (unlikely(trail->count == TRAIL_MAX || offset > UINT32_MAX)) {
    trail->broken = true;
    return;
  }
  trail->offsets[trail->count] = (uint32_t)offset;
  trail->values[trail->count++] = value;
}

// A frame is found by rbp: whatever gave rbp its value is part of the trail.
static inline void trail_use_rbp(trail_t *trail, frame_t *frame) {
  if (frame->rbp_source == RBP_PROVEN) return;
  if (frame->rbp_source == RBP_ORIGIN)
    trail->needs_rbp = true;
  else
    trail_add(trail, frame->rbp_slot, frame->rbp, frame->origin);
  frame->rbp_source = RBP_PROVEN;
}

// ---- rules ---------------------------------------------------------------------------------

// The kernel's signal frame as it stands above the return address: a ucontext.
static const rule_other_t signal_rule = {
    .step = STEP_TO_CALLER,
    .signal = true,
    .cfa = {.base = CFI_RSP, .dereferenced = true, .offset = 160},
    .caller = {.base = CFI_RSP, .offset = 168},
    .rbp = {CFI_SAVED_AT, {.base = CFI_RSP, .offset = 120}},
};

// Works out the rule for `pc`: returned, or RULE_UNKNOWN with walk->other set.
static rule_t rule_work_out(walk_t *walk, uint64_t pc, uint64_t ip) {
  image_t *image = images_verify(&walk->images, pc, &walk->memory);
  walk->outside = !image;
  cfi_result_t result = image ? cfi_find(image, pc, ip, &walk->memory, &walk->workspace) : CFI_NONE;
  if (result == CFI_FOUND)
    return rules_compact(&walk->workspace.row, walk->workspace.signal, &walk->other);
  step_t step = result == CFI_NONE ? walk_unknown(walk, image, ip) : STEP_TRUNCATED;
  walk->other = step == STEP_TO_CALLER ? signal_rule : (rule_other_t){.step = step};
  return RULE_UNKNOWN;
}

// Nothing is kept of code outside of modules: a module may be loaded there any time.
static rule_t rule_learn(walk_t *walk, uint64_t pc, uint64_t ip, uint64_t generation) {
  rule_t rule = rule_work_out(walk, pc, ip);
  if (walk->outside) {
    if (walk->other.step == STEP_TO_CALLER) walk->trail.broken = true;
    return RULE_UNKNOWN;
  }
  if (rule == RULE_UNKNOWN) rule = rules_other_add(&walk->other);
  if (rule != RULE_UNKNOWN) rules_keep(pc, generation, rule);
  return rule;
}

// ---- steps ---------------------------------------------------------------------------------

// A frame that makes no sense, or whose memory cannot be read: next time that may be otherwise.
static step_t step_fail(walk_t *walk) {
  walk->trail.broken = true;
  return STEP_TRUNCATED;
}

static inline step_t step_usual(walk_t *walk, frame_t *frame, rule_t rule) {
  uint64_t base = frame->sp, ip, slot = rule & 7;
  if (rule & RULE_FROM_RBP) {
    trail_use_rbp(&walk->trail, frame);
    base = frame->rbp;
  }
  uint64_t cfa = base + (uint64_t)(rule >> RULE_CFA_SHIFT) * 8;
  if (unlikely(cfa - 8 < frame->sp || cfa < 8)) return step_fail(walk);  // strictly outwards
  if (unlikely(!memory_word(&walk->memory, cfa - 8, &ip))) return step_fail(walk);
  trail_add(&walk->trail, cfa - 8, ip, frame->origin);
  if (slot) {
    // In an epilogue this is below rsp: popped, and still there.
    uint64_t saved = cfa - 8 * (slot + 1);
    if (unlikely(!memory_word(&walk->memory, saved, &frame->rbp))) return step_fail(walk);
    frame->rbp_slot = saved;
    frame->rbp_source = RBP_SLOT;
  }
  frame->sp = cfa;
  frame->pc = ip - 1;
  frame->struck = false;
  return STEP_TO_CALLER;
}

static bool value_take(walk_t *walk, frame_t *frame, const cfi_value_t *value, uint64_t *result) {
  if (value->base == CFI_RBP) trail_use_rbp(&walk->trail, frame);
  *result = (value->base == CFI_RBP ? frame->rbp : frame->sp) + (uint64_t)(int64_t)value->offset;
  if (!value->dereferenced) return true;
  uint64_t address = *result;
  if (!memory_word(&walk->memory, address, result)) return false;
  trail_add(&walk->trail, address, *result, frame->origin);
  *result += (uint64_t)(int64_t)value->addend;
  return true;
}

static bool rbp_take(walk_t *walk, frame_t *frame, const cfi_rule_t *rule, frame_t *caller) {
  uint64_t value;
  if (rule->how == CFI_SAME) {
    caller->rbp_source = frame->rbp_source;  // which finding the CFA may have changed
    return true;
  }
  if (!value_take(walk, frame, &rule->value, &value)) return false;
  caller->rbp = value;
  caller->rbp_source = RBP_PROVEN;
  if (rule->how == CFI_VALUE) return true;
  caller->rbp_slot = value;
  caller->rbp_source = RBP_SLOT;
  return memory_word(&walk->memory, value, &caller->rbp);
}

static step_t step_other(walk_t *walk, frame_t *frame, const rule_other_t *rule) {
  if (rule->step != STEP_TO_CALLER) return rule->step;
  frame_t caller = *frame;
  uint64_t address, ip;
  if (!value_take(walk, frame, &rule->cfa, &caller.sp) ||
      !value_take(walk, frame, &rule->caller, &address) ||
      !memory_word(&walk->memory, address, &ip))
    return step_fail(walk);
  trail_add(&walk->trail, address, ip, frame->origin);
  if (!rbp_take(walk, frame, &rule->rbp, &caller)) return step_fail(walk);
  // A handler may have run on a stack of its own.
  if (!rule->signal && caller.sp <= frame->sp) return step_fail(walk);
  caller.struck = rule->signal;
  caller.pc = ip - !rule->signal;
  *frame = caller;
  return STEP_TO_CALLER;
}

static inline step_t step(walk_t *walk, frame_t *frame, uint64_t generation) {
  if (unlikely(frame->pc >> RULES_ADDRESS_BITS)) return step_fail(walk);
  rule_t rule = rules_look_up(frame->pc, generation);
  if (unlikely(rule == RULE_UNKNOWN)) {
    rule = rule_learn(walk, frame->pc, frame->pc + !frame->struck, generation);
    if (rule == RULE_UNKNOWN) return step_other(walk, frame, &walk->other);
  }
  if (likely((rule & 7) != RULE_OTHER)) return step_usual(walk, frame, rule);
  return step_other(walk, frame, rules_other(rule));
}

void walk_take(walk_t *walk, const stacks_origin_t *origin, uint64_t generation) {
  frame_t frame = {.pc = origin->ip - 1,
                   .sp = origin->cfa,
                   .rbp = origin->rbp,
                   .rbp_source = RBP_ORIGIN,
                   .origin = origin->cfa};
  step_t outcome = STEP_TO_CALLER;
  memory_use(&walk->memory);
  walk->count = 0;
  walk->outside = false;
  walk->trail.count = 0;
  walk->trail.needs_rbp = walk->trail.broken = false;
  for (;;) {
    if (frame.pc == UINT64_MAX && walk->count) break;  // a caller 0 stands below the outermost
    if (walk->count == STACKS_FRAMES_MAX) {
      outcome = STEP_TRUNCATED;
      break;
    }
    walk->frames[walk->count++] = frame.pc + 1;
    outcome = step(walk, &frame, generation);
    if (outcome != STEP_TO_CALLER) break;
  }
  walk->truncated = outcome == STEP_TRUNCATED;
  if (outcome == STEP_ROOT) walk->frames[walk->count - 1]++;
  if (outcome == STEP_REGISTERS) walk_by_registers(walk, origin);
}
