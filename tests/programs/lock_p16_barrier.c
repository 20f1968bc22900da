// SPDX-License-Identifier: Apache-2.0
// An actual deadlock: a barrier lets each thread hold its first lock before either asks for more.
#include "locks.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;

static void hang(const char *name, pthread_mutex_t *first, pthread_mutex_t *second) {
  pthread_setname_np(pthread_self(), name);
  pthread_mutex_lock(first);
  pthread_barrier_wait(&barrier);
  pthread_mutex_lock(second);
}

static void *left_main(void *unused) {
  hang("left", &a, &b);
  return unused;
}

static void *right_main(void *unused) {
  hang("right", &b, &a);
  return unused;
}

int main(void) {
  pthread_t left, right;
  pthread_barrier_init(&barrier, NULL, 2);
  REQUIRE_0(pthread_create(&left, NULL, left_main, NULL));
  REQUIRE_0(pthread_create(&right, NULL, right_main, NULL));
  sleep_ms(200);
  say("hanging");
  pthread_join(left, NULL);
  pthread_join(right, NULL);
  return 0;
}
