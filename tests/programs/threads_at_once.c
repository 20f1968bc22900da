// SPDX-License-Identifier: Apache-2.0
// More threads at once than are recorded: those beyond begin their work as soon as the others did.
// Says how long it took from creation to the first block, on average, of the first and the last.
#include "program.h"

#include <sched.h>

enum { THREADS = 1500, FIRST = 900, LAST = 400, STACK = 64 << 10 };

static uint64_t created[THREADS], began[THREADS];
static atomic_int under_way;
static pthread_barrier_t end;

static void *thread_main(void *number) {
  void *volatile block = malloc(48);
  began[(intptr_t)number] = now_ns();
  atomic_fetch_add(&under_way, 1);
  pthread_barrier_wait(&end);
  free(block);
  return NULL;
}

static uint64_t mean_ns(int from, int count) {
  uint64_t sum = 0;
  for (int i = from; i < from + count; i++) sum += began[i] - created[i];
  return sum / (uint64_t)count;
}

int main(void) {
  static pthread_t threads[THREADS];
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK);
  REQUIRE_0(pthread_barrier_init(&end, NULL, THREADS + 1));
  for (intptr_t i = 0; i < THREADS; i++) {
    created[i] = now_ns();
    REQUIRE_0(pthread_create(&threads[i], &attributes, thread_main, (void *)i));
    while (atomic_load(&under_way) <= i) sched_yield();
  }
  pthread_barrier_wait(&end);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  printf("{\"threads\": %d, \"first_ns\": %lu, \"last_ns\": %lu}\n", THREADS,
         (unsigned long)mean_ns(0, FIRST), (unsigned long)mean_ns(THREADS - LAST, LAST));
  return 0;
}
