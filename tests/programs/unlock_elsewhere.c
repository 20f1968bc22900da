// SPDX-License-Identifier: Apache-2.0
// Locks that are given back in another order, and by another thread, than taken: hand over hand
// along a list, and a mutex as a signal between two threads. Nobody holds anything at the end, and
// there is no deadlock.
#include "program.h"

enum { LINKS = 8, ROUNDS = 50 };

static pthread_mutex_t links[LINKS];
static pthread_mutex_t baton = PTHREAD_MUTEX_INITIALIZER;
static atomic_int passed;

static void *walk_main(void *unused) {
  for (int round = 0; round < ROUNDS; round++) {
    pthread_mutex_lock(&links[0]);
    for (int i = 1; i < LINKS; i++) {
      pthread_mutex_lock(&links[i]);
      pthread_mutex_unlock(&links[i - 1]);
    }
    pthread_mutex_unlock(&links[LINKS - 1]);
  }
  return unused;
}

// Gives back what main took.
static void *release_main(void *unused) {
  for (int i = 0; i < ROUNDS; i++) {
    await_step(&passed, i + 1);
    pthread_mutex_unlock(&baton);
  }
  return unused;
}

int main(void) {
  pthread_t walkers[3];
  for (int i = 0; i < LINKS; i++) pthread_mutex_init(&links[i], NULL);
  for (int i = 0; i < 3; i++)
    REQUIRE_0(pthread_create(&walkers[i], NULL, i < 2 ? walk_main : release_main, NULL));
  for (int i = 0; i < ROUNDS; i++) {
    pthread_mutex_lock(&baton);
    atomic_store(&passed, i + 1);
  }
  for (int i = 0; i < 3; i++) pthread_join(walkers[i], NULL);
  printf("{\"baton\": %d, \"links\": %d}\n", ROUNDS, 2 * ROUNDS * LINKS);
  return 0;
}
