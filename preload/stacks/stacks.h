// SPDX-License-Identifier: Apache-2.0
// Exact call stacks of the recorder's hooks, without frame pointers in the program: x86-64 Linux,
// glibc 2.35 or newer. A stack becomes a number once; afterwards a call that comes the same way
// costs a few loads.
//
// Exact means: a stack is what .eh_frame says, or it is marked truncated where that says nothing.
// The caller of a frame is a function of the words that were read to find it, and of the rules of
// the modules loaded; a number is given again only where each of those words is the same and no
// module has gone since.
#ifndef PRELOAD_STACKS_STACKS_H
#define PRELOAD_STACKS_STACKS_H

#include "formats/record.h"

// What a hook knows about its caller.
typedef struct {
  uint64_t ip;   // return address of the hook
  uint64_t cfa;  // the hook's CFA: the caller's rsp once the hook has returned
  uint64_t rbp;  // the caller's
} stacks_origin_t;

// The origin of the function it stands in, which must be compiled with -fno-omit-frame-pointer
// and be the hook itself (or be inlined into it).
#define STACKS_ORIGIN()                                                                            \
  (__extension__({                                                                                 \
    const uint64_t *stacks_frame_ = __builtin_frame_address(0);                                    \
    (stacks_origin_t){stacks_frame_[1], (uint64_t)(uintptr_t)(stacks_frame_ + 2),                  \
                      stacks_frame_[0]};                                                           \
  }))

enum {
  STACKS_FRAMES_MAX = 2048,  // deeper stacks lose their outermost frames and are marked truncated
  STACKS_NUMBERS = 8192,     // stacks that one lane finds again: the newest
  STACKS_WINDOW = 2 * STACKS_NUMBERS,  // a number is given out only while so many are newer
  STACKS_NUMBER_LAST = (1 << 20) - 1,  // then they begin again at 1: readers have a table of them
};
_Static_assert((int)STACKS_FRAMES_MAX < (int)TRACE_PAYLOAD_MAX,
               "a stack with its flags is one record");

// The stacks one lane has met. All-zero bytes are a valid empty state. Only the thread that owns
// the lane uses it. Its memory is given by the recorder, aligned to a page, and touched little by
// little: a program with few stacks touches a few pages.
typedef struct stacks stacks_t;
#define STACKS_MEMORY ((size_t)288 * 1024)

// Where definitions go; false where there is no place: it is tried again then, when the stack is
// met again. Called by stacks_number, in its thread, with nothing held; may not call back into
// stacks. What is passed lives until the function returns.
typedef struct {
  void *arg;
  // Before a number is returned for the first time, and again where it now means another stack.
  // `frames` are return addresses, innermost first, `count` at most STACKS_FRAMES_MAX and at
  // least 1. An address at which a signal struck is given plus 1, so that subtracting 1 lands in
  // the instruction that runs, in every frame. `truncated`: callers beyond the last are unknown.
  bool (*define_stack)(void *arg, uint32_t number, const uint64_t *frames, size_t count,
                       bool truncated);
  // The first time a lane defines a stack with a frame in a module, and again after any module
  // has gone. `build_id` has module->build_id_length bytes, `path` module->path_length (and is
  // not terminated). Comes before the stack's definition.
  bool (*define_module)(void *arg, const trace_module_t *module, const uint8_t *build_id,
                        const char *path);
} stacks_sink_t;

// The number of the stack that ends in `origin`: 1 to STACKS_NUMBER_LAST, given in turn, so that a
// number means another stack only where a definition gives it one that is not above the one before.
// One stack may get several. 0 where nothing can be taken (no lane memory,
// or stacks_ready is false).
// No allocation, no lock, errno untouched. A new stack may cost system calls (rt_sigprocmask with
// an operation that does not exist, to ask whether a page can be read); a stack met before costs
// none. Signal-safe as long as it is not entered again on the same lane; leaving it by longjmp is
// harmless.
uint32_t stacks_number(stacks_t *stacks, const stacks_origin_t *origin, const stacks_sink_t *sink);

// The number of a stack of which only the innermost return address is known: marked truncated. As
// stacks_number in everything else.
uint32_t stacks_number_frame(stacks_t *stacks, uint64_t ip, const stacks_sink_t *sink);
// Changes whenever a number given before may mean another stack, or none.
uint32_t stacks_numbering(const stacks_t *stacks);

// The lane goes to another process or trace, or a definition was dropped from its ring: its numbers
// and modules are void from the next stacks_number on. NULL is no lane.
void stacks_forget(stacks_t *stacks);

// Tells `sink` (define_module only) of all modules now loaded, and makes stacks ready.
// Takes the loader's lock and may make system calls: for the constructor only.
void stacks_modules_announce(const stacks_sink_t *sink);

// A module may have gone: to be called after every dlclose. What was learnt of modules is void,
// in every lane. Lock-free, signal-safe. A module that another thread loads at the same address
// before this is called is met with the rules of the one that went.
void stacks_modules_changed(void);

// Whether stacks can be taken: stacks_modules_announce has been called, and has found the rules
// of this library itself. Stays true in fork children.
bool stacks_ready(void);

#endif
