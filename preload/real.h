// SPDX-License-Identifier: Apache-2.0
// The functions that this library stands in front of, as the program would have reached them
// without it: the next definition after ours (RTLD_NEXT), so that another allocator stays in place.
//
// real_NAME is a pointer to it: NULL until real_resolve has run, which the constructor has done
// before any family of hooks is switched on. A hook that may be called earlier, by the constructor
// of another library, or while the dynamic linker still relocates us (another library's ifunc
// resolver), calls REAL_OR_FIRST(NAME). The tables are the list of what is interposed, together
// with execl, execlp and execle (hooks/process.c), which go through the hooks without the l.
#ifndef PRELOAD_REAL_H
#define PRELOAD_REAL_H

#include "preload/real_calls.h"
#include "preload/real_locks.h"

#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

// REAL(result, name, (parameters), (arguments), "symbol version" or NULL for the default one)
// The version is given where dlsym may find an older, incompatible one (condition variables:
// glibc bug 14932).
#define REAL_HEAP_TABLE(REAL)                                                                      \
  REAL(void *, malloc, (size_t size), (size), NULL)                                                \
  REAL(void *, calloc, (size_t count, size_t size), (count, size), NULL)                           \
  REAL(void *, realloc, (void *block, size_t size), (block, size), NULL)                           \
  REAL(void *, reallocarray, (void *block, size_t count, size_t size), (block, count, size), NULL) \
  REAL(int, posix_memalign, (void **block, size_t alignment, size_t size),                         \
       (block, alignment, size), NULL)                                                             \
  REAL(void *, memalign, (size_t alignment, size_t size), (alignment, size), NULL)                 \
  REAL(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size), NULL)            \
  REAL(void *, valloc, (size_t size), (size), NULL)                                                \
  REAL(void *, pvalloc, (size_t size), (size), NULL)

#define REAL_CORE_TABLE(REAL)                                                                      \
  REAL(int, pthread_create,                                                                        \
       (pthread_t * thread, const pthread_attr_t *attributes, void *(*routine)(void *),            \
        void *argument),                                                                           \
       (thread, attributes, routine, argument), NULL)                                              \
  REAL(int, pthread_join, (pthread_t thread, void **value), (thread, value), NULL)                 \
  REAL(int, pthread_tryjoin_np, (pthread_t thread, void **value), (thread, value), NULL)           \
  REAL(int, pthread_timedjoin_np, (pthread_t thread, void **result, const struct timespec *limit), \
       (thread, result, limit), NULL)                                                              \
  REAL(int, pthread_clockjoin_np,                                                                  \
       (pthread_t thread, void **result, clockid_t clock, const struct timespec *limit),           \
       (thread, result, clock, limit), NULL)                                                       \
  REAL(int, pthread_detach, (pthread_t thread), (thread), NULL)                                    \
  REAL(int, pthread_setname_np, (pthread_t thread, const char *name), (thread, name), NULL)        \
  REAL(int, pthread_mutex_init, (pthread_mutex_t * mutex, const pthread_mutexattr_t *attributes),  \
       (mutex, attributes), NULL)                                                                  \
  REAL(int, pthread_mutex_destroy, (pthread_mutex_t * mutex), (mutex), NULL)                       \
  REAL(int, pthread_mutex_lock, (pthread_mutex_t * mutex), (mutex), NULL)                          \
  REAL(int, pthread_mutex_trylock, (pthread_mutex_t * mutex), (mutex), NULL)                       \
  REAL(int, pthread_mutex_timedlock, (pthread_mutex_t * mutex, const struct timespec *limit),      \
       (mutex, limit), NULL)                                                                       \
  REAL(int, pthread_mutex_clocklock,                                                               \
       (pthread_mutex_t * mutex, clockid_t clock, const struct timespec *limit),                   \
       (mutex, clock, limit), NULL)                                                                \
  REAL(int, pthread_mutex_unlock, (pthread_mutex_t * mutex), (mutex), NULL)                        \
  REAL(int, pthread_mutex_consistent, (pthread_mutex_t * mutex), (mutex), NULL)                    \
  REAL(int, pthread_cond_init, (pthread_cond_t * cond, const pthread_condattr_t *attributes),      \
       (cond, attributes), "GLIBC_2.3.2")                                                          \
  REAL(int, pthread_cond_destroy, (pthread_cond_t * cond), (cond), "GLIBC_2.3.2")                  \
  REAL(int, pthread_cond_wait, (pthread_cond_t * cond, pthread_mutex_t * mutex), (cond, mutex),    \
       "GLIBC_2.3.2")                                                                              \
  REAL(int, pthread_cond_timedwait,                                                                \
       (pthread_cond_t * cond, pthread_mutex_t * mutex, const struct timespec *limit),             \
       (cond, mutex, limit), "GLIBC_2.3.2")                                                        \
  REAL(int, pthread_cond_clockwait,                                                                \
       (pthread_cond_t * cond, pthread_mutex_t * mutex, clockid_t clock,                           \
        const struct timespec *limit),                                                             \
       (cond, mutex, clock, limit), NULL)                                                          \
  REAL(int, pthread_cond_signal, (pthread_cond_t * cond), (cond), "GLIBC_2.3.2")                   \
  REAL(int, pthread_cond_broadcast, (pthread_cond_t * cond), (cond), "GLIBC_2.3.2")                \
  REAL(int, epoll_create, (int size), (size), NULL)                                                \
  REAL(int, epoll_create1, (int flags), (flags), NULL)                                             \
  REAL(int, epoll_ctl, (int epoll, int operation, int descriptor, struct epoll_event *event),      \
       (epoll, operation, descriptor, event), NULL)                                                \
  REAL(int, epoll_wait, (int epoll, struct epoll_event *events, int limit, int timeout),           \
       (epoll, events, limit, timeout), NULL)                                                      \
  REAL(int, epoll_pwait,                                                                           \
       (int epoll, struct epoll_event *events, int limit, int timeout, const sigset_t *mask),      \
       (epoll, events, limit, timeout, mask), NULL)                                                \
  REAL(int, epoll_pwait2,                                                                          \
       (int epoll, struct epoll_event *events, int limit, const struct timespec *timeout,          \
        const sigset_t *mask),                                                                     \
       (epoll, events, limit, timeout, mask), NULL)                                                \
  REAL(ssize_t, read, (int descriptor, void *buffer, size_t size), (descriptor, buffer, size),     \
       NULL)                                                                                       \
  REAL(ssize_t, write, (int descriptor, const void *buffer, size_t size),                          \
       (descriptor, buffer, size), NULL)                                                           \
  REAL(int, accept, (int listener, struct sockaddr *address, socklen_t *length),                   \
       (listener, address, length), NULL)                                                          \
  REAL(int, accept4, (int listener, struct sockaddr *address, socklen_t *length, int flags),       \
       (listener, address, length, flags), NULL)                                                   \
  REAL(int, close, (int descriptor), (descriptor), NULL)                                           \
  REAL(pid_t, fork, (void), (), NULL)                                                              \
  REAL(pid_t, _Fork, (void), (), NULL)                                                             \
  REAL(int, execve, (const char *path, char *const arguments[], char *const environment[]),        \
       (path, arguments, environment), NULL)                                                       \
  REAL(int, execv, (const char *path, char *const arguments[]), (path, arguments), NULL)           \
  REAL(int, execvp, (const char *file, char *const arguments[]), (file, arguments), NULL)          \
  REAL(int, execvpe, (const char *file, char *const arguments[], char *const environment[]),       \
       (file, arguments, environment), NULL)                                                       \
  REAL(int, fexecve, (int descriptor, char *const arguments[], char *const environment[]),         \
       (descriptor, arguments, environment), NULL)                                                 \
  REAL(int, dlclose, (void *handle), (handle), NULL)

#define REAL_TABLE(REAL)                                                                           \
  REAL_CORE_TABLE(REAL)                                                                            \
  REAL_LOCK_TABLE(REAL)                                                                            \
  REAL_C11_TABLE(REAL)                                                                             \
  REAL_TRANSFER_TABLE(REAL)                                                                        \
  REAL_POLL_TABLE(REAL)                                                                            \
  REAL_DESCRIPTOR_TABLE(REAL)                                                                      \
  REAL_WAIT_TABLE(REAL)                                                                            \
  REAL_PROCESS_TABLE(REAL)

// Those without a result. free first: what newer C libraries have and this one may lack forwards
// to it.
#define REAL_VOID_TABLE(REAL)                                                                      \
  REAL(free, (void *block), (block))                                                               \
  REAL(cfree, (void *block), (block))                                                              \
  REAL(free_sized, (void *block, size_t size), (block, size))                                      \
  REAL(free_aligned_sized, (void *block, size_t alignment, size_t size), (block, alignment, size)) \
  REAL(_exit, (int status), (status))                                                              \
  REAL(_Exit, (int status), (status))                                                              \
  REAL_VOID_LOCK_TABLE(REAL)

#pragma GCC visibility push(hidden)
#define REAL(result, name, parameters, arguments, version)                                         \
  extern result(*real_##name) parameters;                                                          \
  result first_##name parameters;
REAL_HEAP_TABLE(REAL)
REAL_SYSTEM_TABLE(REAL)
REAL_TABLE(REAL)
#undef REAL
#define REAL(name, parameters, arguments)                                                          \
  extern void(*real_##name) parameters;                                                            \
  void first_##name parameters;
REAL_VOID_TABLE(REAL)
#undef REAL
#pragma GCC visibility pop

// first_NAME resolves, then calls on. The heap's work on the arena of bootstrap.h where that cannot
// be: during the look-up, and before this library is relocated. The others then do nothing, and
// say 0 or fail.
#define REAL_OR_FIRST(name) (__builtin_expect(real_##name != NULL, 1) ? real_##name : first_##name)

// Resolves all of them at once. Called by the constructor, and by whichever function is called
// before it. Idempotent, without a lock; two threads may be in it. Not signal-safe (the dynamic
// linker's lock), so the constructor does it.
// A function that the C library lacks fails with ENOSYS, or forwards to free.
void real_resolve(void);

#endif
