// SPDX-License-Identifier: Apache-2.0
// A chain of two locks: "first" holds lock_b, "middle" holds lock_a and waits for lock_b, "last"
// waits for lock_a. What "last" waits is to be charged to "first", but for what "middle" took after
// it had lock_b. All moments are measured and printed.
#include "program.h"

enum { HOLD_MS = 60, AFTER_MS = 20 };

static pthread_mutex_t lock_a = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t lock_b = PTHREAD_MUTEX_INITIALIZER;
static atomic_int step;
static uint64_t first_gives, middle_asks, middle_has, middle_gives, last_asks, last_has;

static NOINLINE void first_hold(void) {
  pthread_mutex_lock(&lock_b);
  atomic_store(&step, 1);
  await_step(&step, 3);
  sleep_ms(HOLD_MS);
  first_gives = now_ns();
  pthread_mutex_unlock(&lock_b);
}

static NOINLINE void middle_hold(void) {
  pthread_mutex_lock(&lock_a);
  atomic_store(&step, 2);
  middle_asks = now_ns();
  pthread_mutex_lock(&lock_b);
  middle_has = now_ns();
  pthread_mutex_unlock(&lock_b);
  sleep_ms(AFTER_MS);
  middle_gives = now_ns();
  pthread_mutex_unlock(&lock_a);
}

static NOINLINE void last_wait(void) {
  last_asks = now_ns();
  atomic_store(&step, 3);
  pthread_mutex_lock(&lock_a);
  last_has = now_ns();
  pthread_mutex_unlock(&lock_a);
}

static void *first_main(void *unused) {
  first_hold();
  return unused;
}

static void *middle_main(void *unused) {
  await_step(&step, 1);
  middle_hold();
  return unused;
}

static void *last_main(void *unused) {
  await_step(&step, 2);
  sleep_ms(10);
  last_wait();
  return unused;
}

static uint64_t later(uint64_t a, uint64_t b) { return a > b ? a : b; }

int main(void) {
  static void *(*const mains[])(void *) = {first_main, middle_main, last_main};
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) REQUIRE_0(pthread_create(&threads[i], NULL, mains[i], NULL));
  for (int i = 0; i < 3; i++) REQUIRE_0(pthread_join(threads[i], NULL));
  printf("{\"through_b_ns\": %lu, \"by_middle_ns\": %lu, \"middle_waited_ns\": %lu, "
         "\"last_waited_ns\": %lu}\n",
         first_gives - later(last_asks, middle_asks), middle_gives - middle_has,
         middle_has - middle_asks, last_has - last_asks);
  return 0;
}
