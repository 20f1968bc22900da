// SPDX-License-Identifier: Apache-2.0
// Benign: a thread takes a then b and is joined; only then another takes b then a.
#include "locks.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;

static void *forth(void *unused) {
  lock_both(&a, &b);
  return unused;
}

static void *back(void *unused) {
  lock_both(&b, &a);
  return unused;
}

int main(void) {
  pthread_t thread;
  REQUIRE_0(pthread_create(&thread, NULL, forth, NULL));
  pthread_join(thread, NULL);
  REQUIRE_0(pthread_create(&thread, NULL, back, NULL));
  pthread_join(thread, NULL);
  return 0;
}
