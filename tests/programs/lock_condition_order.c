// SPDX-License-Identifier: Apache-2.0
// Benign in this run: who takes b then a was woken by who had taken a then b.
#include "locks.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t done = PTHREAD_COND_INITIALIZER;
static bool is_done;

static void *early_main(void *unused) {
  sleep_ms(50);  // the other one waits by now
  lock_both(&a, &b);
  pthread_mutex_lock(&guard);
  is_done = true;
  pthread_cond_signal(&done);
  pthread_mutex_unlock(&guard);
  return unused;
}

static void *late_main(void *unused) {
  pthread_mutex_lock(&guard);
  while (!is_done) pthread_cond_wait(&done, &guard);
  pthread_mutex_unlock(&guard);
  lock_both(&b, &a);
  return unused;
}

int main(void) {
  pthread_t early, late;
  REQUIRE_0(pthread_create(&late, NULL, late_main, NULL));
  REQUIRE_0(pthread_create(&early, NULL, early_main, NULL));
  pthread_join(early, NULL);
  pthread_join(late, NULL);
  return 0;
}
