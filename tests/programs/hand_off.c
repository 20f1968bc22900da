// SPDX-License-Identifier: Apache-2.0
// Eight threads hand blocks to each other as fast as they can: what one gives back another is given
// at once. In the record no block is given twice, or taken back that was not given.
#include "program.h"

enum { THREADS = 8, ROUNDS = 4000, SLOTS = 16 };

static _Atomic(void *) slots[SLOTS];
static atomic_uint allocations, frees;

static void *hand_main(void *seed_) {
  unsigned seed = (unsigned)(uintptr_t)seed_, given = 0, back = 0;
  for (int i = 0; i < ROUNDS; i++) {
    seed = seed * 1664525 + 1013904223;
    void *block = malloc(40);
    REQUIRE(block);
    given++;
    if (seed >> 28 == 0) {
      block = realloc(block, 40 + (seed >> 20 & 63));
      REQUIRE(block);
    }
    void *other = atomic_exchange(&slots[seed >> 24 & (SLOTS - 1)], block);
    if (other) {
      free(other);
      back++;
    }
  }
  atomic_fetch_add(&allocations, given);
  atomic_fetch_add(&frees, back);
  return NULL;
}

int main(void) {
  pthread_t threads[THREADS];
  for (uintptr_t i = 0; i < THREADS; i++)
    REQUIRE_0(pthread_create(&threads[i], NULL, hand_main, (void *)(i * 7919 + 1)));
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  printf("{\"allocations\": %u, \"frees\": %u}\n", allocations, frees);
  return 0;
}
