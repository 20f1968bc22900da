// SPDX-License-Identifier: Apache-2.0
// Very many locks and calls: LOCKS mutexes, PAIRS nested pairs of them by four threads in turn.
// Always a lock and the next one; with "tangled" any two in any order, so that there are cycles
// beyond number.
#include "program.h"

enum { THREADS = 4 };
static pthread_mutex_t *locks;
static unsigned long lock_count, pair_count;
static bool tangled;
static atomic_int turn;

// xorshift64 (Marsaglia, 2003).
static uint64_t next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  return *state ^= *state << 17;
}

static void *run(void *argument) {
  uint64_t state = 88172645463325252u + (uint64_t)(uintptr_t)argument;
  await_step(&turn, (int)(intptr_t)argument);
  for (unsigned long i = 0; i < pair_count / THREADS; i++) {
    unsigned long first = i % (lock_count - 1), second = first + 1;
    if (tangled) {
      first = next_random(&state) % lock_count;
      second = next_random(&state) % lock_count;
      if (first == second) continue;
    }
    pthread_mutex_lock(&locks[first]);
    pthread_mutex_lock(&locks[second]);
    pthread_mutex_unlock(&locks[second]);
    pthread_mutex_unlock(&locks[first]);
  }
  atomic_fetch_add(&turn, 1);
  return NULL;
}

int main(int count, char **arguments) {
  pthread_t threads[THREADS];
  REQUIRE(count >= 3);
  lock_count = strtoul(arguments[1], NULL, 10);
  pair_count = strtoul(arguments[2], NULL, 10);
  tangled = count > 3 && !strcmp(arguments[3], "tangled");
  locks = calloc(lock_count, sizeof *locks);
  REQUIRE(locks && lock_count > 1);
  for (unsigned long i = 0; i < lock_count; i++) pthread_mutex_init(&locks[i], NULL);
  for (int i = 0; i < THREADS; i++)
    REQUIRE_0(pthread_create(&threads[i], NULL, run, (void *)(intptr_t)i));
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  return 0;
}
