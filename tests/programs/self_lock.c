// SPDX-License-Identifier: Apache-2.0
// An actual deadlock of one: the main thread locks `ledger` in outer and again in inner. Never
// ends.
#include "program.h"

static pthread_mutex_t ledger = PTHREAD_MUTEX_INITIALIZER;

static NOINLINE void inner(void) { pthread_mutex_lock(&ledger); }

static NOINLINE void outer(void) {
  pthread_mutex_lock(&ledger);
  say("hanging");
  inner();
}

int main(void) {
  outer();
  return 0;
}
