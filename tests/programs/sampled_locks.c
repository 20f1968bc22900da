// SPDX-License-Identifier: Apache-2.0
// What a recorder that keeps one hold in a hundred must not miss. Each lock is taken thousands of
// times alone; then, once, `early` is held at the same place as `late` is taken, and in another
// thread the other way round: that is the one deadlock to be found. `handed` is released by another
// thread than took it, so nobody holds it while `late` is taken, although it looks so.
#include "program.h"

#include <sched.h>

enum { ROUNDS = 20000 };

static pthread_mutex_t early = PTHREAD_MUTEX_INITIALIZER, late = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t handed = PTHREAD_MUTEX_INITIALIZER;
static atomic_int step;  // of the meetings; plain memory, of which the recorder knows nothing

static NOINLINE void take_early(int nested) {
  REQUIRE_0(pthread_mutex_lock(&early));
  if (nested) {
    REQUIRE_0(pthread_mutex_lock(&late));
    REQUIRE_0(pthread_mutex_unlock(&late));
  }
  REQUIRE_0(pthread_mutex_unlock(&early));
}

static NOINLINE void take_late(int nested) {
  REQUIRE_0(pthread_mutex_lock(&late));
  if (nested) {
    REQUIRE_0(pthread_mutex_lock(&early));
    REQUIRE_0(pthread_mutex_unlock(&early));
  }
  REQUIRE_0(pthread_mutex_unlock(&late));
}

static void wait_for(int wanted) {
  while (atomic_load(&step) < wanted) sched_yield();
}

// Takes `handed` and does not release it. Afterwards it holds nothing.
static void *first(void *unused) {
  for (int i = 0; i < ROUNDS; i++) take_early(0);
  REQUIRE_0(pthread_mutex_lock(&handed));
  atomic_store(&step, 1);
  wait_for(2);  // the other one has released it
  take_late(0);
  take_early(1);
  atomic_store(&step, 3);
  return unused;
}

static void *second(void *unused) {
  wait_for(1);
  REQUIRE_0(pthread_mutex_unlock(&handed));
  atomic_store(&step, 2);
  wait_for(3);  // the other one is done: the orders never meet
  for (int i = 0; i < ROUNDS; i++) take_late(0);
  take_late(1);
  REQUIRE_0(pthread_mutex_lock(&late));
  REQUIRE_0(pthread_mutex_lock(&handed));
  REQUIRE_0(pthread_mutex_unlock(&handed));
  REQUIRE_0(pthread_mutex_unlock(&late));
  return unused;
}

int main(void) {
  pthread_t threads[2];
  REQUIRE_0(pthread_create(&threads[0], NULL, first, NULL));
  REQUIRE_0(pthread_create(&threads[1], NULL, second, NULL));
  for (int i = 0; i < 2; i++) REQUIRE_0(pthread_join(threads[i], NULL));
  printf("{\"early\": %d, \"late\": %d}\n", ROUNDS + 2, ROUNDS + 4);
  return 0;
}
