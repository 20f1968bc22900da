// SPDX-License-Identifier: Apache-2.0
// More busy event loops than processors (with an argument: so many): each turns without rest for
// 1.2 s, and none ends before the program. How long each ran, and was runnable but not running, is
// what the kernel tells it in the end, and is printed.
#include "program.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

enum { LOOPS_MAX = 64, TURN_MS = 2, RUN_MS = 1200 };

static uint64_t ran_ns[LOOPS_MAX], runnable_ns[LOOPS_MAX];
static atomic_int finished;

static void turn(int epoll) {
  struct epoll_event ready;
  uint64_t start = now_ns();
  REQUIRE(epoll_wait(epoll, &ready, 1, -1) == 1);
  while (now_ns() - start < TURN_MS * 1000000u) {
  }
}

static void *loop_main(void *index) {
  int epoll = epoll_create1(0), always = eventfd(1, 0);
  struct epoll_event event = {EPOLLIN, {.fd = always}};
  REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, always, &event) == 0);
  for (uint64_t start = now_ns(); now_ns() - start < RUN_MS * 1000000u;) turn(epoll);
  FILE *counters = fopen("/proc/thread-self/schedstat", "re");
  REQUIRE(counters && fscanf(counters, "%lu %lu", &ran_ns[(intptr_t)index],
                             &runnable_ns[(intptr_t)index]) == 2);
  fclose(counters);
  finished++;
  pause();
  return NULL;
}

int main(int argc, char **argv) {
  cpu_set_t allowed;
  REQUIRE(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
  int processors = CPU_COUNT(&allowed), loops = argc > 1 ? atoi(argv[1]) : processors + 1;
  if (loops > LOOPS_MAX) loops = LOOPS_MAX;
  for (intptr_t i = 0; i < loops; i++) {
    pthread_t thread;
    REQUIRE_0(pthread_create(&thread, NULL, loop_main, (void *)i));
  }
  await_step(&finished, loops);
  uint64_t ran = 0, runnable = 0;
  for (int i = 0; i < loops; i++) {
    ran += ran_ns[i];
    runnable += runnable_ns[i];
  }
  printf("{\"loops\": %d, \"processors\": %d, \"ran_ns\": %lu, \"runnable_ns\": %lu}\n", loops,
         processors, ran, runnable);
  return 0;
}
