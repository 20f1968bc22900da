// SPDX-License-Identifier: Apache-2.0
// "sleeper" waits on `bell`; "ringer" signals it holding `bell_lock` and keeps that for 30 ms, so
// the wait is until the signal and then for the mutex. Before, it signals three times and nobody
// waits. A semaphore that another thread posts after 40 ms is waited for, which is no contention.
#include "program.h"

#include <semaphore.h>

enum { ROUNDS = 3, IN_VAIN = 3 };

static pthread_mutex_t bell_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t bell = PTHREAD_COND_INITIALIZER;
static sem_t started;
static int wanted, rung;
static uint64_t wait_from[ROUNDS], signalled[ROUNDS], given_up[ROUNDS];

static NOINLINE void ring(int round) {
  pthread_mutex_lock(&bell_lock);
  rung = round + 1;
  signalled[round] = now_ns();
  pthread_cond_signal(&bell);
  sleep_ms(30);
  given_up[round] = now_ns();
  pthread_mutex_unlock(&bell_lock);
}

static bool is_wanted(int round) {
  pthread_mutex_lock(&bell_lock);
  bool yes = wanted > round;
  pthread_mutex_unlock(&bell_lock);
  return yes;
}

static void *ringer_main(void *unused) {
  pthread_setname_np(pthread_self(), "ringer");
  sleep_ms(40);
  sem_post(&started);
  for (int round = 0; round < ROUNDS; round++) {
    while (!is_wanted(round)) sleep_ms(1);
    sleep_ms(20);
    ring(round);
  }
  return unused;
}

static NOINLINE void sleep_until_rung(int round) {
  pthread_mutex_lock(&bell_lock);
  wanted = round + 1;
  wait_from[round] = now_ns();
  while (rung <= round) pthread_cond_wait(&bell, &bell_lock);
  pthread_mutex_unlock(&bell_lock);
}

int main(void) {
  pthread_t ringer;
  uint64_t until_signal = 0, for_mutex = 0;
  REQUIRE(sem_init(&started, 0, 0) == 0);
  for (int i = 0; i < IN_VAIN; i++) pthread_cond_signal(&bell);
  REQUIRE_0(pthread_create(&ringer, NULL, ringer_main, NULL));
  while (sem_wait(&started) != 0) continue;
  for (int round = 0; round < ROUNDS; round++) sleep_until_rung(round);
  REQUIRE_0(pthread_join(ringer, NULL));
  for (int round = 0; round < ROUNDS; round++) {
    until_signal += signalled[round] - wait_from[round];
    for_mutex += given_up[round] - signalled[round];
  }
  printf("{\"rounds\": %d, \"in_vain\": %d, \"until_signal_ns\": %lu, \"for_mutex_ns\": %lu}\n",
         ROUNDS, IN_VAIN, until_signal, for_mutex);
  return 0;
}
