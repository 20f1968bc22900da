// SPDX-License-Identifier: Apache-2.0
// No deadlock: workers wait for jobs, and main for a signal, as a server does that has nothing to
// do. Each job was signalled before a worker waited again.
#include "program.h"

#include <signal.h>

enum { WORKERS = 3, JOBS = 20 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static int jobs;
static atomic_int done;

static void *worker_main(void *unused) {
  pthread_mutex_lock(&mutex);
  for (;;) {
    while (jobs == 0) pthread_cond_wait(&filled, &mutex);
    jobs--;
    atomic_fetch_add(&done, 1);
  }
  return unused;
}

int main(void) {
  pthread_t workers[WORKERS];
  sigset_t awaited;
  int received;
  for (int i = 0; i < WORKERS; i++) REQUIRE_0(pthread_create(&workers[i], NULL, worker_main, NULL));
  for (int job = 0; job < JOBS; job++) {
    pthread_mutex_lock(&mutex);
    jobs++;
    pthread_cond_signal(&filled);
    pthread_mutex_unlock(&mutex);
  }
  while (atomic_load(&done) < JOBS) sleep_ms(1);
  say("idle");
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGTERM);
  sigprocmask(SIG_BLOCK, &awaited, NULL);
  sigwait(&awaited, &received);
  return 0;
}
