// SPDX-License-Identifier: Apache-2.0
// The workers and their queue. The mistake: the journal is written with its lock held, so that one
// worker waits while the other writes.
#include "tools/demo/demo.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS = 2, JOURNAL_US = 400 };

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t journal_lock = PTHREAD_MUTEX_INITIALIZER;
static job_t *queued, **queued_end = &queued;
static job_t *finished;
static bool is_stopping;
static int wake_up_descriptor;
static pthread_t workers[WORKERS];

// Stands for a slow disk.
static void journal_write(void) {
  struct timespec pause = {0, JOURNAL_US * 1000};
  pthread_mutex_lock(&journal_lock);
  nanosleep(&pause, NULL);
  pthread_mutex_unlock(&journal_lock);
}

// Waits for a job. NULL: there will be none any more.
static job_t *job_take(void) {
  pthread_mutex_lock(&queue_lock);
  while (!queued && !is_stopping) pthread_cond_wait(&queue_filled, &queue_lock);
  job_t *job = queued;
  if (job) {
    queued = job->next;
    if (!queued) queued_end = &queued;
  }
  pthread_mutex_unlock(&queue_lock);
  return job;
}

static void job_finish(job_t *job) {
  pthread_mutex_lock(&queue_lock);
  job->next = finished;
  finished = job;
  pthread_mutex_unlock(&queue_lock);
  uint64_t one = 1;
  if (write(wake_up_descriptor, &one, sizeof one) < 0) demo_fail("eventfd");
}

static void *worker_run(void *number) {
  char name[16];
  snprintf(name, sizeof name, "worker-%d", (int)(intptr_t)number);
  pthread_setname_np(pthread_self(), name);
  for (job_t *job; (job = job_take());) {
    bank_transfer(job->amount);
    journal_write();
    job_finish(job);
  }
  return NULL;
}

void jobs_start(int wake_up) {
  wake_up_descriptor = wake_up;
  for (int i = 0; i < WORKERS; i++)
    if ((errno = pthread_create(&workers[i], NULL, worker_run, (void *)(intptr_t)(i + 1))))
      demo_fail("pthread_create");
}

void jobs_submit(job_t *job) {
  job->next = NULL;
  pthread_mutex_lock(&queue_lock);
  *queued_end = job;
  queued_end = &job->next;
  pthread_cond_signal(&queue_filled);
  pthread_mutex_unlock(&queue_lock);
}

job_t *jobs_finished(void) {
  pthread_mutex_lock(&queue_lock);
  job_t *list = finished;
  finished = NULL;
  pthread_mutex_unlock(&queue_lock);
  return list;
}

void jobs_stop(void) {
  pthread_mutex_lock(&queue_lock);
  is_stopping = true;
  pthread_cond_broadcast(&queue_filled);
  pthread_mutex_unlock(&queue_lock);
  for (int i = 0; i < WORKERS; i++) pthread_join(workers[i], NULL);
}
