// SPDX-License-Identifier: Apache-2.0
// A loop that opens 600 connections itself, 20 at a time with 5 requests on each, every other one
// registered before it is connected: what it counts must be found at any rate of sampling. The
// thread that serves them has no loop.
#include "program.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { LIVE = 20, ROUNDS = 30, REQUESTS = 5, REQUEST_BYTES = 100, ANSWER_BYTES = 40, BATCH = 64 };

typedef struct {
  int descriptor, answered;
} client_t;

static struct { unsigned long turns, events, opened, bytes; } counted;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t address_length;
static int listener, begin;
static client_t clients[LIVE];
static int live;

static void *serve(void *unused) {
  char request[REQUEST_BYTES], answer[ANSWER_BYTES] = {0};
  for (int round = 0; round < ROUNDS; round++) {
    int connections[LIVE];
    for (int i = 0; i < LIVE; i++) REQUIRE((connections[i] = accept(listener, NULL, NULL)) >= 0);
    for (int i = 0; i < LIVE * REQUESTS; i++) {
      REQUIRE(recv(connections[i % LIVE], request, sizeof request, MSG_WAITALL) == sizeof request);
      REQUIRE(send(connections[i % LIVE], answer, sizeof answer, 0) == sizeof answer);
    }
    for (int i = 0; i < LIVE; i++) close(connections[i]);
  }
  return unused;
}

static void ask(const client_t *client) {
  static const char request[REQUEST_BYTES];
  REQUIRE(write(client->descriptor, request, sizeof request) == sizeof request);
}

static void add(int epoll, client_t *client) {
  struct epoll_event event = {EPOLLIN, {.ptr = client}};
  REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, client->descriptor, &event) == 0);
}

static void connect_to_server(const client_t *client) {
  REQUIRE(connect(client->descriptor, (struct sockaddr *)&address, address_length) == 0);
}

static NOINLINE void open_all(int epoll) {
  for (int i = 0; i < LIVE; i++) {
    client_t *client = &clients[i];
    client->answered = 0;
    REQUIRE((client->descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)) >= 0);
    if (i % 2) add(epoll, client);
    connect_to_server(client);
    if (i % 2 == 0) add(epoll, client);
    ask(client);
    ++counted.opened;
  }
  live = LIVE;
}

static NOINLINE void answer_read(client_t *client) {
  char answer[ANSWER_BYTES];
  REQUIRE(read(client->descriptor, answer, sizeof answer) == sizeof answer);
  counted.bytes += sizeof answer;
  if (++client->answered < REQUESTS) {
    ask(client);
    return;
  }
  close(client->descriptor);
  if (--live == 0) REQUIRE(eventfd_write(begin, 1) == 0);
}

static void run(void) {
  int epoll = epoll_create1(0);
  struct epoll_event ready[BATCH], event = {EPOLLIN, {.ptr = NULL}};
  REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, begin, &event) == 0);
  for (int rounds = 0; rounds <= ROUNDS; counted.turns++) {
    int count = epoll_wait(epoll, ready, BATCH, -1);
    REQUIRE(count > 0);
    counted.events += (unsigned long)count;
    for (int i = 0; i < count; i++) {
      eventfd_t value;
      if (ready[i].data.ptr) {
        answer_read(ready[i].data.ptr);
        continue;
      }
      REQUIRE(eventfd_read(begin, &value) == 0);
      if (rounds++ < ROUNDS) open_all(epoll);
    }
  }
  close(epoll);
}

int main(void) {
  int name = snprintf(address.sun_path + 1, 40, "sampled-clients-%d", getpid());
  address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)name);
  REQUIRE((listener = socket(AF_UNIX, SOCK_STREAM, 0)) >= 0);
  REQUIRE(bind(listener, (struct sockaddr *)&address, address_length) == 0);
  REQUIRE(listen(listener, LIVE) == 0);
  REQUIRE((begin = eventfd(1, 0)) >= 0);
  pthread_t server;
  REQUIRE_0(pthread_create(&server, NULL, serve, NULL));
  run();
  REQUIRE_0(pthread_join(server, NULL));
  printf("{\"turns\": %lu, \"events\": %lu, \"opened\": %lu, \"bytes\": %lu}\n", counted.turns,
         counted.events, counted.opened, counted.bytes);
  return 0;
}
