// SPDX-License-Identifier: Apache-2.0
// The checking mode: stacks as the recorder numbers them, against two unwinders that interpret
// DWARF. What was found stands in a file that all processes of a run share.
#ifndef TESTS_CHECKING_CHECKING_H
#define TESTS_CHECKING_CHECKING_H

#include "preload/stacks/stacks.h"

#include <stdatomic.h>

// CLASS(NAME, "name", "meaning"). Only WRONG and CUT are differences of the recorder; the others
// that are not EQUAL are what the two unwinders are known to do otherwise.
#define CHECKING_CLASS_TABLE(CLASS)                                                                \
  CLASS(EQUAL, "equal", "the recorder's stack is libunwind's, frame for frame")                    \
  CLASS(NO_RULES, "no-rules",                                                                      \
        "code without unwind information (a JIT): the recorder ends and marks the stack, as "      \
        "libgcc ends; libunwind follows frame pointers, if they are any")                          \
  CLASS(STALE, "stale-cache",                                                                      \
        "libunwind used rules of a module that had gone; its cache flushed, it agrees")            \
  CLASS(UNWIND_ALONE, "libunwind-alone",                                                           \
        "libunwind goes another way; libgcc agrees with the recorder")                             \
  CLASS(DEEP, "deep", "deeper than STACKS_FRAMES_MAX: the recorder's is marked and a part of it")  \
  CLASS(CUT, "cut", "the recorder ends and marks the stack where libgcc goes on")                  \
  CLASS(WRONG, "wrong", "the recorder differs from both")

typedef enum {
#define CLASS(NAME, name, meaning) CHECKING_##NAME,
  CHECKING_CLASS_TABLE(CLASS)
#undef CLASS
      CHECKING_CLASSES
} checking_class_t;

enum {
  CHECKING_EXAMPLES = 32,
  CHECKING_FRAMES_MAX = 16384,  // of an unwinder
  CHECKING_WHERE_MAX = 208,
};

// One stack that was not equal: index of the first frame that is not the same.
typedef struct {
  uint32_t class;
  uint32_t frame, ours, theirs;
  char where[CHECKING_WHERE_MAX];
} checking_example_t;

// The file, STACKS_CHECK_OUTPUT; made by the test, of this size at least, zeros.
typedef struct {
  _Atomic uint64_t taken;    // stacks numbered
  _Atomic uint64_t skipped;  // not compared: another thread was comparing
  _Atomic uint64_t deepest;  // frames
  _Atomic uint64_t classes[16];
  _Atomic uint64_t examples_used;
  checking_example_t examples[CHECKING_EXAMPLES];
} checking_results_t;
_Static_assert((int)CHECKING_CLASSES <= 16, "a counter for each");

// A stack, innermost first, in the recorder's form: an address at which a signal struck plus 1.
typedef struct {
  const uint64_t *frames;
  size_t count;
  bool truncated;
} checking_stack_t;

// The stack that ends in `origin` according to each of them. No allocation; libunwind may take
// locks of its own and the loader's. The frames stand until the next call.
checking_stack_t unwinders_libunwind(const stacks_origin_t *origin);
checking_stack_t unwinders_libgcc(const stacks_origin_t *origin);
// libunwind forgets what it has learnt of modules.
void unwinders_flush(void);

// Compares and counts. One thread at a time.
void judge_stack(checking_results_t *results, const stacks_origin_t *origin,
                 const checking_stack_t *ours);

#endif
