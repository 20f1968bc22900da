// SPDX-License-Identifier: Apache-2.0
// A pool of three workers whose queue is filled with 60 jobs before the workers start, so that none
// of them waits before the last job; the program measures how long each was queued and took, and
// prints the totals. The argument says how the jobs are given, and the end:
//   wait       signalled one by one; the workers wait at last until all are told to stop
//   never      signalled, and told to stop at once: nobody ever waits
//   silent     no signal, as nobody waits; then ten more that are signalled, one at a time
//   semaphore  posted
#include "program.h"

#include <semaphore.h>

enum { WORKERS = 3, JOBS = 60, LATE = 10, JOB_MS = 3 };

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t done_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER;
static sem_t posted;
static bool by_semaphore;
static uint64_t given_ns[JOBS + LATE];
static int head, tail, done;
static bool stop;
static atomic_int waiting;
static _Atomic uint64_t queued_ns, job_ns;

static NOINLINE void do_job(int job) {
  uint64_t start = now_ns();
  if (given_ns[job]) queued_ns += start - given_ns[job];
  sleep_ms(JOB_MS);  // a call whose times are exact
  pthread_mutex_lock(&done_lock);
  done++;
  pthread_mutex_unlock(&done_lock);
  job_ns += now_ns() - start;
}

static NOINLINE int take_job(void) {
  if (by_semaphore) sem_wait(&posted);
  pthread_mutex_lock(&queue_lock);
  while (head == tail && !stop) {
    waiting++;
    pthread_cond_wait(&queue_filled, &queue_lock);
    waiting--;
  }
  int job = head == tail ? -1 : head++;
  pthread_mutex_unlock(&queue_lock);
  return job;
}

static void *worker_main(void *unused) {
  for (int job; (job = take_job()) >= 0;) do_job(job);
  return unused;
}

static NOINLINE void give_job(bool signals) {
  pthread_mutex_lock(&queue_lock);
  given_ns[tail++] = signals ? now_ns() : 0;
  if (signals && by_semaphore) sem_post(&posted);
  if (signals && !by_semaphore) pthread_cond_signal(&queue_filled);
  pthread_mutex_unlock(&queue_lock);
}

static void tell_to_stop(void) {
  pthread_mutex_lock(&queue_lock);
  stop = true;
  pthread_cond_broadcast(&queue_filled);
  pthread_mutex_unlock(&queue_lock);
}

int main(int argc, char **argv) {
  REQUIRE(argc == 2);
  bool never = !strcmp(argv[1], "never"), silent = !strcmp(argv[1], "silent");
  pthread_t workers[WORKERS];
  by_semaphore = !strcmp(argv[1], "semaphore");
  REQUIRE(sem_init(&posted, 0, 0) == 0);
  for (int i = 0; i < JOBS; i++) give_job(!silent);
  if (never) tell_to_stop();
  for (int i = 0; i < WORKERS; i++) REQUIRE_0(pthread_create(&workers[i], NULL, worker_main, NULL));
  for (int i = 0; i < LATE && silent; i++) {
    await_step(&waiting, WORKERS);
    sleep_ms(1);
    give_job(true);
  }
  if (!never && !by_semaphore) await_step(&waiting, WORKERS);
  for (int i = 0; i < WORKERS && by_semaphore; i++) sem_post(&posted);
  if (!never) tell_to_stop();
  for (int i = 0; i < WORKERS; i++) REQUIRE_0(pthread_join(workers[i], NULL));
  printf(
      "{\"jobs\": %d, \"workers\": %d, \"submitted\": %d, \"queued_ns\": %lu, \"job_ns\": %lu}\n",
      done, WORKERS, silent ? LATE : done, queued_ns, job_ns);
  return 0;
}
