// SPDX-License-Identifier: Apache-2.0
// 20 pipes are registered with an epoll instance, written to, waited for, read and closed, twice
// over: what INSPECT_MAX_TASKS allows is kept each time, and the rest is counted.
#include "program.h"

#include <sys/epoll.h>

enum { PIPES = 20 };

static void serve(int epoll) {
  struct epoll_event ready[PIPES];
  char byte;
  const int count = epoll_wait(epoll, ready, PIPES, 1000);
  REQUIRE(count == PIPES);
  for (int i = 0; i < count; i++) REQUIRE(read(ready[i].data.fd, &byte, 1) == 1);
}

int main(void) {
  int ends[PIPES][2];
  const int epoll = epoll_create1(0);
  REQUIRE(epoll >= 0);
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < PIPES; i++) {
      REQUIRE(pipe(ends[i]) == 0);
      struct epoll_event event = {.events = EPOLLIN, .data.fd = ends[i][0]};
      REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[i][0], &event) == 0);
      REQUIRE(write(ends[i][1], "x", 1) == 1);
    }
    serve(epoll);
    for (int i = 0; i < PIPES; i++) REQUIRE(close(ends[i][0]) == 0 && close(ends[i][1]) == 0);
  }
  return 0;
}
