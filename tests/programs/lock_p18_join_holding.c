// SPDX-License-Identifier: Apache-2.0
// An actual deadlock: joins a thread while holding the lock that this one waits for.
#include "locks.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER;

static void *worker_main(void *unused) {
  pthread_setname_np(pthread_self(), "worker");
  sleep_ms(50);
  pthread_mutex_lock(&a);
  pthread_mutex_unlock(&a);
  return unused;
}

int main(void) {
  pthread_t worker;
  REQUIRE_0(pthread_create(&worker, NULL, worker_main, NULL));
  pthread_mutex_lock(&a);
  sleep_ms(200);
  say("hanging");
  pthread_join(worker, NULL);
  pthread_mutex_unlock(&a);
  return 0;
}
