// SPDX-License-Identifier: Apache-2.0
// Rows of the table in real.h: what waits and what is waited for, beyond mutexes and conditions.
#ifndef PRELOAD_REAL_LOCKS_H
#define PRELOAD_REAL_LOCKS_H

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <threads.h>
#include <time.h>

#define REAL_LOCK_TABLE(REAL)                                                                      \
  REAL(int, pthread_rwlock_init,                                                                   \
       (pthread_rwlock_t * rwlock, const pthread_rwlockattr_t *attributes), (rwlock, attributes),  \
       NULL)                                                                                       \
  REAL(int, pthread_rwlock_destroy, (pthread_rwlock_t * rwlock), (rwlock), NULL)                   \
  REAL(int, pthread_rwlock_rdlock, (pthread_rwlock_t * rwlock), (rwlock), NULL)                    \
  REAL(int, pthread_rwlock_wrlock, (pthread_rwlock_t * rwlock), (rwlock), NULL)                    \
  REAL(int, pthread_rwlock_tryrdlock, (pthread_rwlock_t * rwlock), (rwlock), NULL)                 \
  REAL(int, pthread_rwlock_trywrlock, (pthread_rwlock_t * rwlock), (rwlock), NULL)                 \
  REAL(int, pthread_rwlock_timedrdlock, (pthread_rwlock_t * rwlock, const struct timespec *limit), \
       (rwlock, limit), NULL)                                                                      \
  REAL(int, pthread_rwlock_timedwrlock, (pthread_rwlock_t * rwlock, const struct timespec *limit), \
       (rwlock, limit), NULL)                                                                      \
  REAL(int, pthread_rwlock_clockrdlock,                                                            \
       (pthread_rwlock_t * rwlock, clockid_t clock, const struct timespec *limit),                 \
       (rwlock, clock, limit), NULL)                                                               \
  REAL(int, pthread_rwlock_clockwrlock,                                                            \
       (pthread_rwlock_t * rwlock, clockid_t clock, const struct timespec *limit),                 \
       (rwlock, clock, limit), NULL)                                                               \
  REAL(int, pthread_rwlock_unlock, (pthread_rwlock_t * rwlock), (rwlock), NULL)                    \
  REAL(int, pthread_spin_init, (pthread_spinlock_t * spin, int shared), (spin, shared), NULL)      \
  REAL(int, pthread_spin_destroy, (pthread_spinlock_t * spin), (spin), NULL)                       \
  REAL(int, pthread_spin_lock, (pthread_spinlock_t * spin), (spin), NULL)                          \
  REAL(int, pthread_spin_trylock, (pthread_spinlock_t * spin), (spin), NULL)                       \
  REAL(int, pthread_spin_unlock, (pthread_spinlock_t * spin), (spin), NULL)                        \
  REAL(int, pthread_barrier_init,                                                                  \
       (pthread_barrier_t * barrier, const pthread_barrierattr_t *attributes, unsigned parties),   \
       (barrier, attributes, parties), NULL)                                                       \
  REAL(int, pthread_barrier_destroy, (pthread_barrier_t * barrier), (barrier), NULL)               \
  REAL(int, pthread_barrier_wait, (pthread_barrier_t * barrier), (barrier), NULL)                  \
  REAL(int, sem_init, (sem_t * semaphore, int shared, unsigned value), (semaphore, shared, value), \
       NULL)                                                                                       \
  REAL(int, sem_destroy, (sem_t * semaphore), (semaphore), NULL)                                   \
  REAL(sem_t *, sem_open, (const char *name, int flags, mode_t mode, unsigned value),              \
       (name, flags, mode, value), NULL)                                                           \
  REAL(int, sem_close, (sem_t * semaphore), (semaphore), NULL)                                     \
  REAL(int, sem_wait, (sem_t * semaphore), (semaphore), NULL)                                      \
  REAL(int, sem_trywait, (sem_t * semaphore), (semaphore), NULL)                                   \
  REAL(int, sem_timedwait, (sem_t * semaphore, const struct timespec *limit), (semaphore, limit),  \
       NULL)                                                                                       \
  REAL(int, sem_clockwait, (sem_t * semaphore, clockid_t clock, const struct timespec *limit),     \
       (semaphore, clock, limit), NULL)                                                            \
  REAL(int, sem_post, (sem_t * semaphore), (semaphore), NULL)                                      \
  REAL(int, pthread_once, (pthread_once_t * once, void (*routine)(void)), (once, routine), NULL)   \
  REAL(int, ftrylockfile, (FILE * file), (file), NULL)                                             \
  REAL(int, pthread_cancel, (pthread_t thread), (thread), NULL)                                    \
  REAL(int, pthread_setaffinity_np, (pthread_t thread, size_t size, const cpu_set_t *processors),  \
       (thread, size, processors), "GLIBC_2.34")                                                   \
  REAL(int, sched_setaffinity, (pid_t thread, size_t size, const cpu_set_t *processors),           \
       (thread, size, processors), "GLIBC_2.3.4")

#define REAL_C11_TABLE(REAL)                                                                       \
  REAL(int, thrd_create, (thrd_t * thread, thrd_start_t routine, void *argument),                  \
       (thread, routine, argument), NULL)                                                          \
  REAL(int, thrd_join, (thrd_t thread, int *status), (thread, status), NULL)                       \
  REAL(int, thrd_detach, (thrd_t thread), (thread), NULL)                                          \
  REAL(int, thrd_sleep, (const struct timespec *duration, struct timespec *left),                  \
       (duration, left), NULL)                                                                     \
  REAL(int, mtx_init, (mtx_t * mutex, int type), (mutex, type), NULL)                              \
  REAL(int, mtx_lock, (mtx_t * mutex), (mutex), NULL)                                              \
  REAL(int, mtx_trylock, (mtx_t * mutex), (mutex), NULL)                                           \
  REAL(int, mtx_timedlock, (mtx_t * mutex, const struct timespec *limit), (mutex, limit), NULL)    \
  REAL(int, mtx_unlock, (mtx_t * mutex), (mutex), NULL)                                            \
  REAL(int, cnd_init, (cnd_t * cond), (cond), NULL)                                                \
  REAL(int, cnd_wait, (cnd_t * cond, mtx_t * mutex), (cond, mutex), NULL)                          \
  REAL(int, cnd_timedwait, (cnd_t * cond, mtx_t * mutex, const struct timespec *limit),            \
       (cond, mutex, limit), NULL)                                                                 \
  REAL(int, cnd_signal, (cnd_t * cond), (cond), NULL)                                              \
  REAL(int, cnd_broadcast, (cnd_t * cond), (cond), NULL)

#define REAL_VOID_LOCK_TABLE(REAL)                                                                 \
  REAL(mtx_destroy, (mtx_t * mutex), (mutex))                                                      \
  REAL(cnd_destroy, (cnd_t * cond), (cond))                                                        \
  REAL(call_once, (once_flag * once, void (*routine)(void)), (once, routine))                      \
  REAL(flockfile, (FILE * file), (file))                                                           \
  REAL(funlockfile, (FILE * file), (file))                                                         \
  REAL(closefrom, (int first), (first))                                                            \
  REAL(quick_exit, (int status), (status))                                                         \
  REAL(abort, (void), ())

#endif
