// SPDX-License-Identifier: Apache-2.0
// Three threads each hold one lock and wait for the next one's, until the shortest of their time
// limits ends it: a deadlock all the same. With "apart" they never meet: potential, and bounded;
// what was seen can be reordered so that they wait for one another.
#include "locks.h"

enum { THREADS = 3 };

static pthread_mutex_t ring[THREADS] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                        PTHREAD_MUTEX_INITIALIZER};
static atomic_int holding;
static bool together = true;

static NOINLINE void take(int first, unsigned limit_ms) {
  struct timespec limit;
  pthread_mutex_lock(&ring[first]);
  if (together) {
    atomic_fetch_add(&holding, 1);
    await_step(&holding, THREADS);
  }
  clock_gettime(CLOCK_REALTIME, &limit);
  limit.tv_sec += limit_ms / 1000;
  pthread_mutex_t *second = &ring[(first + 1) % THREADS];
  int result = limit_ms ? pthread_mutex_timedlock(second, &limit) : pthread_mutex_lock(second);
  if (result == 0) pthread_mutex_unlock(second);
  pthread_mutex_unlock(&ring[first]);
}

static void first(void) { take(0, 1000); }
static void second(void) { take(1, 0); }
static void third(void) { take(2, 0); }

static void *at_once_main(void *routine) {
  ((routine_t *)routine)();
  return NULL;
}

int main(int count, char **arguments) {
  static routine_t *const routines[THREADS] = {first, second, third};
  pthread_t threads[THREADS];
  together = count < 2 || strcmp(arguments[1], "apart") != 0;
  if (!together) {
    RUN_IN_TURN(first, second, third);
    return 0;
  }
  for (int i = 0; i < THREADS; i++)
    REQUIRE_0(pthread_create(&threads[i], NULL, at_once_main, (void *)(intptr_t)routines[i]));
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  return 0;
}
