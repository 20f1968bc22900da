// SPDX-License-Identifier: Apache-2.0
// argv[1] malloc+free pairs and as many lock rounds from each of argv[2] threads: to fill disks,
// meet limits and be long. Every block has a size of its own, so that the trace does not compress
// well.
#include "program.h"

static long rounds;
static pthread_mutex_t locks[64];

static NOINLINE void busy_round(uint64_t *state, pthread_mutex_t *lock) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  void *volatile block = malloc(*state >> 48 & 0xfff);
  pthread_mutex_lock(lock);
  pthread_mutex_unlock(lock);
  free(block);
}

static void *busy_main(void *index) {
  uint64_t state = (uint64_t)(uintptr_t)index + 1;
  for (long i = 0; i < rounds; i++) busy_round(&state, &locks[(uintptr_t)index]);
  return NULL;
}

int main(int argc, char **argv) {
  REQUIRE(argc == 3);
  rounds = atol(argv[1]);
  int threads = atoi(argv[2]);
  REQUIRE(threads > 0 && threads <= 64);
  pthread_t handles[64];
  for (int i = 0; i < threads; i++) pthread_mutex_init(&locks[i], NULL);
  for (int i = 1; i < threads; i++)
    REQUIRE_0(pthread_create(&handles[i], NULL, busy_main, (void *)(uintptr_t)i));
  busy_main(NULL);
  for (int i = 1; i < threads; i++) pthread_join(handles[i], NULL);
  printf("{\"rounds\": %ld, \"threads\": %d}\n", rounds, threads);
  return 0;
}
