// SPDX-License-Identifier: Apache-2.0
// One contended lock, `busy_lock`: "holder" holds it 5 times, and each time lets it go 30 ms after
// "waiter" went to wait for it. What was really waited and held is measured and printed.
#include "program.h"

enum { ROUNDS = 5, WAIT_MS = 30, HEAD_START_MS = 10 };

static pthread_mutex_t busy_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t quiet_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int step;
static atomic_int going;  // rounds in which the waiter has come to the lock
static uint64_t held_ns, waited_ns, longest_wait_ns, slept_ns;
static uint64_t waits[ROUNDS];  // sorted, shortest first
static int wait_count;

static NOINLINE void hold(int round) {
  pthread_mutex_lock(&busy_lock);
  uint64_t start = now_ns();
  atomic_store(&step, 2 * round + 1);
  await_step(&going, round + 1);
  sleep_ms(WAIT_MS);
  held_ns += now_ns() - start;
  pthread_mutex_unlock(&busy_lock);
}

static void note_wait(uint64_t waited) {
  int at = wait_count++;
  for (; at > 0 && waits[at - 1] > waited; at--) waits[at] = waits[at - 1];
  waits[at] = waited;
}

static NOINLINE void wait_for_it(void) {
  uint64_t start = now_ns();
  pthread_mutex_lock(&busy_lock);
  uint64_t waited = now_ns() - start;
  waited_ns += waited;
  note_wait(waited);
  if (waited > longest_wait_ns) longest_wait_ns = waited;
  pthread_mutex_unlock(&busy_lock);
}

static void *holder_main(void *unused) {
  pthread_setname_np(pthread_self(), "holder");
  for (int round = 0; round < ROUNDS; round++) {
    await_step(&step, 2 * round);
    hold(round);
  }
  return unused;
}

static void *waiter_main(void *unused) {
  pthread_setname_np(pthread_self(), "waiter");
  for (int round = 0; round < ROUNDS; round++) {
    const uint64_t start = now_ns();
    await_step(&step, 2 * round + 1);
    sleep_ms(HEAD_START_MS);
    slept_ns += now_ns() - start;
    atomic_store(&going, round + 1);
    wait_for_it();
    atomic_store(&step, 2 * round + 2);
  }
  return unused;
}

int main(void) {
  pthread_t holder, waiter;
  REQUIRE_0(pthread_create(&holder, NULL, holder_main, NULL));
  REQUIRE_0(pthread_create(&waiter, NULL, waiter_main, NULL));
  for (int i = 0; i < 1000; i++) {
    pthread_mutex_lock(&quiet_lock);
    pthread_mutex_unlock(&quiet_lock);
  }
  pthread_join(holder, NULL);
  pthread_join(waiter, NULL);
  printf("{\"rounds\": %d, \"held_ns\": %lu, \"waited_ns\": %lu, \"longest_wait_ns\": %lu, "
         "\"median_wait_ns\": %lu, \"slept_ns\": %lu, \"quiet\": 1000}\n",
         ROUNDS, held_ns, waited_ns, longest_wait_ns, waits[ROUNDS / 2], slept_ns);
  return 0;
}
