// SPDX-License-Identifier: Apache-2.0
// Calls that are left without coming back: a thread is cancelled in one, or ends or jumps out of it
// in a signal handler.
#include "preload/lane.h"

#include "preload/lock_sample.h"
#include "preload/loop_sample.h"

#include <errno.h>
#include <unwind.h>

// The event that a pending call would have become, and what it consists of.
typedef enum {
  LEFT_NOTHING,
  LEFT_DESCRIPTOR,  // arg: descriptor; result, duration
  LEFT_RESULT,      // arg: result; duration
  LEFT_OBJECT,      // arg: result; object, duration
  LEFT_LOOP,        // arg: result; what was asked, duration, no limit
} left_shape_t;

static const struct {
  uint8_t kind, shape;
} left_calls[] = {
    [TRACE_PENDING_JOIN] = {TRACE_THREAD_JOIN, LEFT_OBJECT},
    [TRACE_PENDING_EPOLL] = {TRACE_EPOLL_WAIT, LEFT_LOOP},
    [TRACE_PENDING_READ] = {TRACE_READ, LEFT_DESCRIPTOR},
    [TRACE_PENDING_WRITE] = {TRACE_WRITE, LEFT_DESCRIPTOR},
    [TRACE_PENDING_ACCEPT] = {TRACE_ACCEPT, LEFT_DESCRIPTOR},
    [TRACE_PENDING_BARRIER] = {TRACE_BARRIER_WAIT, LEFT_OBJECT},
    [TRACE_PENDING_SLEEP] = {TRACE_SLEEP, LEFT_RESULT},
    [TRACE_PENDING_FUTEX] = {TRACE_FUTEX_WAIT, LEFT_OBJECT},
    [TRACE_PENDING_CONNECT] = {TRACE_CONNECT, LEFT_DESCRIPTOR},
    [TRACE_PENDING_POLL] = {TRACE_POLL, LEFT_LOOP},
    [TRACE_PENDING_SYNC] = {TRACE_SYNC, LEFT_DESCRIPTOR},
    [TRACE_PENDING_RESOLVE] = {TRACE_RESOLVE, LEFT_RESULT},
};
enum { LEFT_CALLS = sizeof left_calls / sizeof *left_calls };

typedef struct {
  uint32_t what, stack;
  uint64_t object, second, since, now;
} left_call_t;

// A wait that was left without coming back: a cancellation in a condition wait has taken the mutex
// again before the program's clean-up handlers ran.
static void record_left_lock(lane_t *lane, const left_call_t *left) {
  const uint64_t result = trace_zigzag(-ECANCELED), ticks = left->now - left->since;
  if (left->what == TRACE_PENDING_LOCK) {
    lane_record(lane, TRACE_LOCK_FAIL, left->stack, (uint32_t)left->second, left->now, 3,
                left->object, ticks, result);
    return;
  }
  lane_record(lane, TRACE_COND_WAIT, left->stack, result, left->now, 3, left->object, left->second,
              ticks);
  lane_record(lane, TRACE_LOCK_ACQUIRE, left->stack, TRACE_LOCK_MUTEX | TRACE_LOCK_BY_CONDITION,
              left->now, 1, left->second, 0, 0);
  lock_sample_note(lane, &(stacks_origin_t){0}, TRACE_LOCK_MUTEX, left->second, left->stack);
}

// Where loops are sampled, what is short there may be out of the sample.
static void record_left_call(lane_t *lane, const left_call_t *left) {
  const uint64_t result = trace_zigzag(-ECANCELED), no_limit = trace_zigzag(-1);
  const uint64_t ticks = left->now - left->since;
  const unsigned kind = left_calls[left->what].kind;
  const uint32_t stack = trace_event_kinds[kind].has_stack ? left->stack : 0;
  switch (left_calls[left->what].shape) {
  case LEFT_DESCRIPTOR:
    if (!lane->loops || ticks >= recorder_wait_ticks)
      lane_record(lane, kind, stack, left->object, left->now, 2, result, ticks, 0);
    break;
  case LEFT_RESULT:
    lane_record(lane, kind, stack, result, left->now, 1, ticks, 0, 0);
    break;
  case LEFT_OBJECT:
    lane_record(lane, kind, stack, result, left->now, 2, left->object, ticks, 0);
    break;
  case LEFT_LOOP:
    if (!lane->loops)
      lane_record(lane, kind, stack, result, left->now, 3, left->object, ticks, no_limit);
    break;
  default:
    break;
  }
}

void lane_end_left(lane_t *lane) {
  trace_ring_t *ring = lane->ring;
  const left_call_t left = {
      .what = atomic_load_explicit(&ring->pending_what, memory_order_relaxed),
      .stack = atomic_load_explicit(&ring->pending_stack, memory_order_relaxed),
      .object = atomic_load_explicit(&ring->pending_object, memory_order_relaxed),
      .second =
          atomic_load_explicit(&ring->pending_second, memory_order_relaxed) & ~TRACE_PENDING_TIMED,
      .since = atomic_load_explicit(&ring->pending_since, memory_order_relaxed),
      .now = clock_ticks(),
  };
  lane->pend_cfa = 0;
  atomic_store_explicit(&ring->pending_what, TRACE_PENDING_NONE, memory_order_release);
  if (left.what == TRACE_PENDING_LOCK || left.what == TRACE_PENDING_CONDITION)
    record_left_lock(lane, &left);
  else if (left.what < LEFT_CALLS)
    record_left_call(lane, &left);
}

// ---- while the stack is unwound ------------------------------------------------------------

// The innermost call that is pending is that of the frame which goes, or of one further out, which
// goes next: a thread that ends unwinds all of them. What a guard stood for inside of it has gone.
static void pending_unwound(void) {
  lane_t *lane = lane_current;
  if (!lane || !lane->ring || !lane->pend_cfa || lane->guard > lane->pend_cfa) return;
  if (lane->guard) lane_resume(lane);
  lane->guard = (uintptr_t)__builtin_frame_address(0);
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  lane_end_left(lane);
  lane_leave(lane);
}

// The personality routine of the hooks that announce a call (HOOK_WAIT_ORIGIN): nothing is caught
// here, and no function of the unwinder is needed for that. Itanium C++ ABI, Exception Handling,
// 1.6.
__attribute__((used)) _Unwind_Reason_Code lane_unwound(int version, _Unwind_Action actions,
                                                       _Unwind_Exception_Class class,
                                                       struct _Unwind_Exception *exception,
                                                       struct _Unwind_Context *context);
_Unwind_Reason_Code lane_unwound(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
                                 struct _Unwind_Exception *exception,
                                 struct _Unwind_Context *context) {
  (void)class, (void)exception, (void)context;
  if (version != 1) return _URC_FATAL_PHASE1_ERROR;
  if (actions & _UA_CLEANUP_PHASE) pending_unwound();
  return _URC_CONTINUE_UNWIND;
}
