// SPDX-License-Identifier: Apache-2.0
// System calls as the recorder makes them: straight to the kernel, result or -errno, errno of the
// program untouched, and never through a function that this library or another one interposes.
#ifndef PRELOAD_SYSTEM_H
#define PRELOAD_SYSTEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#if !defined(__x86_64__)
#error "the recorder knows the system call convention of x86-64 only"
#endif

static inline long system_call6(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

#define SYSTEM_CALL_(n, a, b, c, d, e, f, ...)                                                     \
  system_call6((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
// system_call(SYS_name, up to six arguments): the kernel's result, -errno on failure.
#define system_call(...) SYSTEM_CALL_(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

static inline int system_failed(long result) { return result < 0 && result > -4096; }

#endif
