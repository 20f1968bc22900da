// SPDX-License-Identifier: Apache-2.0
// A convoy: four threads hold `ticket_lock`, which goes to whoever waited longest (priority
// inheritance hands it over), about 1 ms each and ask again at once, so that its queue never
// drains. Every wait and hold is measured, and their sums and quantiles are printed.
#include "program.h"

enum { THREADS = 4, ROUNDS = 60, ALL = THREADS * ROUNDS };

static pthread_mutex_t ticket_lock;
static atomic_int arrived;
static uint64_t waits[ALL], held_ns;
static int wait_count;

// Under the lock, so that nobody else is here.
static NOINLINE void take_turn(uint64_t asked) {
  uint64_t start = now_ns();
  waits[wait_count++] = start - asked;
  sleep_ms(1);
  held_ns += now_ns() - start;
}

static void *turns_main(void *unused) {
  atomic_fetch_add(&arrived, 1);
  await_step(&arrived, THREADS);
  for (int round = 0; round < ROUNDS; round++) {
    uint64_t asked = now_ns();
    pthread_mutex_lock(&ticket_lock);
    take_turn(asked);
    pthread_mutex_unlock(&ticket_lock);
  }
  return unused;
}

static int compare(const void *left, const void *right) {
  const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
  return (a > b) - (a < b);
}

int main(void) {
  pthread_mutexattr_t kind;
  pthread_t threads[THREADS];
  uint64_t total = 0;
  REQUIRE_0(pthread_mutexattr_init(&kind));
  REQUIRE_0(pthread_mutexattr_setprotocol(&kind, PTHREAD_PRIO_INHERIT));
  REQUIRE_0(pthread_mutex_init(&ticket_lock, &kind));
  for (int i = 0; i < THREADS; i++) REQUIRE_0(pthread_create(&threads[i], NULL, turns_main, NULL));
  for (int i = 0; i < THREADS; i++) REQUIRE_0(pthread_join(threads[i], NULL));
  qsort(waits, ALL, sizeof *waits, compare);
  for (int i = 0; i < ALL; i++) total += waits[i];
  printf(
      "{\"turns\": %d, \"waited_ns\": %lu, \"held_ns\": %lu, \"p50_ns\": %lu, \"p95_ns\": %lu}\n",
      ALL, total, held_ns, waits[ALL / 2 - 1], waits[ALL * 95 / 100 - 1]);
  return 0;
}
