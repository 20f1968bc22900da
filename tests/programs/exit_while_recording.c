// SPDX-License-Identifier: Apache-2.0
// The main thread returns while 8 detached threads allocate and lock without pause, and a
// destructor and an atexit handler still allocate: status 5, no crash, at once.
#include "program.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int started;

static void *busy_main(void *unused) {
  atomic_fetch_add(&started, 1);
  for (;;) {
    void *volatile block = malloc(60);
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    free(block);
  }
  return unused;
}

static void *last_block;
static void at_exit(void) { last_block = malloc(123); }
__attribute__((destructor)) static void at_the_very_end(void) { free(last_block); }

int main(void) {
  atexit(at_exit);
  for (int i = 0; i < 8; i++) {
    pthread_t thread;
    REQUIRE_0(pthread_create(&thread, NULL, busy_main, NULL));
    REQUIRE_0(pthread_detach(thread));
  }
  await_step(&started, 8);
  sleep_ms(50);
  return 5;
}
