// SPDX-License-Identifier: Apache-2.0
// A long run: argv[1] rounds in each of argv[2] threads, which end and are made again now and then,
// allocate by ever new ways through a tree of calls, and load and unload the plugin argv[3]. At the
// end it says what the recorder has of its memory: nothing of the program's grows.
#include "program.h"

#include <dlfcn.h>

enum { WAYS = 12 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

// Way `path` through 2^WAYS ways of calls: each is a stack of its own.
static NOINLINE void go_left(unsigned path, int left);
static NOINLINE void go_right(unsigned path, int left);
static NOINLINE void arrive(void) {
  void *volatile block = malloc(64);
  pthread_mutex_lock(&lock);
  pthread_mutex_unlock(&lock);
  free(block);
}
static void go(unsigned path, int left) {
  if (left == 0)
    arrive();
  else if (path & 1)
    go_left(path >> 1, left - 1);
  else
    go_right(path >> 1, left - 1);
}
static void go_left(unsigned path, int left) {
  go(path, left);
  __asm__ volatile("");
}
static void go_right(unsigned path, int left) {
  go(path, left);
  __asm__ volatile("" ::: "memory");
}

static void *round_main(void *rounds) {
  for (unsigned i = 0; i < (unsigned)(uintptr_t)rounds; i++) go(i * 2654435761u >> 20, WAYS);
  return NULL;
}

int main(int argc, char **argv) {
  REQUIRE(argc == 4);
  const int rounds = atoi(argv[1]), threads = atoi(argv[2]), generations = 10;
  REQUIRE(threads <= 64);
  for (int i = 0; i < generations; i++) {
    pthread_t workers[64];
    for (int t = 0; t < threads; t++)
      REQUIRE_0(
          pthread_create(&workers[t], NULL, round_main, (void *)(uintptr_t)(rounds / generations)));
    for (int t = 0; t < threads; t++) pthread_join(workers[t], NULL);
    void *plugin = dlopen(argv[3], RTLD_NOW);
    REQUIRE(plugin && dlclose(plugin) == 0);
  }
  say("done");
  for (;;) pause();
}
