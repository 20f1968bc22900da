// SPDX-License-Identifier: Apache-2.0
// A loop over as many descriptors as the first argument says, of which 64 at a time become ready
// and are read, until as many as the second says have been: every descriptor is a task, and the
// events of the loop are counted and printed.
#include "program.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

enum { BATCH = 64 };

// As many at a time as this process may have.
static unsigned long take_limit(unsigned long wanted) {
  struct rlimit limit;
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  return wanted + 64 < limit.rlim_max ? wanted : limit.rlim_max - 64;
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

static void open_all(int epoll, int *descriptors, unsigned long count) {
  for (unsigned long i = 0; i < count; i++) {
    REQUIRE((descriptors[i] = eventfd(0, 0)) >= 0);
    struct epoll_event event = {EPOLLIN, {.fd = descriptors[i]}};
    REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, descriptors[i], &event) == 0);
  }
}

// Gives the turns that it took to read `events` of them.
static unsigned long run(int epoll, const int *descriptors, unsigned long count,
                         unsigned long events) {
  unsigned long turns = 0, next = 0;
  for (unsigned long done = 0; done < events; done += BATCH) {
    uint64_t one = 1;
    for (unsigned i = 0; i < BATCH; i++, next = (next + 1) % count)
      REQUIRE(write(descriptors[next], &one, sizeof one) == sizeof one);
    for (unsigned got = 0; got < BATCH; turns++) got += turn(epoll);
  }
  return turns;
}

int main(int argc, char **argv) {
  REQUIRE(argc > 2);
  unsigned long wanted = strtoul(argv[1], NULL, 10), events = strtoul(argv[2], NULL, 10);
  unsigned long live = take_limit(wanted), tasks = 0, turns = 0, share = events * live / wanted;
  share -= share % BATCH;
  int *descriptors = calloc(live, sizeof *descriptors), epoll = epoll_create1(0);
  for (; tasks < wanted; tasks += live) {
    if (wanted - tasks < live) live = wanted - tasks;
    open_all(epoll, descriptors, live);
    turns += run(epoll, descriptors, live, share);
    for (unsigned long i = 0; i < live; i++) close(descriptors[i]);
  }
  events = turns ? (tasks + take_limit(wanted) - 1) / take_limit(wanted) * share : 0;
  printf("{\"tasks\": %lu, \"events\": %lu, \"turns\": %lu}\n", tasks, events, turns);
  free(descriptors);
  return 0;
}
