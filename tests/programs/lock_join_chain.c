// SPDX-License-Identifier: Apache-2.0
// An actual deadlock of three: main joins one while it holds a; that one joins another, which
// waits for a.
#include "locks.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER;
static pthread_t outer, inner;

static void *inner_main(void *unused) {
  pthread_setname_np(pthread_self(), "inner");
  pthread_mutex_lock(&a);
  pthread_mutex_unlock(&a);
  return unused;
}

static void *outer_main(void *unused) {
  pthread_setname_np(pthread_self(), "outer");
  REQUIRE_0(pthread_create(&inner, NULL, inner_main, NULL));
  pthread_join(inner, NULL);
  return unused;
}

int main(void) {
  pthread_mutex_lock(&a);
  REQUIRE_0(pthread_create(&outer, NULL, outer_main, NULL));
  sleep_ms(200);
  say("hanging");
  pthread_join(outer, NULL);
  pthread_mutex_unlock(&a);
  return 0;
}
