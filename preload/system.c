// SPDX-License-Identifier: Apache-2.0
// System calls that may not be made.
#include "preload/system.h"

#include <stdatomic.h>
#include <sys/mman.h>

enum { NUMBERS_WORDS = 8, NUMBERS = NUMBERS_WORDS * 64 };

bool system_confined;
static _Atomic uint64_t permitted[NUMBERS_WORDS] = {~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0),
                                                    ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0),
                                                    ~UINT64_C(0), ~UINT64_C(0)};

bool system_forbids(long number) {
  if (!system_confined) return false;
  if (number < 0 || number >= NUMBERS) return true;
  return !(atomic_load_explicit(&permitted[number / 64], memory_order_relaxed) >> number % 64 & 1);
}

void system_confine(const system_verdict_t *verdicts, size_t count) {
  uint64_t granted[NUMBERS_WORDS] = {0}, refused[NUMBERS_WORDS] = {0};
  for (size_t i = 0; i < count; i++) {
    uint64_t *words = verdicts[i].granted ? granted : refused;
    words[verdicts[i].number / 64] |= UINT64_C(1) << verdicts[i].number % 64;
  }
  for (int i = 0; i < NUMBERS_WORDS; i++) atomic_fetch_and(&permitted[i], granted[i] & ~refused[i]);
  system_confined = true;
}

void *system_map(size_t size) {
  const long result = system_call(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return system_failed(result) ? NULL : (void *)result;
}
