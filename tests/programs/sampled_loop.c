// SPDX-License-Identifier: Apache-2.0
// A loop that serves 600 connections, 20 at a time with 5 requests each, and stalls twice, once
// spinning and once asleep: what it counts itself must be found at any rate of sampling. With
// "stay" it waits to be killed then.
#include "program.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { LIVE = 20, ROUNDS = 30, REQUESTS = 5, REQUEST_BYTES = 100, ANSWER_BYTES = 40, BATCH = 64 };
enum { SPINS = 3 * LIVE + 7, SLEEPS = 5 * LIVE + 11, STALL_MS = 60 };  // connections that do

static struct { unsigned long turns, events, accepted, requests, bytes; } counted;
static int spun, slept;  // which descriptors those were
static int listener, quit;

// Nothing that is recorded happens here.
static NOINLINE void spin(void) {
  for (uint64_t until = now_ns() + STALL_MS * 1000000ull; now_ns() < until;) {
  }
}

static void accept_one(int epoll) {
  struct epoll_event event = {EPOLLIN, {.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)}};
  REQUIRE(event.data.fd >= 0);
  REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event) == 0);
  ++counted.accepted;
}

static NOINLINE void serve(int connection) {
  char request[REQUEST_BYTES], answer[ANSWER_BYTES] = {0};
  ssize_t length = read(connection, request, sizeof request);
  if (length == 0) {
    close(connection);
    return;
  }
  REQUIRE(length == sizeof request);
  ++counted.requests;
  counted.bytes += (unsigned long)length;
  if (request[0] == 'S') {
    spun = connection;
    spin();
  }
  if (request[0] == 'B') {
    slept = connection;
    sleep_ms(STALL_MS);
  }
  REQUIRE(write(connection, answer, sizeof answer) == sizeof answer);
}

static void *loop(void *unused) {
  int epoll = epoll_create1(0);
  struct epoll_event ready[BATCH], ask = {EPOLLIN, {.fd = listener}}, end = {EPOLLIN, {.fd = quit}};
  REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &ask) == 0);
  REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, quit, &end) == 0);
  for (bool running = true; running; counted.turns++) {
    int count = epoll_wait(epoll, ready, BATCH, -1);
    REQUIRE(count > 0);
    counted.events += (unsigned long)count;
    for (int i = 0; i < count; i++) {
      if (ready[i].data.fd == listener)
        accept_one(epoll);
      else if (ready[i].data.fd == quit)
        running = false;
      else
        serve(ready[i].data.fd);
    }
  }
  close(epoll);
  return unused;
}

static void answers(const int *connections) {
  char answer[ANSWER_BYTES];
  for (int i = 0; i < LIVE; i++)
    REQUIRE(recv(connections[i], answer, sizeof answer, MSG_WAITALL) == sizeof answer);
}

static void round_of(const struct sockaddr_un *address, socklen_t length, int first) {
  int connections[LIVE];
  for (int i = 0; i < LIVE; i++) {
    REQUIRE((connections[i] = socket(AF_UNIX, SOCK_STREAM, 0)) >= 0);
    REQUIRE(connect(connections[i], (const struct sockaddr *)address, length) == 0);
  }
  for (int request = 0; request < REQUESTS; request++) {
    for (int i = 0; i < LIVE; i++) {
      char text[REQUEST_BYTES] = "-";
      if (request == 2 && first + i == SPINS) text[0] = 'S';
      if (request == 2 && first + i == SLEEPS) text[0] = 'B';
      REQUIRE(send(connections[i], text, sizeof text, 0) == sizeof text);
    }
    answers(connections);
  }
  for (int i = 0; i < LIVE; i++) close(connections[i]);
}

int main(int count, char **arguments) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int name = snprintf(address.sun_path + 1, 40, "sampled-loop-%d", getpid());
  socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)name);
  REQUIRE((listener = socket(AF_UNIX, SOCK_STREAM, 0)) >= 0);
  REQUIRE(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, LIVE) == 0);
  REQUIRE((quit = eventfd(0, 0)) >= 0);
  pthread_t server;
  REQUIRE_0(pthread_create(&server, NULL, loop, NULL));
  for (int round = 0; round < ROUNDS; round++) round_of(&address, length, round * LIVE);
  REQUIRE(eventfd_write(quit, 1) == 0);
  REQUIRE_0(pthread_join(server, NULL));
  printf("{\"turns\": %lu, \"events\": %lu, \"accepted\": %lu, \"requests\": %lu, \"bytes\": %lu, "
         "\"spun\": %d, \"slept\": %d}\n",
         counted.turns, counted.events, counted.accepted, counted.requests, counted.bytes, spun,
         slept);
  fflush(stdout);
  while (count > 1 && strcmp(arguments[1], "stay") == 0) pause();
  return 0;
}
