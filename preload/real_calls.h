// SPDX-License-Identifier: Apache-2.0
// Rows of the table in real.h: system calls and what is near them.
#ifndef PRELOAD_REAL_CALLS_H
#define PRELOAD_REAL_CALLS_H

#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

// Those that the dynamic linker's work may depend on before a real function can be called: system
// calls are made then. Functions with "..." stand here with all arguments that they may be given.
#define REAL_SYSTEM_TABLE(REAL)                                                                    \
  REAL(long, syscall, (long number, long a, long b, long c, long d, long e, long f),               \
       (number, a, b, c, d, e, f), NULL)

#endif
