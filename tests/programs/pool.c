// SPDX-License-Identifier: Apache-2.0
// A pool of two workers does 60 jobs of 4 ms that come in bursts of 6: the program measures how
// long each was queued and took, and prints the totals. With an argument the last job never ends,
// and the program says `ready` and waits.
#include "program.h"

enum { WORKERS = 2, JOBS = 60, BURST = 6, JOB_MS = 4 };

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER, never = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER;
static uint64_t signalled[JOBS + 1];
static int head, tail;
static bool stop;
static _Atomic uint64_t queued_ns, job_ns, longest_ns;
static atomic_int finished;

static NOINLINE void do_job(int job) {
  uint64_t start = now_ns();
  if (job == JOBS) pthread_mutex_lock(&never);
  queued_ns += start - signalled[job];
  while (now_ns() - start < JOB_MS * 1000000u) {
  }
  uint64_t took = now_ns() - start;
  job_ns += took;
  if (took > longest_ns) longest_ns = took;
  finished++;
}

static atomic_int waits;

static NOINLINE int take_job(void) {
  pthread_mutex_lock(&queue_lock);
  while (head == tail && !stop) {
    atomic_fetch_add(&waits, 1);
    pthread_cond_wait(&queue_filled, &queue_lock);
  }
  int job = head == tail ? -1 : head++;
  pthread_mutex_unlock(&queue_lock);
  return job;
}

static void *worker_main(void *unused) {
  for (int job; (job = take_job()) >= 0;) do_job(job);
  return unused;
}

static NOINLINE void give_job(void) {
  pthread_mutex_lock(&queue_lock);
  signalled[tail++] = now_ns();
  pthread_cond_signal(&queue_filled);
  pthread_mutex_unlock(&queue_lock);
}

int main(int argc, char **argv) {
  pthread_t workers[WORKERS];
  (void)argv;
  for (int i = 0; i < WORKERS; i++) REQUIRE_0(pthread_create(&workers[i], NULL, worker_main, NULL));
  await_step(&waits, WORKERS);  // a worker is one of the pool from its first wait on
  for (int i = 0; i < JOBS; i++) {
    give_job();
    if (i % BURST == BURST - 1) sleep_ms(JOB_MS * BURST / WORKERS + 8);
  }
  await_step(&finished, JOBS);
  if (argc > 1) {
    pthread_mutex_lock(&never);
    give_job();
    sleep_ms(1300 + (unsigned)(longest_ns * 12 / 1000000));  // stuck is over ten times as long
    say("ready");
    pause();
  }
  pthread_mutex_lock(&queue_lock);
  stop = true;
  pthread_cond_broadcast(&queue_filled);
  pthread_mutex_unlock(&queue_lock);
  for (int i = 0; i < WORKERS; i++) REQUIRE_0(pthread_join(workers[i], NULL));
  printf(
      "{\"jobs\": %d, \"workers\": %d, \"queued_ns\": %lu, \"job_ns\": %lu, \"longest_ns\": %lu}\n",
      JOBS, WORKERS, queued_ns, job_ns, longest_ns);
  return 0;
}
