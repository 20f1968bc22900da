// SPDX-License-Identifier: Apache-2.0
// Loops at random, by the seed in the first argument: pipes, pairs and eventfds come and go in a
// set that three threads share, in sets of their own (some of them EPOLLEXCLUSIVE), in a set inside
// a set, and in loops of poll and select; level- and edge-triggered, once only, copied, closed
// while they are in, and inherited by a child. How many events each kind of wait returned is
// counted.
#include "program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { ENDS = 24, SHARING = 3, STEPS = 900, BATCH = 4 };

static int readers[ENDS], writers[ENDS];  // -1: none at the moment
static pthread_mutex_t ends_lock = PTHREAD_MUTEX_INITIALIZER;
static int shared, outer, inner;
static atomic_int stop;
static _Atomic uint64_t epoll_events, poll_events;

static unsigned below(unsigned *state, unsigned limit) { return (unsigned)rand_r(state) % limit; }

static void open_end(unsigned *state, int at) {
  int pair[2];
  switch (below(state, 3)) {
  case 0:
    REQUIRE(pipe2(pair, O_NONBLOCK) == 0);  // another may have read what poll has seen
    break;
  case 1:
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    break;
  default:
    pair[0] = eventfd(0, EFD_NONBLOCK);
    REQUIRE((pair[1] = dup(pair[0])) >= 0);
  }
  readers[at] = pair[0];
  writers[at] = pair[1];
}

static void close_end(int at) {
  close(readers[at]);
  close(writers[at]);
  readers[at] = writers[at] = -1;
}

static void add_somewhere(unsigned *state, int at) {
  static const uint32_t kinds[] = {EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT,
                                   EPOLLIN | EPOLLEXCLUSIVE};
  const int sets[] = {shared, outer, inner};
  struct epoll_event event = {kinds[below(state, 4)], {.u32 = (uint32_t)at}};
  epoll_ctl(sets[below(state, 3)], EPOLL_CTL_ADD, readers[at], &event);  // it may be in already
}

// What is ready may be closed by now, or read by another.
static void take(unsigned *state, int epoll, int at) {
  char bytes[64];
  struct pollfd ready = {-1, POLLIN, 0};
  pthread_mutex_lock(&ends_lock);
  if (at < ENDS && readers[at] >= 0) ready.fd = dup(readers[at]);
  if (epoll >= 0 && ready.fd >= 0 && below(state, 2)) {
    struct epoll_event event = {EPOLLIN | EPOLLONESHOT, {.u32 = (uint32_t)at}};
    epoll_ctl(epoll, EPOLL_CTL_MOD, readers[at], &event);
  }
  pthread_mutex_unlock(&ends_lock);
  if (ready.fd < 0) return;
  int flags = MSG_DONTWAIT;
  if (recv(ready.fd, bytes, sizeof bytes, flags) < 0 && errno == ENOTSOCK &&
      poll(&ready, 1, 0) == 1)
    (void)!read(ready.fd, bytes, 8);
  close(ready.fd);
  if (!below(state, 8)) usleep(100);
}

static int wait_for(unsigned *state, int epoll) {
  struct epoll_event ready[BATCH];
  int count = epoll_wait(epoll, ready, 1 + (int)below(state, BATCH), 2);
  if (count > 0) epoll_events += (unsigned)count;
  for (int i = 0; i < count; i++) take(state, epoll, (int)ready[i].data.u32);
  return count;
}

static void *sharing_main(void *seed) {
  unsigned state = (unsigned)(uintptr_t)seed;
  while (!stop) wait_for(&state, shared);
  return NULL;
}

static void *nesting_main(void *seed) {
  unsigned state = (unsigned)(uintptr_t)seed;
  while (!stop)
    if (wait_for(&state, outer) > 0) wait_for(&state, inner);
  return NULL;
}

static NOINLINE int poll_some(unsigned *state, const int *chosen, int count) {
  struct pollfd ready[ENDS];
  for (int i = 0; i < count; i++) ready[i] = (struct pollfd){chosen[i], POLLIN, 0};
  int found = poll(ready, (nfds_t)count, 2);
  for (int i = 0; i < count && found > 0; i++)
    if (ready[i].revents & POLLIN) take(state, -1, i);
  return found;
}

static NOINLINE int select_some(unsigned *state, const int *chosen, int count) {
  struct timeval limit = {0, 2000};
  fd_set ready;
  int top = -1;
  FD_ZERO(&ready);
  for (int i = 0; i < count; i++) {
    FD_SET(chosen[i], &ready);
    if (chosen[i] > top) top = chosen[i];
  }
  int found = select(top + 1, &ready, NULL, NULL, &limit);
  for (int i = 0; i < count && found > 0; i++)
    if (FD_ISSET(chosen[i], &ready)) take(state, -1, i);
  return found;
}

static void *polling_main(void *seed) {
  unsigned state = (unsigned)(uintptr_t)seed;
  bool polls = state & 1;
  while (!stop) {
    int chosen[ENDS], count = 0;
    pthread_mutex_lock(&ends_lock);
    for (int at = 0; at < ENDS; at++)
      if (readers[at] >= 0 && below(&state, 2)) chosen[count++] = readers[at];
    pthread_mutex_unlock(&ends_lock);
    int found = polls ? poll_some(&state, chosen, count) : select_some(&state, chosen, count);
    if (found > 0) poll_events += (unsigned)found;
  }
  return NULL;
}

// Waits on the sets that its parent made.
static void child_main(unsigned state) {
  for (int i = 0; i < 40; i++) wait_for(&state, below(&state, 2) ? shared : outer);
  exit(0);
}

static void step(unsigned *state) {
  uint64_t one = 1;
  int at = (int)below(state, ENDS);
  pthread_mutex_lock(&ends_lock);
  if (readers[at] < 0) {
    open_end(state, at);
    add_somewhere(state, at);
  } else if (!below(state, 6)) {
    close_end(at);
  } else if (!below(state, 6)) {
    epoll_ctl(shared, EPOLL_CTL_DEL, readers[at], NULL);
    add_somewhere(state, at);
  } else {
    (void)!write(writers[at], &one, sizeof one);
  }
  pthread_mutex_unlock(&ends_lock);
  if (!below(state, 3)) usleep(50);
}

int main(int argc, char **argv) {
  REQUIRE(argc == 2);
  unsigned state = (unsigned)atoi(argv[1]);
  pthread_t threads[SHARING + 3];
  struct epoll_event event = {EPOLLIN, {.u32 = ENDS}};
  memset(readers, -1, sizeof readers);
  shared = epoll_create1(0);
  outer = epoll_create1(0);
  inner = epoll_create1(0);
  REQUIRE(epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event) == 0);
  for (int i = 0; i < STEPS / 4; i++) step(&state);
  pid_t child = fork();
  if (!child) child_main(state);
  for (uintptr_t i = 0; i < SHARING; i++)
    REQUIRE_0(pthread_create(&threads[i], NULL, sharing_main, (void *)(state + i)));
  REQUIRE_0(pthread_create(&threads[SHARING], NULL, nesting_main, (void *)(uintptr_t)state));
  for (uintptr_t i = 0; i < 2; i++)
    REQUIRE_0(pthread_create(&threads[SHARING + 1 + i], NULL, polling_main, (void *)(state + i)));
  for (int i = 0; i < STEPS; i++) step(&state);
  stop = 1;
  for (int i = 0; i < SHARING + 3; i++) REQUIRE_0(pthread_join(threads[i], NULL));
  REQUIRE(waitpid(child, NULL, 0) == child);
  printf("{\"epoll_events\": %lu, \"poll_events\": %lu}\n", epoll_events, poll_events);
  return 0;
}
