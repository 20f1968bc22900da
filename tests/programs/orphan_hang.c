// SPDX-License-Identifier: Apache-2.0
// An actual deadlock: "quitter" ended holding `ledger`, and the main thread waits for it for ever.
#include "program.h"

static pthread_mutex_t ledger = PTHREAD_MUTEX_INITIALIZER;

static void *quitter_main(void *unused) {
  pthread_setname_np(pthread_self(), "quitter");
  pthread_mutex_lock(&ledger);
  return unused;
}

int main(void) {
  pthread_t quitter;
  REQUIRE_0(pthread_create(&quitter, NULL, quitter_main, NULL));
  pthread_join(quitter, NULL);
  say("hanging");
  pthread_mutex_lock(&ledger);
  return 0;
}
