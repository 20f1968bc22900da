// SPDX-License-Identifier: Apache-2.0
// System calls as the recorder makes them: straight to the kernel, result or -errno, errno of the
// program untouched, and never through a function that this library or another one interposes.
#ifndef PRELOAD_SYSTEM_H
#define PRELOAD_SYSTEM_H

#include <errno.h>
#include <stdbool.h>
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

// Whether the program has confined itself (confinement.h). Calls that are forbidden since are not
// made, as the answer may be the end of the program: they fail with EPERM.
#pragma GCC visibility push(hidden)
extern bool system_confined;
bool system_forbids(long number);
// From now on only calls may be made that are granted here, each time, and never refused. A number
// may stand in several verdicts, for other arguments. Signal-safe.
typedef struct {
  uint16_t number;  // below 512
  bool granted;
} system_verdict_t;
void system_confine(const system_verdict_t *verdicts, size_t count);
#pragma GCC visibility pop

#define SYSTEM_CALL_(n, a, b, c, d, e, f, ...)                                                     \
  (__builtin_expect(system_confined, 0) && system_forbids(n)                                       \
       ? -EPERM                                                                                    \
       : system_call6((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f)))
// system_call(SYS_name, up to six arguments): the kernel's result, -errno on failure.
#define system_call(...) SYSTEM_CALL_(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

// Memory of its own for the caller, zeroed, of which only what is touched takes space; NULL where
// there is none.
void *system_map(size_t size);

static inline int system_failed(long result) { return result < 0 && result > -4096; }

#endif
