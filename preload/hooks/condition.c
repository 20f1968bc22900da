// SPDX-License-Identifier: Apache-2.0
// Condition variables. A wait gives the mutex up and takes it again inside libc, where no hook sees
// it; both are noted here, around the wait.
//
// These are glibc's GLIBC_2.3.2 functions; exports.map says what happens to the older ones.
#include "preload/hooks/condition.h"
#include "preload/hooks/mutex.h"
#include "preload/lock_sample.h"

#include <errno.h>

uint32_t condition_bits(const pthread_cond_t *cond) {
  // Bit 0 of __wrefs: process-shared.
  const unsigned waiters = __atomic_load_n(&cond->__data.__wrefs, __ATOMIC_RELAXED);
  return TRACE_LOCK_CONDITION | (waiters & 1 ? TRACE_LOCK_PROCESS_SHARED : 0);
}

// ---- waiting -------------------------------------------------------------------------------

static void wait_end(condition_wait_t *waiting, int result, bool has_mutex) {
  hook_wait_t *wait = &waiting->wait;
  const uintptr_t cond = (uintptr_t)waiting->cond, mutex = (uintptr_t)waiting->mutex;
  lane_t *lane = hook_wait_end(wait, waiting->origin);
  if (!lane) return;
  const uint32_t stack = lane_stack_lock(lane, waiting->origin, mutex);
  const uint32_t bits = mutex_bits(waiting->mutex) | TRACE_LOCK_BY_CONDITION |
                        (result == EOWNERDEAD ? TRACE_LOCK_OWNER_DIED : 0);
  lane_record(lane, TRACE_COND_WAIT, stack, trace_zigzag(-result), wait->now, 3, cond, mutex,
              wait->ticks);
  if (has_mutex) {
    lane_record(lane, TRACE_LOCK_ACQUIRE, stack, bits, wait->now, 1, mutex, 0, 0);
    lock_sample_note(lane, waiting->origin, bits, mutex, stack);
  } else
    lane_record(lane, TRACE_LOCK_FAIL, stack, bits, wait->now, 3, mutex, 0, trace_zigzag(-result));
  lane_leave(lane);
}

// The thread leaves its wait without returning. Cancelled, it has the mutex again, and the
// program's clean-up handlers, which run next, are going to release it; after a longjmp from a
// signal handler nobody has taken it.
static void wait_left(void *waiting_) {
  condition_wait_t *waiting = waiting_;
  const lane_t *lane = lane_current;
  const uint32_t owner =
      (uint32_t)__atomic_load_n(&waiting->mutex->__data.__owner, __ATOMIC_RELAXED);
  wait_end(waiting, ECANCELED, lane && owner == lane->tid);
}

// The handlers of pthread.h before C had exceptions: a list that glibc's cancellation, pthread_exit
// and longjmp all know. The macro that took their place needs an unwinder of our own, or a setjmp.
void _pthread_cleanup_push(struct _pthread_cleanup_buffer *buffer, void (*routine)(void *),
                           void *argument);
void _pthread_cleanup_pop(struct _pthread_cleanup_buffer *buffer, int execute);

void condition_wait_begin(condition_wait_t *waiting, lane_t *lane) {
  const uintptr_t cond = (uintptr_t)waiting->cond, mutex = (uintptr_t)waiting->mutex;
  const uint32_t bits = mutex_bits(waiting->mutex) | TRACE_LOCK_BY_CONDITION;
  lock_sample_note_condition(mutex);
  lock_sample_flush(lane);
  lane_record1(lane, TRACE_LOCK_RELEASE, 0, bits, mutex);
  lock_sample_drop(lane, mutex);
  hook_wait_begin(&waiting->wait, lane, waiting->origin, TRACE_PENDING_CONDITION, cond,
                  mutex | waiting->limit);
  _pthread_cleanup_push(&waiting->cleanup, wait_left, waiting);
}

// The mutex is the thread's again whatever the result (an error that refused the wait never gave
// it up), but for one that has become unusable.
void condition_wait_end(condition_wait_t *waiting, int error) {
  _pthread_cleanup_pop(&waiting->cleanup, 0);
  wait_end(waiting, error, error != ENOTRECOVERABLE);
}

CONDITION_WAITER(pthread_cond_wait, (pthread_cond_t * cond, pthread_mutex_t *mutex), (cond, mutex),
                 0, result)
CONDITION_WAITER(pthread_cond_timedwait,
                 (pthread_cond_t * cond, pthread_mutex_t *mutex, const struct timespec *limit),
                 (cond, mutex, limit), TRACE_PENDING_TIMED, result)
CONDITION_WAITER(pthread_cond_clockwait,
                 (pthread_cond_t * cond, pthread_mutex_t *mutex, clockid_t clock,
                  const struct timespec *limit),
                 (cond, mutex, clock, limit), TRACE_PENDING_TIMED, result)

// ---- signalling ----------------------------------------------------------------------------

void condition_signalled(lane_t *lane, const stacks_origin_t *origin, const pthread_cond_t *cond,
                         bool broadcast) {
  lane_record1(lane, TRACE_COND_SIGNAL, lane_stack_lock(lane, origin, (uintptr_t)cond), broadcast,
               (uintptr_t)cond);
  lane_leave(lane);
}

CONDITION_SIGNALLER(pthread_cond_signal, pthread_cond_t, false)
CONDITION_SIGNALLER(pthread_cond_broadcast, pthread_cond_t, true)

// ---- life ----------------------------------------------------------------------------------

HOOK(lock, int, pthread_cond_init, (pthread_cond_t * cond, const pthread_condattr_t *attributes),
     (cond, attributes)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  const int result = real_pthread_cond_init(cond, attributes);
  lane_t *lane = result == 0 ? lane_enter(&origin, TRACE_LOCK_INIT) : NULL;
  if (!lane) return result;
  lane_record1(lane, TRACE_LOCK_INIT, lane_stack_lock(lane, &origin, 0), condition_bits(cond),
               (uintptr_t)cond);
  lane_leave(lane);
  return result;
}

// Not under the guard: it may wait for threads that are on their way out of a wait.
HOOK(lock, int, pthread_cond_destroy, (pthread_cond_t * cond), (cond)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  lane_t *lane = lane_enter(&origin, TRACE_LOCK_DESTROY);
  if (!lane) return real_pthread_cond_destroy(cond);
  lane_record1(lane, TRACE_LOCK_DESTROY, lane_stack(lane, &origin), condition_bits(cond),
               (uintptr_t)cond);
  lane_leave(lane);
  return real_pthread_cond_destroy(cond);
}
