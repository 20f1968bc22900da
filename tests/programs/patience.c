// SPDX-License-Identifier: Apache-2.0
// What is only told by waiting, all at once, for 31 s: a connection that stays open although its
// peer closed it, a pipe in a loop that is never ready, a thread that waits for a signal that came
// before, a thread that waits for a lock. With an argument the same done well: closed, written to,
// signalled again, and the lock given. Says `ready` and waits.
#include "program.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { WAIT_MS = 31000 };

static bool well;
static int epoll, ends[2];
static pthread_mutex_t kept = PTHREAD_MUTEX_INITIALIZER, queue = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static atomic_int waits;

static void add(int descriptor) {
  struct epoll_event event = {EPOLLIN | EPOLLET, {.fd = descriptor}};
  REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0);
}

static int connection_with_gone_peer(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
  snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "patience-%d", (int)getpid());
  REQUIRE(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
  REQUIRE(listen(listener, 8) == 0);
  REQUIRE(connect(client, (struct sockaddr *)&address, sizeof address) == 0);
  int connection = accept(listener, NULL, NULL);
  REQUIRE(connection >= 0);
  close(client);
  close(listener);
  return connection;
}

// One turn: the connection says that its peer is gone.
static void turn(int connection) {
  struct epoll_event ready;
  char byte;
  REQUIRE(epoll_wait(epoll, &ready, 1, -1) == 1 && ready.data.fd == connection);
  REQUIRE(read(connection, &byte, 1) == 0);
  if (well) close(connection);
  if (well) REQUIRE(write(ends[1], "x", 1) == 1);
  if (well) REQUIRE(epoll_wait(epoll, &ready, 1, -1) == 1 && read(ends[0], &byte, 1) == 1);
}

static NOINLINE void wait_for_signal(void) {
  pthread_mutex_lock(&queue);
  atomic_fetch_add(&waits, 1);
  pthread_cond_wait(&arrived, &queue);
  pthread_mutex_unlock(&queue);
}

static void *waiter_main(void *unused) {
  wait_for_signal();
  return unused;
}

static NOINLINE void wait_for_lock(void) {
  atomic_fetch_add(&waits, 1);
  pthread_mutex_lock(&kept);
  pthread_mutex_unlock(&kept);
}

static void *locker_main(void *unused) {
  wait_for_lock();
  return unused;
}

static void end_waits(void) {
  pthread_mutex_lock(&queue);
  pthread_cond_signal(&arrived);
  pthread_mutex_unlock(&queue);
  pthread_mutex_unlock(&kept);
}

int main(int argc, char **argv) {
  pthread_t waiter, locker;
  struct epoll_event ready;
  (void)argv;
  well = argc > 1;
  epoll = epoll_create1(0);
  REQUIRE(epoll >= 0 && pipe(ends) == 0);
  int connection = connection_with_gone_peer();
  add(connection);
  add(ends[0]);
  turn(connection);
  pthread_cond_signal(&arrived);
  pthread_mutex_lock(&kept);
  REQUIRE_0(pthread_create(&waiter, NULL, waiter_main, NULL));
  REQUIRE_0(pthread_create(&locker, NULL, locker_main, NULL));
  await_step(&waits, 2);
  sleep_ms(50);
  if (well) end_waits();
  REQUIRE(epoll_wait(epoll, &ready, 1, WAIT_MS) == 0);
  say("ready");
  pause();
  return 0;
}
