// SPDX-License-Identifier: Apache-2.0
// How fast a processor is now, and how far the processors are from each other.
//
// What slows a processor of a virtual machine down leaves its clock alone: another thread of the
// same core, a neighbour's, takes issue slots from it. So the loop keeps many units busy (a chain
// of dependent operations does not notice), and stays in registers, so that it depends on no cache
// and leaves them to what is measured.
//
// The host may put two processors behind one cache or behind two. A line that goes from one to the
// other then takes five times as long, and everything that passes data on does.
#ifndef BENCH_PACE_H
#define BENCH_PACE_H

#include <stdint.h>
#include <time.h>

enum { PACE_ROUNDS = 4000, PACE_BURSTS = 2 };

// What pace.c shows of the machine's state, mapped by whoever wants to know; and what it is told.
typedef struct {
  _Atomic int32_t target;       // whose threads are looked for: a process, or 0
  _Atomic float round_trip_ns;  // of a cache line between two processors, latest; 0: not known
} pace_board_t;

static inline uint64_t clock_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// At the same place of a cache line in each program, or the programs would not agree.
__attribute__((noinline, aligned(64), unused)) static void pace_work(void) {
  uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6;
  for (uint64_t i = 0; i < PACE_ROUNDS; i++) {
    a += i, b ^= i, c += b, d ^= 3, e += 7, f += i;
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
  }
}

// Gives ns for a round of the loop: the better of two bursts of 2 us, as an interrupt may fall into
// one. Makes no system call where clock_gettime makes none.
static inline float pace_take(void) {
  uint64_t best = UINT64_MAX, last = clock_ns(CLOCK_MONOTONIC);
  for (int i = 0; i < PACE_BURSTS; i++) {
    pace_work();
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    if (now - last < best) best = now - last;
    last = now;
  }
  return (float)best / PACE_ROUNDS;
}

#endif
