// SPDX-License-Identifier: Apache-2.0
// An actual deadlock without a lock: three threads, each of which joins the next one. Never ends.
#include "program.h"

enum { THREADS = 3 };

static pthread_t threads[THREADS];
static atomic_int made;

static void *join_next(void *argument) {
  await_step(&made, THREADS);
  pthread_join(threads[((int)(intptr_t)argument + 1) % THREADS], NULL);
  return NULL;
}

int main(void) {
  for (int i = 0; i < THREADS; i++) {
    REQUIRE_0(pthread_create(&threads[i], NULL, join_next, (void *)(intptr_t)i));
    atomic_fetch_add(&made, 1);
  }
  say("hanging");
  for (;;) pause();
}
