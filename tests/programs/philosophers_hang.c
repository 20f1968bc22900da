// SPDX-License-Identifier: Apache-2.0
// Five philosophers, each with one fork in hand, for ever: an actual deadlock of five threads. The
// forks are an array in the heap, and one more thread waits for one of them.
#include "program.h"

enum { SEATS = 5 };
static pthread_mutex_t *forks;
static pthread_barrier_t seated;

static NOINLINE void eat(int seat) {
  pthread_mutex_lock(&forks[seat]);
  pthread_barrier_wait(&seated);
  pthread_mutex_lock(&forks[(seat + 1) % SEATS]);
}

static void *philosopher_main(void *argument) {
  char name[] = "seat-0";
  name[sizeof name - 2] = (char)('0' + (intptr_t)argument);
  pthread_setname_np(pthread_self(), name);
  eat((int)(intptr_t)argument);
  return NULL;
}

static NOINLINE pthread_mutex_t *lay_table(void) {
  pthread_mutex_t *table = calloc(SEATS, sizeof *table);
  for (int seat = 0; table && seat < SEATS; seat++) pthread_mutex_init(&table[seat], NULL);
  return table;
}

int main(void) {
  pthread_t seats[SEATS];
  forks = lay_table();
  REQUIRE_0(pthread_barrier_init(&seated, NULL, SEATS + 1));
  for (int seat = 0; seat < SEATS; seat++)
    REQUIRE_0(pthread_create(&seats[seat], NULL, philosopher_main, (void *)(intptr_t)seat));
  pthread_barrier_wait(&seated);
  sleep_ms(200);
  say("hanging");
  pthread_mutex_lock(&forks[2]);
  return 0;
}
