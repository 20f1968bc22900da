// SPDX-License-Identifier: Apache-2.0
// Three threads one after the other, each of which computes for 30 ms and ends: nobody has looked
// at them by then but they themselves. How long each was on a processor is printed.
#include "program.h"

enum { THREADS = 3, COMPUTE_MS = 30 };

static uint64_t ran_ns[THREADS];

static uint64_t own_ns(void) {
  struct timespec ran;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran);
  return (uint64_t)ran.tv_sec * 1000000000u + (uint64_t)ran.tv_nsec;
}

static void *short_main(void *index) {
  while (own_ns() < COMPUTE_MS * 1000000u) {
  }
  ran_ns[(intptr_t)index] = own_ns();
  return NULL;
}

int main(void) {
  for (intptr_t i = 0; i < THREADS; i++) {
    pthread_t thread;
    REQUIRE_0(pthread_create(&thread, NULL, short_main, (void *)i));
    REQUIRE_0(pthread_join(thread, NULL));
  }
  printf("{\"ran_ns\": [%lu, %lu, %lu]}\n", ran_ns[0], ran_ns[1], ran_ns[2]);
  return 0;
}
