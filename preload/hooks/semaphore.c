// SPDX-License-Identifier: Apache-2.0
// Semaphores. A wait is an acquisition, a post a release, which any thread and a signal handler may
// make. sem_unlink takes a name away and touches no semaphore: it is left alone.
#include "preload/hooks/lock.h"

#include <fcntl.h>
#include <stdarg.h>

// What glibc keeps in the object (struct new_sem of semaphoreP.h): value and waiters in 64 bits,
// then the flag for its futex.
enum { SEMAPHORE_SHARED = 128 };
typedef struct {
  uint32_t value, waiters;
  int shared;
} semaphore_t;

static uint32_t semaphore_bits(const sem_t *semaphore) {
  const semaphore_t *inside = (const semaphore_t *)semaphore;
  const int shared = __atomic_load_n(&inside->shared, __ATOMIC_RELAXED);
  return TRACE_LOCK_SEMAPHORE | (shared & SEMAPHORE_SHARED ? TRACE_LOCK_PROCESS_SHARED : 0);
}

static bool has_waiters(const sem_t *semaphore) {
  const semaphore_t *inside = (const semaphore_t *)semaphore;
  return __atomic_load_n(&inside->waiters, __ATOMIC_RELAXED) > 0;
}

// ---- waiting -------------------------------------------------------------------------------

// Leaves errno alone where it does not get one.
static bool wait_at_once(sem_t *semaphore) {
  const int error = errno;
  if (real_sem_trywait(semaphore) == 0) return true;
  errno = error;
  return false;
}

// The timed waits refuse a bad limit even where they need not wait.
static bool is_limit(clockid_t clock, const struct timespec *limit) {
  return (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC) && limit->tv_nsec >= 0 &&
         limit->tv_nsec < 1000000000;
}

// `cancelled`: whether a cancellation is acted on even where there is no need to wait; before the
// lane is entered, as it may not return. sem_clockwait does so only when it waits.
#define WAITER(name, parameters, arguments, how, checked, cancelled)                               \
  HOOK(lock, int, name, parameters, arguments) {                                                   \
    const stacks_origin_t origin = HOOK_WAIT_ORIGIN();                                             \
    if (cancelled) pthread_testcancel();                                                           \
    lane_t *lane = lane_enter(&origin, TRACE_LOCK_ACQUIRE);                                        \
    if (!lane) return real_##name arguments;                                                       \
    const uint32_t bits = semaphore_bits(semaphore) | (how);                                       \
    if ((checked) && wait_at_once(semaphore)) {                                                    \
      lock_acquired(lane, &origin, bits, (uintptr_t)semaphore);                                    \
      return 0;                                                                                    \
    }                                                                                              \
    lock_request_t request;                                                                        \
    request.object = (uintptr_t)semaphore;                                                         \
    request.bits = bits;                                                                           \
    lock_request_begin(&request, lane, &origin);                                                   \
    const int result = real_##name arguments;                                                      \
    lock_request_end(&request, &origin, result < 0 ? errno : 0);                                   \
    return result;                                                                                 \
  }

WAITER(sem_wait, (sem_t * semaphore), (semaphore), 0, true, true)
WAITER(sem_timedwait, (sem_t * semaphore, const struct timespec *limit), (semaphore, limit),
       TRACE_LOCK_TIMED, is_limit(CLOCK_REALTIME, limit), is_limit(CLOCK_REALTIME, limit))
WAITER(sem_clockwait, (sem_t * semaphore, clockid_t clock, const struct timespec *limit),
       (semaphore, clock, limit), TRACE_LOCK_TIMED, is_limit(clock, limit), false)

LOCK_TRIER(int, sem_trywait, (sem_t * semaphore), (semaphore), semaphore, semaphore_bits(semaphore),
           result < 0 ? errno : 0)
LOCK_RELEASER(int, sem_post, (sem_t * semaphore), (semaphore), semaphore, semaphore_bits(semaphore),
              has_waiters(semaphore), result < 0 ? errno : 0)

// ---- life ----------------------------------------------------------------------------------

static void semaphore_begins(const stacks_origin_t *origin, const sem_t *semaphore,
                             uint32_t value) {
  lane_t *lane = lane_enter(origin, TRACE_SEMAPHORE_INIT);
  if (!lane) return;
  lock_sample_end_epoch((uintptr_t)semaphore);
  if (semaphore_bits(semaphore) & TRACE_LOCK_PROCESS_SHARED)
    lane_note_shared_anew(lane, (uintptr_t)semaphore);
  lane_record2(lane, TRACE_SEMAPHORE_INIT, lane_stack_lock(lane, origin, 0), value,
               (uintptr_t)semaphore, semaphore_bits(semaphore));
  lane_leave(lane);
}

HOOK(lock, int, sem_init, (sem_t * semaphore, int shared, unsigned value),
     (semaphore, shared, value)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  const int result = real_sem_init(semaphore, shared, value);
  if (result == 0) semaphore_begins(&origin, semaphore, value);
  return result;
}

// A named semaphore that is open already gives the same address again.
HOOK_UNPROTOTYPED(lock, sem_t *, sem_open,
                  (const char *name, int flags, mode_t mode, unsigned value),
                  (name, flags, mode, value)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  sem_t *semaphore = real_sem_open(name, flags, mode, value);
  if (semaphore != SEM_FAILED)
    semaphore_begins(&origin, semaphore,
                     __atomic_load_n(&((const semaphore_t *)semaphore)->value, __ATOMIC_RELAXED));
  return semaphore;
}

LOCK_DESTROYER(int, sem_destroy, (sem_t * semaphore), (semaphore), semaphore,
               semaphore_bits(semaphore))
LOCK_DESTROYER(int, sem_close, (sem_t * semaphore), (semaphore), semaphore,
               semaphore_bits(semaphore))
