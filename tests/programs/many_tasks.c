// SPDX-License-Identifier: Apache-2.0
// A loop over as many descriptors as the first argument says, of which 64 at a time become ready
// and are read, until as many as the second says have been: every descriptor is a task, and the
// events of the loop are counted and printed.
#include "program.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

enum { BATCH = 64 };

static void take_limit(rlim_t wanted) {
  struct rlimit limit;
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  if (limit.rlim_max < wanted + 64) limit.rlim_max = wanted + 64;
  limit.rlim_cur = limit.rlim_max;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static unsigned turn(int epoll) {
  struct epoll_event ready[BATCH];
  uint64_t bytes;
  int count = epoll_wait(epoll, ready, BATCH, -1);
  for (int i = 0; i < count; i++)
    REQUIRE(read(ready[i].data.fd, &bytes, sizeof bytes) == sizeof bytes);
  REQUIRE(count > 0);
  return (unsigned)count;
}

int main(int argc, char **argv) {
  REQUIRE(argc > 2);
  unsigned long tasks = strtoul(argv[1], NULL, 10), wanted = strtoul(argv[2], NULL, 10);
  unsigned long events = 0, turns = 0, next = 0;
  int *descriptors = calloc(tasks, sizeof *descriptors), epoll = epoll_create1(0);
  take_limit(tasks);
  for (unsigned long i = 0; i < tasks; i++) {
    REQUIRE((descriptors[i] = eventfd(0, 0)) >= 0);
    struct epoll_event event = {EPOLLIN, {.fd = descriptors[i]}};
    REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, descriptors[i], &event) == 0);
  }
  while (events < wanted) {
    uint64_t one = 1;
    for (unsigned i = 0; i < BATCH; i++, next = (next + 1) % tasks)
      REQUIRE(write(descriptors[next], &one, sizeof one) == sizeof one);
    for (unsigned got = 0; got < BATCH; turns++) got += turn(epoll);
    events += BATCH;
  }
  printf("{\"tasks\": %lu, \"events\": %lu, \"turns\": %lu}\n", tasks, events, turns);
  free(descriptors);
  return 0;
}
