// SPDX-License-Identifier: Apache-2.0
// Takes `early` and then `late` all the time, and among many other locks: so many events that a
// bounded trace has long forgotten the first of it when another thread takes them the other way
// round, once, at the end.
#include "program.h"

enum { ROUNDS = 400, OTHERS = 1000 };

static pthread_mutex_t early = PTHREAD_MUTEX_INITIALIZER, late = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t other = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;  // sampled as any other

static NOINLINE void take_early_first(void) {
  REQUIRE_0(pthread_mutex_lock(&early));
  REQUIRE_0(pthread_mutex_lock(&late));
  REQUIRE_0(pthread_mutex_unlock(&late));
  REQUIRE_0(pthread_mutex_unlock(&early));
}

static NOINLINE void take_late_first(void) {
  REQUIRE_0(pthread_mutex_lock(&late));
  REQUIRE_0(pthread_mutex_lock(&early));
  REQUIRE_0(pthread_mutex_unlock(&early));
  REQUIRE_0(pthread_mutex_unlock(&late));
}

static void *forward_main(void *unused) {
  for (int round = 0; round < ROUNDS; round++) {
    take_early_first();
    for (int i = 0; i < OTHERS; i++) {
      REQUIRE_0(pthread_mutex_lock(&other));
      REQUIRE_0(pthread_mutex_unlock(&other));
    }
    sleep_ms(5);
  }
  return unused;
}

static void *backward_main(void *done) {
  while (!atomic_load((atomic_int *)done)) sleep_ms(1);
  take_late_first();
  return NULL;
}

int main(void) {
  pthread_t forward, backward;
  atomic_int done = 0;
  REQUIRE_0(pthread_create(&backward, NULL, backward_main, &done));
  REQUIRE_0(pthread_create(&forward, NULL, forward_main, NULL));
  REQUIRE_0(pthread_join(forward, NULL));
  atomic_store(&done, 1);
  REQUIRE_0(pthread_join(backward, NULL));
  printf("{\"rounds\": %d, \"others\": %d}\n", ROUNDS, OTHERS);
  return 0;
}
