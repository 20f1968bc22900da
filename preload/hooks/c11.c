// SPDX-License-Identifier: Apache-2.0
// C11 threads. In glibc a mtx_t is a pthread_mutex_t, a cnd_t a pthread_cond_t and a thrd_t a
// pthread_t, but these functions do not go through the exported POSIX ones. call_once is in once.c,
// thrd_sleep in sleep.c; thrd_exit ends a thread as pthread_exit does, and is left alone.
#include "preload/hooks/condition.h"
#include "preload/hooks/lock.h"
#include "preload/hooks/mutex.h"
#include "preload/hooks/thread.h"

// The errno that stands for a result of these functions.
static int thrd_errno(int result) {
  switch (result) {
  case thrd_success:
    return 0;
  case thrd_busy:
    return EBUSY;
  case thrd_nomem:
    return ENOMEM;
  case thrd_timedout:
    return ETIMEDOUT;
  default:
    return EINVAL;
  }
}

// ---- mutexes -------------------------------------------------------------------------------

static uint32_t mtx_bits(const mtx_t *mutex) { return mutex_bits((const pthread_mutex_t *)mutex); }

// The lock word: 2, somebody may wait.
static bool has_waiters(const mtx_t *mutex) {
  return __atomic_load_n(&((const pthread_mutex_t *)mutex)->__data.__lock, __ATOMIC_RELAXED) > 1;
}

LOCK_ACQUIRER(int, mtx_lock, (mtx_t * mutex), (mutex), mutex, mtx_bits(mutex),
              real_mtx_trylock(mutex) == thrd_success, thrd_errno(result))
LOCK_ACQUIRER(int, mtx_timedlock, (mtx_t * mutex, const struct timespec *limit), (mutex, limit),
              mutex, mtx_bits(mutex) | TRACE_LOCK_TIMED, real_mtx_trylock(mutex) == thrd_success,
              thrd_errno(result))
LOCK_TRIER(int, mtx_trylock, (mtx_t * mutex), (mutex), mutex, mtx_bits(mutex), thrd_errno(result))
LOCK_RELEASER(int, mtx_unlock, (mtx_t * mutex), (mutex), mutex, mtx_bits(mutex), has_waiters(mutex),
              thrd_errno(result))
LOCK_INITIALISER(int, mtx_init, (mtx_t * mutex, int type), (mutex, type), mutex, mtx_bits(mutex))

// It has no result: whether it is refused is what pthread_mutex_destroy asks.
HOOK(lock, void, mtx_destroy, (mtx_t * mutex), (mutex)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  lane_t *lane = lane_enter(&origin, TRACE_LOCK_DESTROY);
  if (!lane) return real_mtx_destroy(mutex);
  const uint32_t bits = mtx_bits(mutex);
  const bool used = ((const pthread_mutex_t *)mutex)->__data.__nusers != 0;
  lock_sample_end_epoch((uintptr_t)mutex);
  lane_record1(lane, TRACE_LOCK_DESTROY, lane_stack(lane, &origin), bits, (uintptr_t)mutex);
  real_mtx_destroy(mutex);
  if (used) lock_failed(lane, &origin, bits, (uintptr_t)mutex, EBUSY);
  lane_leave(lane);
}

// ---- conditions ----------------------------------------------------------------------------

static uint32_t cnd_bits(const cnd_t *cond) { return condition_bits((const pthread_cond_t *)cond); }

CONDITION_WAITER(cnd_wait, (cnd_t * cond, mtx_t *mutex), (cond, mutex), 0, thrd_errno(result))
CONDITION_WAITER(cnd_timedwait, (cnd_t * cond, mtx_t *mutex, const struct timespec *limit),
                 (cond, mutex, limit), TRACE_PENDING_TIMED, thrd_errno(result))
CONDITION_SIGNALLER(cnd_signal, cnd_t, false)
CONDITION_SIGNALLER(cnd_broadcast, cnd_t, true)
LOCK_INITIALISER(int, cnd_init, (cnd_t * cond), (cond), cond, cnd_bits(cond))
LOCK_DESTROYER(void, cnd_destroy, (cnd_t * cond), (cond), cond, cnd_bits(cond))

// ---- threads -------------------------------------------------------------------------------

// thread_begin passes on what the routine leaves in the register of its result, of which the real
// function takes an int.
static thrd_start_t as_c11(void *(*routine)(void *)) {
  return (thrd_start_t)(void (*)(void))routine;
}

HOOK(thread, int, thrd_create, (thrd_t * thread, thrd_start_t routine, void *argument),
     (thread, routine, argument)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  thread_start_t *start = thread_start_take((void *(*)(void *))(void (*)(void))routine, argument);
  const int result = start ? real_thrd_create(thread, as_c11(thread_begin), start)
                           : real_thrd_create(thread, routine, argument);
  if (result != thrd_success && start) thread_start_release(start);
  thread_created(&origin, thrd_errno(result), result == thrd_success ? *thread : 0,
                 (uintptr_t)routine);
  return result;
}

THREAD_JOINER(thrd_join, (thrd_t thread, int *status), (thread, status), 0, thrd_errno(result))

HOOK(thread, int, thrd_detach, (thrd_t thread), (thread)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  const int result = real_thrd_detach(thread);
  thread_detached(&origin, thrd_errno(result), thread);
  return result;
}
