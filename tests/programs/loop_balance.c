// SPDX-License-Identifier: Apache-2.0
// Four loops made in one place, each in a thread of its own, of which the first is given 7 of every
// 10 events (with an argument: each a fourth). How many each was given, and how long its turns took
// by its own clock, is printed.
#include "program.h"

#include <sys/epoll.h>

enum { LOOPS = 4, ROUNDS = 40, TURN_US = 200 };

typedef struct {
  int epoll, ends[2];
  _Atomic uint64_t events, busy_ns;
} loop_t;

static loop_t loops[LOOPS];

static NOINLINE void make(loop_t *loop) {
  struct epoll_event event = {EPOLLIN, {.ptr = loop}};
  REQUIRE(pipe(loop->ends) == 0);
  loop->epoll = epoll_create1(0);
  REQUIRE(epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->ends[0], &event) == 0);
}

static void *loop_main(void *argument) {
  loop_t *loop = argument;
  struct epoll_event ready;
  for (char byte = 1; byte;) {
    REQUIRE(epoll_wait(loop->epoll, &ready, 1, -1) == 1);
    uint64_t start = now_ns();
    REQUIRE(read(loop->ends[0], &byte, 1) == 1);
    while (now_ns() - start < TURN_US * 1000u) {
    }
    loop->busy_ns += now_ns() - start;
    loop->events++;
  }
  return NULL;
}

// Waits until it is taken, so that no two are in one batch.
static void give(loop_t *loop, char byte) {
  uint64_t events = loop->events;
  REQUIRE(write(loop->ends[1], &byte, 1) == 1);
  while (loop->events == events) usleep(20);
}

int main(int argc, char **argv) {
  static const int uneven[] = {0, 1, 0, 2, 0, 3, 0, 0, 0, 0}, even[] = {0, 1, 2, 3};
  const int *order = argc > 1 ? even : uneven;
  size_t length = argc > 1 ? sizeof even / sizeof *even : sizeof uneven / sizeof *uneven;
  pthread_t threads[LOOPS];
  volatile int count = LOOPS;  // unrolled, it would be four places
  (void)argv;
  for (int i = 0; i < count; i++) make(&loops[i]);
  for (int i = 0; i < LOOPS; i++)
    REQUIRE_0(pthread_create(&threads[i], NULL, loop_main, &loops[i]));
  for (int round = 0; round < ROUNDS; round++)
    for (size_t i = 0; i < length; i++) give(&loops[order[i]], 1);
  for (int i = 0; i < LOOPS; i++) give(&loops[i], 0);
  printf("{\"loops\": [");
  for (int i = 0; i < LOOPS; i++) {
    REQUIRE_0(pthread_join(threads[i], NULL));
    printf("%s{\"descriptor\": %d, \"events\": %lu, \"busy_ns\": %lu}", i ? ", " : "",
           loops[i].epoll, loops[i].events, loops[i].busy_ns);
  }
  printf("]}\n");
  return 0;
}
