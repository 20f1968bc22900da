// SPDX-License-Identifier: Apache-2.0
// Which clock, and the slow clocks it is compared with.
#include "preload/clock.h"

#include "preload/system.h"
#include <cpuid.h>

#include <sys/prctl.h>
#include <time.h>

bool clock_is_tsc;

// CPUID 80000007H, EDX bit 8 (Intel SDM, AMD APM): the counter runs at one rate in all states. Who
// started the program may have taken the counter away from it (prctl(2), PR_SET_TSC).
void clock_choose(void) {
  unsigned a, b, c, d;
  int access = PR_TSC_ENABLE;
  system_call(SYS_prctl, PR_GET_TSC, &access);
  clock_is_tsc = access == PR_TSC_ENABLE && __get_cpuid(0x80000007, &a, &b, &c, &d) && (d >> 8 & 1);
}

static uint64_t clock_read(clockid_t which) {
  struct timespec now = {0};
  system_call(SYS_clock_gettime, which, &now);  // not through libc: others interpose it
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic(void) { return clock_read(CLOCK_MONOTONIC); }
uint64_t clock_realtime(void) { return clock_read(CLOCK_REALTIME); }

// CPUID 15H (Intel SDM): crystal frequency and ratio; 40000010H (VMware, KVM): kHz of the counter.
double clock_khz(void) {
  unsigned a, b, c, d;
  if (__get_cpuid(0x15, &a, &b, &c, &d) && a && b && c) return (double)c * b / a / 1000;
  __cpuid(0x40000000, a, b, c, d);
  if (a >= 0x40000010 && a < 0x40010000) {
    __cpuid(0x40000010, a, b, c, d);
    if (a > 100000) return a;
  }
  return 2.5e6;
}
