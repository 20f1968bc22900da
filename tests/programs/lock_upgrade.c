// SPDX-License-Identifier: Apache-2.0
// An actual deadlock of one thread: a reader asks for the same rwlock to write. Never ends.
#include "program.h"

static pthread_rwlock_t routes = PTHREAD_RWLOCK_INITIALIZER;

static NOINLINE void change(void) { pthread_rwlock_wrlock(&routes); }

static NOINLINE void look_up(void) {
  pthread_rwlock_rdlock(&routes);
  change();
}

int main(void) {
  say("hanging");
  look_up();
  return 0;
}
