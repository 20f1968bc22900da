// SPDX-License-Identifier: Apache-2.0
// Threads: where they begin and end, who waits for them, their names.
#include "preload/hooks/thread.h"
#include "preload/lanes.h"

#include <limits.h>
#include <string.h>

// ---- beginning -----------------------------------------------------------------------------

// A pool, as nothing may be allocated that the program could see.
enum { THREAD_STARTS = 1024 };
static thread_start_t thread_starts[THREAD_STARTS];

thread_start_t *thread_start_take(void *(*routine)(void *), void *argument) {
  // In a handler of pthread_atfork the child is not registered yet; a thread of it would be, too.
  recorder_process();
  static _Atomic unsigned next;
  const unsigned first = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed);
  for (unsigned i = 0; i < THREAD_STARTS; i++) {
    thread_start_t *start = &thread_starts[(first + i) % THREAD_STARTS];
    if (atomic_exchange_explicit(&start->taken, true, memory_order_acquire)) continue;
    start->routine = routine;
    start->argument = argument;
    return start;
  }
  return NULL;
}

void thread_start_release(thread_start_t *start) {
  atomic_store_explicit(&start->taken, false, memory_order_release);
}

void *thread_begin(void *from) {
  const thread_start_t start = *(thread_start_t *)from;
  thread_start_release(from);
  if (!lane_current) lanes_claim((uintptr_t)start.routine);
  return start.routine(start.argument);
}

void thread_created(const stacks_origin_t *origin, int error, pthread_t thread, uintptr_t routine) {
  lane_t *lane = lane_enter(origin, TRACE_THREAD_CREATE);
  if (!lane) return;
  lane_record2(lane, TRACE_THREAD_CREATE, lane_stack_take(lane, origin), trace_zigzag(-error),
               thread, routine);
  lane_leave(lane);
}

static bool is_detached(const pthread_attr_t *attributes) {
  int state = PTHREAD_CREATE_JOINABLE;
  return attributes && pthread_attr_getdetachstate(attributes, &state) == 0 &&
         state == PTHREAD_CREATE_DETACHED;
}

// Not under the guard: the memory of the thread is allocated here, and freed by another hook.
HOOK(thread, int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attributes, void *(*routine)(void *),
      void *argument),
     (thread, attributes, routine, argument)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  thread_start_t *start = thread_start_take(routine, argument);
  const int result = start ? real_pthread_create(thread, attributes, thread_begin, start)
                           : real_pthread_create(thread, attributes, routine, argument);
  if (result != 0 && start) thread_start_release(start);
  const pthread_t handle = result == 0 ? *thread : 0;
  thread_created(&origin, result, handle, (uintptr_t)routine);
  if (result == 0 && is_detached(attributes)) thread_detached(&origin, 0, handle);
  return result;
}

// ---- end -----------------------------------------------------------------------------------

static pthread_key_t end_key;
static bool end_key_made;
static __thread bool has_ended __attribute__((tls_model("initial-exec")));

// Runs once in each round of destructors and lets go in the last: what the destructors of other
// keys free is seen until then. `rounds` is how many are left, this one included.
static void thread_ending(void *rounds) {
  const uintptr_t left = (uintptr_t)rounds - 1;
  if (left > 0) {
    pthread_setspecific(end_key, (void *)left);
    return;
  }
  has_ended = true;
  lane_release();
}

void thread_key_create(void) { end_key_made = pthread_key_create(&end_key, thread_ending) == 0; }

bool thread_arm_end(void) {
  if (has_ended) return false;
  if (end_key_made && !pthread_getspecific(end_key))
    pthread_setspecific(end_key, (void *)(uintptr_t)PTHREAD_DESTRUCTOR_ITERATIONS);
  return true;
}

// ---- joining -------------------------------------------------------------------------------

void thread_joined(lane_t *lane, const stacks_origin_t *origin, pthread_t thread, int error,
                   const hook_wait_t *wait) {
  lane_record(lane, TRACE_THREAD_JOIN, lane_stack_take(lane, origin), trace_zigzag(-error),
              wait->now, 2, thread, wait->ticks, 0);
  lane_leave(lane);
}

THREAD_JOINER(pthread_join, (pthread_t thread, void **value), (thread, value), 0, result)
THREAD_JOINER(pthread_tryjoin_np, (pthread_t thread, void **value), (thread, value),
              TRACE_PENDING_TIMED, result)
THREAD_JOINER(pthread_timedjoin_np, (pthread_t thread, void **value, const struct timespec *limit),
              (thread, value, limit), TRACE_PENDING_TIMED, result)
THREAD_JOINER(pthread_clockjoin_np,
              (pthread_t thread, void **value, clockid_t clock, const struct timespec *limit),
              (thread, value, clock, limit), TRACE_PENDING_TIMED, result)

void thread_detached(const stacks_origin_t *origin, int error, pthread_t thread) {
  lane_t *lane = lane_enter(origin, TRACE_THREAD_DETACH);
  if (!lane) return;
  lane_record1(lane, TRACE_THREAD_DETACH, lane_stack_take(lane, origin), trace_zigzag(-error),
               thread);
  lane_leave(lane);
}

HOOK(thread, int, pthread_detach, (pthread_t thread), (thread)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  const int result = real_pthread_detach(thread);
  thread_detached(&origin, result, thread);
  return result;
}

HOOK(thread, int, pthread_setname_np, (pthread_t thread, const char *name), (thread, name)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  const int result = real_pthread_setname_np(thread, name);
  lane_t *lane = result == 0 ? lane_enter(&origin, TRACE_THREAD_NAME) : NULL;
  if (!lane) return result;
  lane_record_text(lane, TRACE_THREAD_NAME, 0, thread, name, strlen(name));
  lane_leave(lane);
  return result;
}
