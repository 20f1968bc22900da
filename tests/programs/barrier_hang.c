// SPDX-License-Identifier: Apache-2.0
// A barrier for four of which only three come: they wait for ever. With the argument "busy" main
// goes on meanwhile, and could still come or create somebody: with it there are too few all the
// same.
#include "program.h"

enum { PARTIES = 4, COME = 2 };
static pthread_barrier_t rendezvous;

static NOINLINE void meet(void) { pthread_barrier_wait(&rendezvous); }

static void *walker_main(void *unused) {
  meet();
  return unused;
}

static void *quitter_main(void *unused) { return unused; }

int main(int count, char **arguments) {
  pthread_t walkers[COME], quitter;
  bool busy = count > 1 && !strcmp(arguments[1], "busy");
  REQUIRE_0(pthread_barrier_init(&rendezvous, NULL, PARTIES));
  for (int i = 0; i < COME; i++) REQUIRE_0(pthread_create(&walkers[i], NULL, walker_main, NULL));
  REQUIRE_0(pthread_create(&quitter, NULL, quitter_main, NULL));
  pthread_join(quitter, NULL);
  sleep_ms(busy ? 1300 : 200);
  say("hanging");
  if (busy)
    for (;;) pause();
  meet();
  return 0;
}
