// SPDX-License-Identifier: Apache-2.0
// Three stalls of about 40 ms in slow_handler: an event loop over 4 pipes handles 200 events, of
// which those 3 come from the slow pipe. Turns, events and what they took are measured and printed.
#include "program.h"

#include <sys/epoll.h>

enum { PIPES = 4, SLOW_PIPE = 3, SLOW_MS = 40, QUICK_EVENTS = 197, SLOW_EVENTS = 3 };

static int ends[PIPES][2];
static unsigned turns, events, slow;
static uint64_t busy_ns, slow_ns[SLOW_EVENTS];  // of the turns with a slow event

static NOINLINE void slow_handler(int fd) {
  char byte;
  uint64_t start = now_ns();
  REQUIRE(read(fd, &byte, 1) == 1);
  while (now_ns() - start < SLOW_MS * 1000000u) {
  }
  slow++;
}

static NOINLINE void quick_handler(int fd) {
  char byte;
  REQUIRE(read(fd, &byte, 1) == 1);
}

static void run_turn(int epoll) {
  struct epoll_event ready[8];
  int count = epoll_wait(epoll, ready, 8, -1);
  REQUIRE(count > 0);
  unsigned slow_before = slow;
  uint64_t start = now_ns();
  for (int i = 0; i < count; i++) {
    int index = ready[i].data.fd;
    if (index == SLOW_PIPE)
      slow_handler(ends[index][0]);
    else
      quick_handler(ends[index][0]);
  }
  uint64_t took = now_ns() - start;
  if (slow > slow_before) slow_ns[slow_before] = took;
  busy_ns += took;
  turns++;
  events += (unsigned)count;
}

static void *client_main(void *unused) {
  for (int i = 0; i < QUICK_EVENTS; i++) {
    REQUIRE(write(ends[i % SLOW_PIPE][1], "x", 1) == 1);
    if (i % 60 == 30) REQUIRE(write(ends[SLOW_PIPE][1], "x", 1) == 1);
    if (i % 10 == 0) sleep_ms(2);
  }
  return unused;
}

int main(void) {
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  REQUIRE(epoll >= 0);
  for (int i = 0; i < PIPES; i++) {
    REQUIRE(pipe(ends[i]) == 0);
    struct epoll_event event = {EPOLLIN, {.fd = i}};
    REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[i][0], &event) == 0);
  }
  pthread_t client;
  REQUIRE_0(pthread_create(&client, NULL, client_main, NULL));
  while (events < QUICK_EVENTS + SLOW_EVENTS) run_turn(epoll);
  pthread_join(client, NULL);
  printf("{\"turns\": %u, \"events\": %u, \"busy_ns\": %lu, \"slow_ns\": [%lu, %lu, %lu]}\n", turns,
         events, busy_ns, slow_ns[0], slow_ns[1], slow_ns[2]);
  return 0;
}
