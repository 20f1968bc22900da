// SPDX-License-Identifier: Apache-2.0
// A pool of two workers fetches 60 jobs of 4 ms, in bursts of 6, from a pipe, an eventfd, a socket
// pair (the argument says which), or waits for them in one epoll instance: the program measures how
// long each was queued and took, and prints the totals. Behind `stuck` the last job never ends, and
// the program says `ready` and waits.
#include "program.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

enum { WORKERS = 2, JOBS = 60, BURST = 6, JOB_MS = 4 };

static const char *kind;
static int ends[2], epoll;  // [0] is read from, [1] written to
static uint64_t given[JOBS + 1];
static pthread_mutex_t never = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint64_t queued_ns, job_ns, longest_ns;
static atomic_int fetched, finished;

static void do_job(int job) {
  uint64_t start = now_ns();
  if (job == JOBS) pthread_mutex_lock(&never);
  queued_ns += start - given[job];
  while (now_ns() - start < JOB_MS * 1000000u) {
  }
  uint64_t took = now_ns() - start;
  job_ns += took;
  if (took > longest_ns) longest_ns = took;
  finished++;
}

static NOINLINE bool fetch_job(void) {
  uint64_t bytes = 0;
  struct epoll_event ready;
  if (epoll) REQUIRE(epoll_wait(epoll, &ready, 1, -1) == 1);
  ssize_t got = read(ends[0], &bytes, sizeof bytes);
  REQUIRE(got == sizeof bytes || (got < 0 && errno == EAGAIN));
  return got > 0;
}

static void *worker_main(void *unused) {
  for (int job = 0; job <= JOBS;)
    if (fetch_job() && (job = fetched++) <= JOBS) do_job(job);
  return unused;
}

static NOINLINE void give_job(int job) {
  uint64_t one = 1;
  given[job] = now_ns();
  REQUIRE(write(ends[1], &one, sizeof one) == sizeof one);
}

static void begin(void) {
  if (!strcmp(kind, "pipe")) REQUIRE(pipe(ends) == 0);
  if (!strcmp(kind, "pair")) REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
  if (!strcmp(kind, "eventfd")) REQUIRE((ends[0] = ends[1] = eventfd(0, EFD_SEMAPHORE)) >= 0);
  if (strcmp(kind, "epoll") != 0) return;
  struct epoll_event event = {EPOLLIN, {0}};
  REQUIRE((ends[0] = ends[1] = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK)) >= 0);
  REQUIRE((epoll = epoll_create1(0)) > 0);
  REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) == 0);
}

int main(int argc, char **argv) {
  pthread_t workers[WORKERS];
  REQUIRE(argc > 1);
  kind = argv[1];
  begin();
  for (int i = 0; i < WORKERS; i++) REQUIRE_0(pthread_create(&workers[i], NULL, worker_main, NULL));
  sleep_ms(20);
  for (int i = 0; i < JOBS; i++) {
    give_job(i);
    if (i % BURST == BURST - 1) sleep_ms(JOB_MS * BURST / WORKERS + 8);
  }
  await_step(&finished, JOBS);
  if (argc > 2) {
    pthread_mutex_lock(&never);
    give_job(JOBS);
    sleep_ms(1300 + (unsigned)(longest_ns * 12 / 1000000));  // stuck is over ten times as long
    say("ready");
    pause();
  }
  printf("{\"jobs\": %d, \"workers\": %d, \"descriptor\": %d, \"queued_ns\": %lu, \"job_ns\": %lu, "
         "\"longest_ns\": %lu}\n",
         JOBS, WORKERS, epoll ? epoll : ends[0], queued_ns, job_ns, longest_ns);
  return 0;
}
