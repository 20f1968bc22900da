// SPDX-License-Identifier: Apache-2.0
// Initialisation that happens once: a lock that is held by whoever runs the routine, until it is
// done. Those who wait for it are readers, who let go at once. Once it is done, nobody is recorded.
//
// The routine may leave by a C++ exception or a cancellation; libc then lets another thread begin
// again. The frame below the routine has a personality of its own, which notes the release while
// the stack is unwound: that needs no unwinder here, and costs nothing where nobody throws.
#include "preload/hooks/lock.h"

enum { ONCE_DONE = 2 };  // a bit of the control word (pthreadP.h of glibc)

// A call on its way through the real one. On the stack of its hook.
typedef struct once {
  struct once *outer;
  void (*routine)(void);
  const stacks_origin_t *origin;
  lock_request_t request;
  bool ran;
} once_t;
static __thread once_t *once_innermost __attribute__((tls_model("initial-exec")));

static void once_released(const once_t *once) {
  lane_t *lane = lane_enter(once->origin, TRACE_LOCK_RELEASE);
  if (!lane) return;
  lane_record1(lane, TRACE_LOCK_RELEASE, 0, TRACE_LOCK_ONCE, once->request.object);
  lock_sample_drop(lane, once->request.object);
  lane_leave(lane);
}

// ---- running the routine -------------------------------------------------------------------

// The C++ ABI's for Itanium, which C++ runtimes and forced unwinding share.
enum { UNWIND_CLEANUP_PHASE = 2, UNWIND_CONTINUE = 8 };
int once_personality(int version, int actions, uint64_t kind, void *exception, void *context);
void once_call(void (*routine)(void));

int once_personality(int version, int actions, uint64_t kind, void *exception, void *context) {
  (void)version, (void)kind, (void)exception, (void)context;
  if (actions & UNWIND_CLEANUP_PHASE) {
    once_t *once = once_innermost;
    once_released(once);
    once_innermost = once->outer;
  }
  return UNWIND_CONTINUE;
}

__asm__(".pushsection .text\n"
        ".type once_call, @function\n"
        "once_call:\n"
        ".cfi_startproc\n"
        ".cfi_personality 0x1b, once_personality\n"  // relative to the place, 4 bytes
        "pushq %rbp\n"
        ".cfi_def_cfa_offset 16\n"
        ".cfi_offset %rbp, -16\n"
        "movq %rsp, %rbp\n"
        ".cfi_def_cfa_register %rbp\n"
        "call *%rdi\n"
        "popq %rbp\n"
        ".cfi_def_cfa %rsp, 8\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size once_call, . - once_call\n"
        ".popsection\n");

// What libc calls in place of the routine.
static void once_run(void) {
  once_t *once = once_innermost;
  hook_wait_t *wait = &once->request.wait;
  lane_t *lane = hook_wait_end(wait, once->origin);
  once->ran = true;
  if (lane) {
    const uint32_t stack = lane_stack_lock(lane, once->origin, once->request.object);
    lane_record(lane, TRACE_LOCK_ACQUIRE, stack, TRACE_LOCK_ONCE, wait->now, 1,
                once->request.object, 0, 0);
    lock_sample_note(lane, once->origin, TRACE_LOCK_ONCE, once->request.object, stack);
    lane_leave(lane);
  }
  once_call(once->routine);
  once_released(once);
}

// ---- the hooks -----------------------------------------------------------------------------

// A thread that found another one at work, and its work done.
static void once_waited(once_t *once) {
  lock_request_t *request = &once->request;
  lock_request_end(request, once->origin, 0);
  lane_t *lane = lane_enter(once->origin, TRACE_LOCK_RELEASE);
  if (!lane) return;
  lane_record1(lane, TRACE_LOCK_RELEASE, 0, request->bits, request->object);
  lock_sample_drop(lane, request->object);
  lane_leave(lane);
}

// Then the real function only looks again. `control` of an int, whatever its type is called.
static inline bool once_is_done(const void *control) {
  return __atomic_load_n((const int *)control, __ATOMIC_RELAXED) & ONCE_DONE;
}

static bool once_begin(once_t *once, const stacks_origin_t *origin, const void *control,
                       void (*routine)(void)) {
  lane_t *lane = lane_enter(origin, TRACE_LOCK_ACQUIRE);
  if (!lane) return false;
  *once = (once_t){.outer = once_innermost, .routine = routine, .origin = origin};
  once->request.object = (uintptr_t)control;
  once->request.bits = TRACE_LOCK_ONCE | TRACE_LOCK_SHARED;
  lock_request_begin(&once->request, lane, origin);
  once_innermost = once;
  return true;
}

static void once_end(once_t *once) {
  once_innermost = once->outer;
  if (!once->ran) once_waited(once);
}

static HOOK_BODY int recorded_pthread_once(pthread_once_t *control, void (*routine)(void)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  once_t once;
  if (!once_begin(&once, &origin, control, routine)) return real_pthread_once(control, routine);
  const int result = real_pthread_once(control, once_run);
  once_end(&once);
  return result;
}

static HOOK_BODY void recorded_call_once(once_flag *control, void (*routine)(void)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  once_t once;
  if (!once_begin(&once, &origin, control, routine)) {
    real_call_once(control, routine);
    return;
  }
  real_call_once(control, once_run);
  once_end(&once);
}

// As HOOK, for what is called over and over once it is done: by each throw, say.
#define ONCE_HOOK(type, name, control_type)                                                        \
  HOOK_EXPORT type name(control_type *control, void (*routine)(void)) {                            \
    if (!recorder_families.lock || likely(once_is_done(control)))                                  \
      return REAL_OR_FIRST(name)(control, routine);                                                \
    return recorded_##name(control, routine);                                                      \
  }
ONCE_HOOK(int, pthread_once, pthread_once_t)
ONCE_HOOK(void, call_once, once_flag)

HOOK_ALIAS(__pthread_once, pthread_once)
