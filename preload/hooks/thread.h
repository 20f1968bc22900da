// SPDX-License-Identifier: Apache-2.0
// What the hooks of POSIX and of C11 threads share.
#ifndef PRELOAD_HOOKS_THREAD_H
#define PRELOAD_HOOKS_THREAD_H

#include "preload/hooks/hooks.h"

// What a new thread is to run, on its way from its creation to the thread.
typedef struct {
  _Atomic bool taken;
  void *(*routine)(void *);
  void *argument;
} thread_start_t;

// NULL where the pool is used up: the thread then starts without us. What thread_begin has not
// taken, as the thread could not be created, is to be released.
thread_start_t *thread_start_take(void *(*routine)(void *), void *argument);
void thread_start_release(thread_start_t *start);
// The routine that a new thread runs, with a thread_start_t.
void *thread_begin(void *start);

// The records of a creation and of a join; `error` is 0 or an errno. thread_joined leaves the lane.
void thread_created(const stacks_origin_t *origin, int error, pthread_t thread, uintptr_t routine);
void thread_joined(lane_t *lane, const stacks_origin_t *origin, pthread_t thread, int error,
                   const hook_wait_t *wait);
void thread_detached(const stacks_origin_t *origin, int error, pthread_t thread);

// A join that may wait. Not under the guard: it frees the memory of the thread.
#define THREAD_JOINER(name, parameters, arguments, limit_, error)                                  \
  HOOK(thread, int, name, parameters, arguments) {                                                 \
    const stacks_origin_t origin = HOOK_WAIT_ORIGIN();                                             \
    lane_t *lane = lane_enter(&origin, TRACE_THREAD_JOIN);                                         \
    if (!lane) return real_##name arguments;                                                       \
    hook_wait_t wait;                                                                              \
    hook_wait_begin(&wait, lane, &origin, TRACE_PENDING_JOIN, thread, limit_);                     \
    const int result = real_##name arguments;                                                      \
    lane = hook_wait_end(&wait, &origin);                                                          \
    if (lane) thread_joined(lane, &origin, thread, error, &wait);                                  \
    return result;                                                                                 \
  }

#endif
