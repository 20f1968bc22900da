// SPDX-License-Identifier: Apache-2.0
// No deadlock: semaphores that hand over and are no locks. Threads wait for them and post them with
// mutexes held in any order: one for each start, as libuv has it, one that begins with 1 and is
// posted by others, one that counts free places.
#include "locks.h"

#include <semaphore.h>

enum { THREADS = 4, JOBS = 50 };
static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER, journal = PTHREAD_MUTEX_INITIALIZER;
static sem_t started, turn, places, jobs;

static void *worker_main(void *unused) {
  pthread_mutex_lock(&journal);
  sem_post(&started);
  pthread_mutex_unlock(&journal);
  for (int i = 0; i < JOBS; i++) {
    sem_wait(&jobs);
    pthread_mutex_lock(&table);
    sem_post(&places);
    pthread_mutex_unlock(&table);
  }
  return unused;
}

static void *giver_main(void *unused) {
  for (int i = 0; i < THREADS * JOBS; i++) {
    sem_wait(&turn);  // posted by the other one: begins with 1, and is no lock
    pthread_mutex_lock(&journal);
    pthread_mutex_unlock(&journal);
    sem_wait(&places);
    sem_post(&jobs);
  }
  return unused;
}

static void *turner_main(void *unused) {
  for (int i = 1; i < THREADS * JOBS; i++) {
    pthread_mutex_lock(&journal);
    sem_post(&turn);
    pthread_mutex_unlock(&journal);
  }
  return unused;
}

int main(void) {
  pthread_t workers[THREADS], giver, turner;
  sem_init(&started, 0, 0);
  sem_init(&turn, 0, 1);
  sem_init(&places, 0, 8);
  sem_init(&jobs, 0, 0);
  for (int i = 0; i < THREADS; i++) {
    REQUIRE_0(pthread_create(&workers[i], NULL, worker_main, NULL));
    pthread_mutex_lock(&table);
    sem_wait(&started);
    pthread_mutex_unlock(&table);
  }
  REQUIRE_0(pthread_create(&giver, NULL, giver_main, NULL));
  REQUIRE_0(pthread_create(&turner, NULL, turner_main, NULL));
  for (int i = 0; i < THREADS; i++) pthread_join(workers[i], NULL);
  pthread_join(giver, NULL);
  pthread_join(turner, NULL);
  return 0;
}
