// SPDX-License-Identifier: Apache-2.0
// An actual deadlock: the thread takes a plain mutex, initialised statically, that it holds.
#include "locks.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER;

static NOINLINE void inner(void) { pthread_mutex_lock(&a); }

static NOINLINE void outer(void) {
  pthread_mutex_lock(&a);
  say("hanging");
  inner();
  pthread_mutex_unlock(&a);
}

int main(void) {
  outer();
  return 0;
}
