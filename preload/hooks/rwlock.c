// SPDX-License-Identifier: Apache-2.0
// Read-write locks. Whether a request has to wait is asked with the real try function, which
// decides as the real lock does: by the lock's kind, a reader waits for waiting writers or does
// not.
#include "preload/hooks/lock.h"

// What glibc keeps in the object (struct_rwlock.h, pthread_rwlock_common.c).
enum { RWLOCK_READERS_WAIT = 4 };

static uint32_t rwlock_bits(const pthread_rwlock_t *rwlock) {
  const unsigned kind = __atomic_load_n(&rwlock->__data.__flags, __ATOMIC_RELAXED);
  const int shared = __atomic_load_n(&rwlock->__data.__shared, __ATOMIC_RELAXED);
  return TRACE_LOCK_RWLOCK |
         (kind == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP ? TRACE_LOCK_WRITER_PREFERRED : 0) |
         (shared ? TRACE_LOCK_PROCESS_SHARED : 0);
}

// As the real unlock, which is told nothing: a lock that has this thread as its writer is released
// by the writer, any other one by a reader.
static uint32_t release_bits(const lane_t *lane, const pthread_rwlock_t *rwlock) {
  const uint32_t writer = (uint32_t)__atomic_load_n(&rwlock->__data.__cur_writer, __ATOMIC_RELAXED);
  return rwlock_bits(rwlock) | (writer == lane->tid ? 0 : TRACE_LOCK_SHARED);
}

static bool has_waiters(const pthread_rwlock_t *rwlock) {
  return __atomic_load_n(&rwlock->__data.__readers, __ATOMIC_RELAXED) & RWLOCK_READERS_WAIT ||
         __atomic_load_n(&rwlock->__data.__writers, __ATOMIC_RELAXED) > 0;
}

// The timed functions refuse a bad limit even where they need not wait.
static bool is_limit(clockid_t clock, const struct timespec *limit) {
  return (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC) && limit && limit->tv_nsec >= 0 &&
         limit->tv_nsec < 1000000000;
}

#define RWLOCK_ACQUIRER(name, parameters, arguments, how, checked, tries)                          \
  LOCK_ACQUIRER(int, name, parameters, arguments, rwlock, rwlock_bits(rwlock) | (how),             \
                (checked) && real_##tries(rwlock) == 0, result)

RWLOCK_ACQUIRER(pthread_rwlock_rdlock, (pthread_rwlock_t * rwlock), (rwlock), TRACE_LOCK_SHARED,
                true, pthread_rwlock_tryrdlock)
RWLOCK_ACQUIRER(pthread_rwlock_wrlock, (pthread_rwlock_t * rwlock), (rwlock), 0, true,
                pthread_rwlock_trywrlock)
RWLOCK_ACQUIRER(pthread_rwlock_timedrdlock,
                (pthread_rwlock_t * rwlock, const struct timespec *limit), (rwlock, limit),
                TRACE_LOCK_SHARED | TRACE_LOCK_TIMED, is_limit(CLOCK_REALTIME, limit),
                pthread_rwlock_tryrdlock)
RWLOCK_ACQUIRER(pthread_rwlock_timedwrlock,
                (pthread_rwlock_t * rwlock, const struct timespec *limit), (rwlock, limit),
                TRACE_LOCK_TIMED, is_limit(CLOCK_REALTIME, limit), pthread_rwlock_trywrlock)
RWLOCK_ACQUIRER(pthread_rwlock_clockrdlock,
                (pthread_rwlock_t * rwlock, clockid_t clock, const struct timespec *limit),
                (rwlock, clock, limit), TRACE_LOCK_SHARED | TRACE_LOCK_TIMED,
                is_limit(clock, limit), pthread_rwlock_tryrdlock)
RWLOCK_ACQUIRER(pthread_rwlock_clockwrlock,
                (pthread_rwlock_t * rwlock, clockid_t clock, const struct timespec *limit),
                (rwlock, clock, limit), TRACE_LOCK_TIMED, is_limit(clock, limit),
                pthread_rwlock_trywrlock)

LOCK_TRIER(int, pthread_rwlock_tryrdlock, (pthread_rwlock_t * rwlock), (rwlock), rwlock,
           rwlock_bits(rwlock) | TRACE_LOCK_SHARED, result)
LOCK_TRIER(int, pthread_rwlock_trywrlock, (pthread_rwlock_t * rwlock), (rwlock), rwlock,
           rwlock_bits(rwlock), result)
LOCK_RELEASER(int, pthread_rwlock_unlock, (pthread_rwlock_t * rwlock), (rwlock), rwlock,
              release_bits(lane, rwlock), has_waiters(rwlock), result)
LOCK_INITIALISER(int, pthread_rwlock_init,
                 (pthread_rwlock_t * rwlock, const pthread_rwlockattr_t *attributes),
                 (rwlock, attributes), rwlock, rwlock_bits(rwlock))
LOCK_DESTROYER(int, pthread_rwlock_destroy, (pthread_rwlock_t * rwlock), (rwlock), rwlock,
               rwlock_bits(rwlock))

HOOK_ALIAS(__pthread_rwlock_init, pthread_rwlock_init)
HOOK_ALIAS(__pthread_rwlock_destroy, pthread_rwlock_destroy)
HOOK_ALIAS(__pthread_rwlock_rdlock, pthread_rwlock_rdlock)
HOOK_ALIAS(__pthread_rwlock_wrlock, pthread_rwlock_wrlock)
HOOK_ALIAS(__pthread_rwlock_tryrdlock, pthread_rwlock_tryrdlock)
HOOK_ALIAS(__pthread_rwlock_trywrlock, pthread_rwlock_trywrlock)
HOOK_ALIAS(__pthread_rwlock_unlock, pthread_rwlock_unlock)
