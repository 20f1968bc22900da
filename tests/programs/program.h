// SPDX-License-Identifier: Apache-2.0
// What the test programs share: clocks, waiting, and giving up loudly.
#ifndef PROGRAMS_PROGRAM_H
#define PROGRAMS_PROGRAM_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef __clang__
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noinline, noclone))
#endif

// Ends the program with status 99 where what a test relies on is not so. A test never expects 99.
#define REQUIRE(condition)                                                                         \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, strerror(errno));         \
      _exit(99);                                                                                   \
    }                                                                                              \
  } while (0)

// pthread functions return their error.
#define REQUIRE_0(call) REQUIRE((errno = (call)) == 0)

static inline uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void sleep_ms(unsigned ms) {
  struct timespec left = {ms / 1000, (long)(ms % 1000) * 1000000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

// Says a word on stdout that the test waits for.
static inline void say(const char *word) {
  printf("%s\n", word);
  fflush(stdout);
}

// Steps in an order that threads agree on without any lock or condition that would be recorded.
static inline void await_step(const atomic_int *step, int wanted) {
  while (atomic_load(step) < wanted) sleep_ms(1);
}

#endif
