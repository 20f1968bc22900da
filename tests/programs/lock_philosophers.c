// SPDX-License-Identifier: Apache-2.0
// A feasible deadlock of as many threads as the argument says: each takes its fork and the next
// one's, this time one after the other.
#include "program.h"

#include <signal.h>

enum { SEATS_MAX = 1000, STACK_SIZE = 65536 };

static pthread_mutex_t forks[SEATS_MAX];
static pthread_t seats[SEATS_MAX];
static int seat_count;
static atomic_int fed;

// Waits for a signal: nothing that is recorded.
static void *philosopher_main(void *argument) {
  int seat = (int)(intptr_t)argument, received;
  sigset_t turn;
  sigemptyset(&turn);
  sigaddset(&turn, SIGUSR1);
  sigwait(&turn, &received);
  pthread_mutex_lock(&forks[seat]);
  pthread_mutex_lock(&forks[(seat + 1) % seat_count]);
  pthread_mutex_unlock(&forks[(seat + 1) % seat_count]);
  pthread_mutex_unlock(&forks[seat]);
  atomic_fetch_add(&fed, 1);
  return NULL;
}

int main(int count, char **arguments) {
  seat_count = count > 1 ? atoi(arguments[1]) : 5;
  REQUIRE(seat_count >= 2 && seat_count <= SEATS_MAX);
  sigset_t turn;
  sigemptyset(&turn);
  sigaddset(&turn, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &turn, NULL);
  pthread_attr_t small;
  pthread_attr_init(&small);
  REQUIRE_0(pthread_attr_setstacksize(&small, STACK_SIZE));
  for (int seat = 0; seat < seat_count; seat++) pthread_mutex_init(&forks[seat], NULL);
  for (int seat = 0; seat < seat_count; seat++) {
    REQUIRE_0(pthread_create(&seats[seat], &small, philosopher_main, (void *)(intptr_t)seat));
    if (seat % 4 == 3) sleep_ms(4);  // the recorder has so many rings in store, and makes new ones
  }
  for (int seat = 0; seat < seat_count; seat++) {
    pthread_kill(seats[seat], SIGUSR1);
    while (atomic_load(&fed) <= seat) usleep(50);
  }
  for (int seat = 0; seat < seat_count; seat++) pthread_join(seats[seat], NULL);
  return 0;
}
