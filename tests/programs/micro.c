// SPDX-License-Identifier: Apache-2.0
// argv[2] pairs of malloc+free or of mutex lock+unlock (argv[1]) and nothing else, for counting
// what a call costs; how long they took is printed.
#include "program.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static NOINLINE void pairs_of_malloc(long count) {
  for (long i = 0; i < count; i++) {
    void *volatile block = malloc(64);
    free(block);
  }
}

static NOINLINE void pairs_of_mutex(long count) {
  for (long i = 0; i < count; i++) {
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
  }
}

int main(int argc, char **argv) {
  REQUIRE(argc == 3);
  long count = atol(argv[2]);
  uint64_t start = now_ns();
  if (!strcmp(argv[1], "malloc"))
    pairs_of_malloc(count);
  else
    pairs_of_mutex(count);
  printf("{\"pairs\": %ld, \"ns\": %lu}\n", count, now_ns() - start);
  return 0;
}
