// SPDX-License-Identifier: Apache-2.0
// Allocates and locks 100,000 calls deep: no stack overflows, and what is missing is marked.
#include "program.h"

#include <sys/resource.h>

enum { DEPTH = 100000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static NOINLINE void descend(int depth) {
  if (depth % 10000 == 0) {
    void *volatile block = malloc(44);
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    free(block);
  }
  if (depth < DEPTH) descend(depth + 1);
  __asm__ volatile("");  // no tail call
}

static void *deep_main(void *unused) {
  descend(1);
  return unused;
}

int main(void) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  REQUIRE_0(pthread_attr_setstacksize(&attributes, 64 << 20));
  REQUIRE_0(pthread_create(&thread, &attributes, deep_main, NULL));
  pthread_join(thread, NULL);
  printf("{\"blocks\": %d}\n", DEPTH / 10000);
  return 0;
}
