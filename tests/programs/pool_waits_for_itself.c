// SPDX-License-Identifier: Apache-2.0
// A pool of four workers whose jobs each submit another job to the same pool and wait for it: when
// all workers do so nobody is left to do these jobs. One finding, in which the workers are listed.
// With "served" the main thread goes on with something else: it waits in poll for what never comes.
#include "program.h"

#include <poll.h>

enum { WORKERS = 4 };

typedef struct job {
  struct job *next;
  bool outer, done;
  pthread_mutex_t mutex;
  pthread_cond_t finished;
} job_t;

static pthread_mutex_t queue_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER;
static job_t *queue_first, **queue_end = &queue_first;
static atomic_int begun;

static NOINLINE void pool_submit(job_t *job) {
  pthread_mutex_lock(&queue_mutex);
  *queue_end = job;
  queue_end = &job->next;
  pthread_cond_signal(&queue_filled);
  pthread_mutex_unlock(&queue_mutex);
}

static job_t *pool_take(void) {
  pthread_mutex_lock(&queue_mutex);
  while (!queue_first) pthread_cond_wait(&queue_filled, &queue_mutex);
  job_t *job = queue_first;
  queue_first = job->next;
  if (!queue_first) queue_end = &queue_first;
  pthread_mutex_unlock(&queue_mutex);
  return job;
}

static NOINLINE void job_wait(job_t *job) {
  pthread_mutex_lock(&job->mutex);
  while (!job->done) pthread_cond_wait(&job->finished, &job->mutex);
  pthread_mutex_unlock(&job->mutex);
}

static job_t *job_new(bool outer) {
  job_t *job = calloc(1, sizeof *job);
  REQUIRE(job);
  job->outer = outer;
  pthread_mutex_init(&job->mutex, NULL);
  pthread_cond_init(&job->finished, NULL);
  return job;
}

static NOINLINE void job_run(job_t *job) {
  if (job->outer) {
    atomic_fetch_add(&begun, 1);
    await_step(&begun, WORKERS);
    job_t *part = job_new(false);
    pool_submit(part);
    job_wait(part);
  }
  pthread_mutex_lock(&job->mutex);
  job->done = true;
  pthread_cond_signal(&job->finished);
  pthread_mutex_unlock(&job->mutex);
}

static void *worker_main(void *unused) {
  for (;;) job_run(pool_take());
  return unused;
}

int main(int count, char **arguments) {
  pthread_t threads[WORKERS];
  job_t *jobs[WORKERS];
  for (int i = 0; i < WORKERS; i++) REQUIRE_0(pthread_create(&threads[i], NULL, worker_main, NULL));
  for (int i = 0; i < 8; i++) {  // these end
    job_t *job = job_new(false);
    pool_submit(job);
    job_wait(job);
  }
  sleep_ms(50);  // all wait: what is signalled while one looks for itself may be counted as queued
  for (int i = 0; i < WORKERS; i++) pool_submit(jobs[i] = job_new(true));
  if (count > 1 && strcmp(arguments[1], "served") == 0) {
    sleep_ms(1200);
    say("ready");
    poll(NULL, 0, -1);
  }
  say("hanging");
  for (int i = 0; i < WORKERS; i++) job_wait(jobs[i]);
  return 0;
}
