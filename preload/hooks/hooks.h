// SPDX-License-Identifier: Apache-2.0
// What the hooks share. lane.h says how a hook looks.
#ifndef PRELOAD_HOOKS_HOOKS_H
#define PRELOAD_HOOKS_HOOKS_H

#include "preload/lane.h"
#include "preload/real.h"

// A function that takes the place of the one of that name; what follows is its body where its
// family is switched on. These, and no others, are exported.
//
// In two halves, so that a family that is off costs a comparison and a jump: neither half pushes a
// frame before it jumps, and the body stands in the place of the hook as its caller sees it.
#define HOOK(family, result, name, parameters, arguments)                                          \
  static HOOK_BODY result recorded_##name parameters;                                              \
  HOOK_EXPORT result name parameters {                                                             \
    if (!recorder_families.family) return REAL_OR_FIRST(name) arguments;                           \
    return recorded_##name arguments;                                                              \
  }                                                                                                \
  static result recorded_##name parameters
// The same with another half for where locks are sampled: most calls are done with `passed` where
// `passes` (an expression of the parameters and `origin`) is true, in few registers. All others go
// on to the body, which again stands in the place of the hook: so nothing may be passed that points
// into this frame.
#define HOOK_SAMPLED(family, result, name, parameters, arguments, passes, passed)                  \
  static HOOK_BODY result recorded_##name parameters;                                              \
  static HOOK_BODY result sampled_##name parameters {                                              \
    const stacks_origin_t origin = STACKS_ORIGIN();                                                \
    (void)origin;                                                                                  \
    if (likely(passes)) return passed;                                                             \
    return recorded_##name arguments;                                                              \
  }                                                                                                \
  HOOK_EXPORT result name parameters {                                                             \
    if (!recorder_families.family) return REAL_OR_FIRST(name) arguments;                           \
    if (recorder_is_sampled) return sampled_##name arguments;                                      \
    return recorded_##name arguments;                                                              \
  }                                                                                                \
  static result recorded_##name parameters
// The same for a function whose prototype has "..." or is not the one given here: all that it may
// be passed is passed on. What the caller left out is whatever stands in its place, as it would be
// for the real function, which does not look at it.
#define HOOK_UNPROTOTYPED(family, result, name, parameters, arguments)                             \
  static HOOK_BODY result recorded_##name parameters;                                              \
  HOOK_EXPORT result hook_##name parameters __asm__(#name);                                        \
  result hook_##name parameters {                                                                  \
    if (!recorder_families.family) return REAL_OR_FIRST(name) arguments;                           \
    return recorded_##name arguments;                                                              \
  }                                                                                                \
  static result recorded_##name parameters
// Another name that libc exports for a function with a hook, in the file of that hook.
#define HOOK_ALIAS(alias, name)                                                                    \
  __asm__(".globl " #alias "\n.type " #alias ", @function\n.set " #alias ", " #name "\n");
#define HOOK_EXPORT __attribute__((visibility("default")))
#define HOOK_BODY __attribute__((noinline))

// ---- calls that may block ------------------------------------------------------------------

// STACKS_ORIGIN of a hook that announces its call. Where an unwinder takes the frame away (the
// thread is cancelled, or ends in a signal handler) it calls lane_unwound (lane_left.c), which
// takes the announcement back before the clean-up handlers of the program run. Else it costs
// nothing. 0x1b: a distance in 32 bits (DW_EH_PE_pcrel | DW_EH_PE_sdata4).
#define HOOK_UNWOUND() __asm__ volatile(".cfi_personality 0x1b, lane_unwound")
#define HOOK_WAIT_ORIGIN()                                                                         \
  (__extension__({                                                                                 \
    HOOK_UNWOUND();                                                                                \
    STACKS_ORIGIN();                                                                               \
  }))

// A real call between its announcement and its record.
typedef struct {
  lane_pending_t outer;
  uint64_t since;
  uint64_t now;    // ticks when the call had returned; set by hook_wait_end
  uint64_t ticks;  // how long it took
} hook_wait_t;

// Announces the call and leaves the lane.
static inline void hook_wait_begin(hook_wait_t *wait, lane_t *lane, const stacks_origin_t *origin,
                                   uint32_t what, uint64_t object, uint64_t second) {
  wait->outer = lane_pend(lane, origin, what, object, second);
  wait->since = atomic_load_explicit(&lane->ring->pending_since, memory_order_relaxed);
  lane_leave(lane);
}

// After the call: enters the lane again and takes the announcement back. NULL: nothing can be
// recorded. The caller leaves the lane.
static inline lane_t *hook_wait_end(hook_wait_t *wait, const stacks_origin_t *origin) {
  lane_t *lane = lane_reenter(origin);
  if (!lane) return NULL;
  lane_unpend(lane, &wait->outer);
  wait->now = clock_ticks();
  wait->ticks = wait->now > wait->since ? wait->now - wait->since : 0;
  return lane;
}

// ---- life of a thread ----------------------------------------------------------------------

// Makes the key whose destructor gives back the lane of a thread that ends. Called once, in the
// constructor.
void thread_key_create(void);
// Sees to it that lane_release is called when the calling thread ends. To be called when it gets a
// lane. False where that can no longer be: its last destructors have run, nobody would give the
// lane back. Signal-safe.
bool thread_arm_end(void);

// ---- whose call it is ------------------------------------------------------------------------

// False in a vfork child, which runs in the memory of its parent but has descriptors and an end of
// its own, and where nothing is recorded. Costs a system call. Signal-safe, errno untouched.
bool process_is_recorded(void);

// ---- functions that not every libc header declares -----------------------------------------

void cfree(void *block);
void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t alignment, size_t size);

#endif
