// SPDX-License-Identifier: Apache-2.0
// One bad habit of an event loop, named by the first argument, which its lint must find; with a
// second argument the same work done well, of which nothing must be said:
//   blocking   a handler sleeps 5 ms (well: it does not)
//   busy       asks 2,000 times not to wait, and finds nothing (well: waits)
//   self       wakes itself through an eventfd, 40 times (well: another thread does)
//   starved    the first of a batch of two runs for 150 ms (well: 1 ms)
//   saturated  asks for two events where there are four, 200 times (well: for eight)
//   threads    four threads end, and nobody joins them for 1.1 s (well: joined at once)
//   hog        a handler computes 150 ms (well: 1 ms)
//   lock       a handler waits 5 ms for a lock, ten times (well: for one that is free)
//   reset      the peer resets its connection (well: closes it)
#include "program.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

enum { PIPES = 4 };

static bool well;
static int epoll, ends[PIPES][2], bell;

static void add(int descriptor) {
  struct epoll_event event = {EPOLLIN, {.fd = descriptor}};
  REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0);
}

static void give(int descriptor) {
  uint64_t one = 1;
  REQUIRE(write(descriptor, &one, sizeof one) == sizeof one);
}

static void take(int descriptor) {
  uint64_t bytes;
  REQUIRE(read(descriptor, &bytes, sizeof bytes) == sizeof bytes);
}

static NOINLINE void compute(unsigned ms) {
  for (uint64_t start = now_ns(); now_ns() - start < ms * 1000000u;) {
  }
}

// How many were ready.
static int turn(int asked, int timeout, bool takes) {
  struct epoll_event ready[8];
  int count = epoll_wait(epoll, ready, asked, timeout);
  for (int i = 0; i < count && takes; i++) take(ready[i].data.fd);
  return count;
}

static NOINLINE void handle_slowly(void) {
  if (well) return;
  sleep_ms(5);
}

static void blocking(void) {
  for (int i = 0; i < 10; i++) {
    give(ends[0][1]);
    turn(8, -1, true);
    handle_slowly();
  }
}

static void busy(void) {
  for (int i = 0; i < 2000 && !well; i++) turn(8, 0, true);
  for (int i = 0; i < 20; i++) {
    give(ends[0][1]);
    turn(8, -1, true);
  }
}

static void *ring_bell(void *unused) {
  give(bell);
  return unused;
}

static void self(void) {
  add(bell);
  for (int i = 0; i < 40; i++) {
    pthread_t other;
    if (well)
      REQUIRE_0(pthread_create(&other, NULL, ring_bell, NULL));
    else
      give(bell);
    turn(8, -1, true);
    if (well) REQUIRE_0(pthread_join(other, NULL));
  }
}

static void starved(void) {
  struct epoll_event ready[8];
  for (int i = 0; i < 2; i++) give(ends[i][1]);
  REQUIRE(epoll_wait(epoll, ready, 8, -1) == 2);
  take(ready[0].data.fd);
  compute(well ? 1 : 150);
  take(ready[1].data.fd);
  turn(8, 0, true);
}

static void hog(void) {
  for (int i = 0; i < 4; i++) {
    give(ends[0][1]);
    turn(8, -1, true);
    compute(well ? 1 : 150);
  }
}

static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;
static atomic_int asked, held;

static void *holder_main(void *unused) {
  for (int i = 1; i <= 10; i++) {
    await_step(&asked, i);
    pthread_mutex_lock(&table);
    atomic_store(&held, i);
    sleep_ms(5);
    pthread_mutex_unlock(&table);
  }
  return unused;
}

static NOINLINE void handle_with_lock(int round) {
  if (!well) atomic_store(&asked, round);
  while (!well && atomic_load(&held) < round) {
  }
  pthread_mutex_lock(&table);
  pthread_mutex_unlock(&table);
}

static void lock(void) {
  pthread_t holder;
  if (!well) REQUIRE_0(pthread_create(&holder, NULL, holder_main, NULL));
  for (int i = 1; i <= 10; i++) {
    give(ends[0][1]);
    turn(8, -1, true);
    handle_with_lock(i);
  }
  if (!well) REQUIRE_0(pthread_join(holder, NULL));
}

static void saturated(void) {
  for (int i = 0; i < 200; i++) {
    for (int at = 0; at < PIPES && i % 2 == 0; at++) give(ends[at][1]);
    if (!well || i % 2 == 0) turn(well ? 8 : 2, 0, true);
  }
}

static void *end_at_once(void *unused) { return unused; }

static void threads(void) {
  for (int i = 0; i < 4; i++) {
    pthread_t thread;
    REQUIRE_0(pthread_create(&thread, NULL, end_at_once, NULL));
    if (well) REQUIRE_0(pthread_join(thread, NULL));
  }
  sleep_ms(1100);
}

static void reset(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  struct linger at_once = {.l_onoff = 1};
  socklen_t size = sizeof address;
  char byte;
  int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
  REQUIRE(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 8) == 0);
  REQUIRE(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
  REQUIRE(connect(client, (struct sockaddr *)&address, size) == 0);
  int connection = accept(listener, NULL, NULL);
  add(connection);
  if (!well) REQUIRE(setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
  close(client);
  turn(8, -1, false);
  REQUIRE(read(connection, &byte, 1) == (well ? 0 : -1));
  close(connection);
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*run)(void);
  } habits[] = {{"blocking", blocking}, {"busy", busy},           {"self", self},
                {"starved", starved},   {"saturated", saturated}, {"threads", threads},
                {"hog", hog},           {"lock", lock},           {"reset", reset}};
  well = argc > 2;
  epoll = epoll_create1(0);
  bell = eventfd(0, 0);
  REQUIRE(argc > 1 && epoll >= 0 && bell >= 0);
  for (int i = 0; i < PIPES; i++) {
    REQUIRE(pipe(ends[i]) == 0);
    add(ends[i][0]);
  }
  for (size_t i = 0; i < sizeof habits / sizeof *habits; i++)
    if (!strcmp(habits[i].name, argv[1])) habits[i].run();
  return 0;
}
