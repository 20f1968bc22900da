// SPDX-License-Identifier: Apache-2.0
// An actual deadlock: the main thread holds `state` and joins "worker", which waits for `state`.
#include "program.h"

static pthread_mutex_t state = PTHREAD_MUTEX_INITIALIZER;

static void *worker_main(void *unused) {
  pthread_setname_np(pthread_self(), "worker");
  pthread_mutex_lock(&state);
  return unused;
}

static NOINLINE void stop_worker(pthread_t worker) {
  sleep_ms(200);
  say("hanging");
  pthread_join(worker, NULL);
}

int main(void) {
  pthread_t worker;
  pthread_mutex_lock(&state);
  REQUIRE_0(pthread_create(&worker, NULL, worker_main, NULL));
  stop_worker(worker);
  return 0;
}
