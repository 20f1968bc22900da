// SPDX-License-Identifier: Apache-2.0
// Epoll sets in other arrangements than one thread and one set, by the first argument:
//   shared     three threads wait on one set
//   exclusive  each of three threads has a set of its own; EPOLLEXCLUSIVE
//   nested     a set is in a set; who waits there looks into the inner one
//   copied     reads are from a copy of what is in the set; the original is closed
//   inherited  a child waits on the set that its parent made
// 60 events come from a pipe (exclusive, shared: eventfd); each is handled for 2 ms of computation.
// How many were handled, and how long that took, is measured and printed.
#include "program.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

enum { EVENTS = 60, HANDLE_MS = 2, THREADS = 3, GAP_MS = 3 };

static int outer, inner, ends[2];
static atomic_int handled, waits;
static _Atomic uint64_t busy_ns, longest_ns;

static NOINLINE void handle(void) {
  uint64_t start = now_ns();
  while (now_ns() - start < HANDLE_MS * 1000000u) {
  }
  uint64_t took = now_ns() - start;
  busy_ns += took;
  if (took > longest_ns) longest_ns = took;
  handled++;
}

static bool take(int descriptor) {
  uint64_t bytes;
  return read(descriptor, &bytes, sizeof bytes) == sizeof bytes;
}

static int wait_on(int epoll, int timeout) {
  struct epoll_event ready;
  int count = epoll_wait(epoll, &ready, 1, timeout);
  waits += count > 0;
  return count;
}

static int set_with(int descriptor, uint32_t events) {
  struct epoll_event event = {events, {.u64 = 4711}};
  int epoll = epoll_create1(0);
  REQUIRE(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0);
  return epoll;
}

static void *worker_main(void *own) {
  int epoll = own ? set_with(ends[0], EPOLLIN | EPOLLEXCLUSIVE) : outer;
  while (handled < EVENTS)
    if (wait_on(epoll, 20) > 0 && take(ends[0])) handle();
  return own;
}

static void give(void) {
  uint64_t one = 1;
  REQUIRE(write(ends[1], &one, sizeof one) == sizeof one);
}

static void run_threads(bool own) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++)
    REQUIRE_0(pthread_create(&threads[i], NULL, worker_main, own ? &outer : NULL));
  sleep_ms(10);
  for (int i = 0; i < EVENTS; i++) {
    give();
    if (i % THREADS == 0) sleep_ms(GAP_MS);
  }
  for (int i = 0; i < THREADS; i++) REQUIRE_0(pthread_join(threads[i], NULL));
}

static void run_nested(void) {
  inner = set_with(ends[0], EPOLLIN);
  outer = set_with(inner, EPOLLIN);
  for (int i = 0; i < EVENTS; i++) {
    give();
    REQUIRE(wait_on(outer, -1) == 1 && wait_on(inner, 0) == 1);
    REQUIRE(take(ends[0]));
    handle();
  }
}

static void run_copied(void) {
  outer = set_with(ends[0], EPOLLIN);
  int copy = dup(ends[0]);
  close(ends[0]);
  for (int i = 0; i < EVENTS; i++) {
    give();
    REQUIRE(wait_on(outer, -1) == 1);
    REQUIRE(take(copy));
    handle();
  }
}

static void print_truth(void) {
  printf("{\"events\": %d, \"waits\": %d, \"threads\": %d, \"busy_ns\": %lu, \"longest_ns\": %lu, "
         "\"outer\": %d, \"inner\": %d, \"queue\": %d}\n",
         handled, waits, THREADS, busy_ns, longest_ns, outer, inner, ends[0]);
  fflush(stdout);
}

static void run_inherited(void) {
  outer = set_with(ends[0], EPOLLIN);
  pid_t child = fork();
  for (int i = 0; i < EVENTS && child > 0; i++) give();
  while (child == 0 && handled < EVENTS)
    if (wait_on(outer, -1) == 1 && take(ends[0])) handle();
  if (child == 0) {
    print_truth();
    exit(0);
  }
  int status;
  REQUIRE(waitpid(child, &status, 0) == child && status == 0);
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "shared";
  if (!strcmp(mode, "exclusive") || !strcmp(mode, "shared"))
    REQUIRE((ends[0] = ends[1] = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK)) >= 0);
  else
    REQUIRE(pipe(ends) == 0);
  if (!strcmp(mode, "shared")) outer = set_with(ends[0], EPOLLIN);
  if (!strcmp(mode, "nested"))
    run_nested();
  else if (!strcmp(mode, "copied"))
    run_copied();
  else if (!strcmp(mode, "inherited"))
    run_inherited();
  else
    run_threads(!strcmp(mode, "exclusive"));
  if (strcmp(mode, "inherited") != 0) print_truth();
  return 0;
}
