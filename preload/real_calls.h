// SPDX-License-Identifier: Apache-2.0
// Rows of the table in real.h: system calls and what is near them.
#ifndef PRELOAD_REAL_CALLS_H
#define PRELOAD_REAL_CALLS_H

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

// Those that the dynamic linker's work may depend on before a real function can be called: system
// calls are made then. Functions with "..." stand here with all arguments that they may be given.
#define REAL_SYSTEM_TABLE(REAL)                                                                    \
  REAL(long, syscall, (long number, long a, long b, long c, long d, long e, long f),               \
       (number, a, b, c, d, e, f), NULL)                                                           \
  REAL(void *, mmap,                                                                               \
       (void *start, size_t size, int access, int flags, int descriptor, off_t offset),            \
       (start, size, access, flags, descriptor, offset), NULL)                                     \
  REAL(void *, mmap64,                                                                             \
       (void *start, size_t size, int access, int flags, int descriptor, off64_t offset),          \
       (start, size, access, flags, descriptor, offset), NULL)                                     \
  REAL(int, munmap, (void *start, size_t size), (start, size), NULL)                               \
  REAL(void *, mremap, (void *start, size_t old_size, size_t size, int flags, void *place),        \
       (start, old_size, size, flags, place), NULL)

#define REAL_TRANSFER_TABLE(REAL)                                                                  \
  REAL(ssize_t, readv, (int descriptor, const struct iovec *parts, int count),                     \
       (descriptor, parts, count), NULL)                                                           \
  REAL(ssize_t, writev, (int descriptor, const struct iovec *parts, int count),                    \
       (descriptor, parts, count), NULL)                                                           \
  REAL(ssize_t, recv, (int descriptor, void *buffer, size_t size, int flags),                      \
       (descriptor, buffer, size, flags), NULL)                                                    \
  REAL(ssize_t, recvfrom,                                                                          \
       (int descriptor, void *buffer, size_t size, int flags, struct sockaddr *address,            \
        socklen_t *length),                                                                        \
       (descriptor, buffer, size, flags, address, length), NULL)                                   \
  REAL(ssize_t, recvmsg, (int descriptor, struct msghdr *message, int flags),                      \
       (descriptor, message, flags), NULL)                                                         \
  REAL(int, recvmmsg,                                                                              \
       (int descriptor, struct mmsghdr *messages, unsigned count, int flags,                       \
        struct timespec *limit),                                                                   \
       (descriptor, messages, count, flags, limit), NULL)                                          \
  REAL(ssize_t, send, (int descriptor, const void *buffer, size_t size, int flags),                \
       (descriptor, buffer, size, flags), NULL)                                                    \
  REAL(ssize_t, sendto,                                                                            \
       (int descriptor, const void *buffer, size_t size, int flags,                                \
        const struct sockaddr *address, socklen_t length),                                         \
       (descriptor, buffer, size, flags, address, length), NULL)                                   \
  REAL(ssize_t, sendmsg, (int descriptor, const struct msghdr *message, int flags),                \
       (descriptor, message, flags), NULL)                                                         \
  REAL(int, sendmmsg, (int descriptor, struct mmsghdr *messages, unsigned count, int flags),       \
       (descriptor, messages, count, flags), NULL)                                                 \
  REAL(ssize_t, sendfile, (int descriptor, int source, off_t *offset, size_t size),                \
       (descriptor, source, offset, size), NULL)                                                   \
  REAL(ssize_t, sendfile64, (int descriptor, int source, off64_t *offset, size_t size),            \
       (descriptor, source, offset, size), NULL)                                                   \
  REAL(ssize_t, splice,                                                                            \
       (int source, off64_t *source_offset, int descriptor, off64_t *offset, size_t size,          \
        unsigned flags),                                                                           \
       (source, source_offset, descriptor, offset, size, flags), NULL)                             \
  REAL(int, eventfd_read, (int descriptor, eventfd_t *value), (descriptor, value), NULL)           \
  REAL(int, eventfd_write, (int descriptor, eventfd_t value), (descriptor, value), NULL)           \
  REAL(ssize_t, __read_chk, (int descriptor, void *buffer, size_t size, size_t room),              \
       (descriptor, buffer, size, room), NULL)                                                     \
  REAL(ssize_t, __recv_chk, (int descriptor, void *buffer, size_t size, size_t room, int flags),   \
       (descriptor, buffer, size, room, flags), NULL)                                              \
  REAL(ssize_t, __recvfrom_chk,                                                                    \
       (int descriptor, void *buffer, size_t size, size_t room, int flags,                         \
        struct sockaddr *address, socklen_t *length),                                              \
       (descriptor, buffer, size, room, flags, address, length), NULL)

#define REAL_POLL_TABLE(REAL)                                                                      \
  REAL(int, poll, (struct pollfd * list, nfds_t count, int timeout), (list, count, timeout), NULL) \
  REAL(int, ppoll,                                                                                 \
       (struct pollfd * list, nfds_t count, const struct timespec *timeout, const sigset_t *mask), \
       (list, count, timeout, mask), NULL)                                                         \
  REAL(int, __poll_chk, (struct pollfd * list, nfds_t count, int timeout, size_t room),            \
       (list, count, timeout, room), NULL)                                                         \
  REAL(int, __ppoll_chk,                                                                           \
       (struct pollfd * list, nfds_t count, const struct timespec *timeout, const sigset_t *mask,  \
        size_t room),                                                                              \
       (list, count, timeout, mask, room), NULL)                                                   \
  REAL(int, select,                                                                                \
       (int count, fd_set *readable, fd_set *writable, fd_set *exceptional,                        \
        struct timeval *timeout),                                                                  \
       (count, readable, writable, exceptional, timeout), NULL)                                    \
  REAL(int, pselect,                                                                               \
       (int count, fd_set *readable, fd_set *writable, fd_set *exceptional,                        \
        const struct timespec *timeout, const sigset_t *mask),                                     \
       (count, readable, writable, exceptional, timeout, mask), NULL)

#define REAL_DESCRIPTOR_TABLE(REAL)                                                                \
  REAL(int, socket, (int family, int type, int protocol), (family, type, protocol), NULL)          \
  REAL(int, socketpair, (int family, int type, int protocol, int ends[2]),                         \
       (family, type, protocol, ends), NULL)                                                       \
  REAL(int, connect, (int descriptor, const struct sockaddr *address, socklen_t length),           \
       (descriptor, address, length), NULL)                                                        \
  REAL(int, listen, (int descriptor, int backlog), (descriptor, backlog), NULL)                    \
  REAL(int, shutdown, (int descriptor, int how), (descriptor, how), NULL)                          \
  REAL(int, pipe, (int ends[2]), (ends), NULL)                                                     \
  REAL(int, pipe2, (int ends[2], int flags), (ends, flags), NULL)                                  \
  REAL(int, eventfd, (unsigned value, int flags), (value, flags), NULL)                            \
  REAL(int, timerfd_create, (clockid_t clock, int flags), (clock, flags), NULL)                    \
  REAL(int, signalfd, (int descriptor, const sigset_t *mask, int flags),                           \
       (descriptor, mask, flags), NULL)                                                            \
  REAL(int, inotify_init, (void), (), NULL)                                                        \
  REAL(int, inotify_init1, (int flags), (flags), NULL)                                             \
  REAL(int, dup, (int descriptor), (descriptor), NULL)                                             \
  REAL(int, dup2, (int descriptor, int copy), (descriptor, copy), NULL)                            \
  REAL(int, dup3, (int descriptor, int copy, int flags), (descriptor, copy, flags), NULL)          \
  REAL(int, fcntl, (int descriptor, int command, long argument), (descriptor, command, argument),  \
       NULL)                                                                                       \
  REAL(int, fcntl64, (int descriptor, int command, long argument),                                 \
       (descriptor, command, argument), NULL)                                                      \
  REAL(int, close_range, (unsigned first, unsigned last, int flags), (first, last, flags), NULL)

#define REAL_WAIT_TABLE(REAL)                                                                      \
  REAL(unsigned, sleep, (unsigned seconds), (seconds), NULL)                                       \
  REAL(int, usleep, (useconds_t microseconds), (microseconds), NULL)                               \
  REAL(int, nanosleep, (const struct timespec *duration, struct timespec *left), (duration, left), \
       NULL)                                                                                       \
  REAL(int, clock_nanosleep,                                                                       \
       (clockid_t clock, int flags, const struct timespec *duration, struct timespec *left),       \
       (clock, flags, duration, left), "GLIBC_2.17")                                               \
  REAL(int, fsync, (int descriptor), (descriptor), NULL)                                           \
  REAL(int, fdatasync, (int descriptor), (descriptor), NULL)                                       \
  REAL(int, getaddrinfo,                                                                           \
       (const char *node, const char *service, const struct addrinfo *hints,                       \
        struct addrinfo **found),                                                                  \
       (node, service, hints, found), NULL)

#define REAL_PROCESS_TABLE(REAL)                                                                   \
  REAL(int, posix_spawn,                                                                           \
       (pid_t * child, const char *path, const posix_spawn_file_actions_t *actions,                \
        const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[]),  \
       (child, path, actions, attributes, arguments, environment), "GLIBC_2.15")                   \
  REAL(int, posix_spawnp,                                                                          \
       (pid_t * child, const char *file, const posix_spawn_file_actions_t *actions,                \
        const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[]),  \
       (child, file, actions, attributes, arguments, environment), "GLIBC_2.15")                   \
  REAL(int, system, (const char *command), (command), NULL)                                        \
  REAL(FILE *, popen, (const char *command, const char *mode), (command, mode), NULL)              \
  REAL(int, execveat,                                                                              \
       (int folder, const char *path, char *const arguments[], char *const environment[],          \
        int flags),                                                                                \
       (folder, path, arguments, environment, flags), NULL)                                        \
  REAL(int, prctl,                                                                                 \
       (int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d),           \
       (option, a, b, c, d), NULL)                                                                 \
  REAL(int, daemon, (int keep_folder, int keep_descriptors), (keep_folder, keep_descriptors), NULL)

#endif
