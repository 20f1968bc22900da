// SPDX-License-Identifier: Apache-2.0
// A hazard: waits on a condition, which gives back a, while it goes on holding b.
#include "locks.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ready = PTHREAD_COND_INITIALIZER;
static bool is_ready;

static void *wait_main(void *unused) {
  pthread_setname_np(pthread_self(), "waiter");
  pthread_mutex_lock(&b);
  pthread_mutex_lock(&a);
  while (!is_ready) pthread_cond_wait(&ready, &a);
  pthread_mutex_unlock(&a);
  pthread_mutex_unlock(&b);
  return unused;
}

int main(void) {
  pthread_t waiter;
  REQUIRE_0(pthread_create(&waiter, NULL, wait_main, NULL));
  sleep_ms(50);
  pthread_mutex_lock(&a);
  is_ready = true;
  pthread_cond_signal(&ready);
  pthread_mutex_unlock(&a);
  pthread_join(waiter, NULL);
  return 0;
}
