// SPDX-License-Identifier: Apache-2.0
// Three connections of one listener: one computes 5 ms a request, one waits 6 ms for a lock, one
// answers at once. The program measures what each waited in the batch, ran, was blocked and took to
// answer, and prints it. `tasks poll` does the same with poll in place of epoll; so do ppoll,
// select and pselect; `edge` and `oneshot` are epoll with EPOLLET and EPOLLONESHOT.
#include "program.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>

enum { CONNECTIONS = 3, ROUNDS = 30, COMPUTES = 0, LOCKS = 1, COMPUTE_MS = 5, HOLD_MS = 6 };

typedef struct {
  int descriptor, client;
  uint64_t scheduled_ns, running_ns, blocked_ns, longest_ns, answer_max_ns;
} connection_t;

static connection_t connections[CONNECTIONS];
static int epoll, listener;
static uint64_t returned_ns;
static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;
static atomic_int wanted, held;

static void *holder_main(void *unused) {
  for (int round = 1; round <= ROUNDS; round++) {
    await_step(&wanted, round);
    pthread_mutex_lock(&table);
    atomic_store(&held, round);
    sleep_ms(HOLD_MS);
    pthread_mutex_unlock(&table);
  }
  return unused;
}

static NOINLINE void compute(void) {
  uint64_t start = now_ns();
  while (now_ns() - start < COMPUTE_MS * 1000000u) {
  }
}

static NOINLINE uint64_t wait_for_lock(int round) {
  atomic_store(&wanted, round);
  while (atomic_load(&held) < round) {
  }
  uint64_t start = now_ns();
  pthread_mutex_lock(&table);
  uint64_t waited = now_ns() - start;
  pthread_mutex_unlock(&table);
  return waited;
}

static NOINLINE void handle(connection_t *one, int round) {
  char byte;
  uint64_t start = now_ns(), blocked = 0;
  one->scheduled_ns += start - returned_ns;
  REQUIRE(read(one->descriptor, &byte, 1) == 1);
  uint64_t asked = now_ns();
  if (one == &connections[COMPUTES]) compute();
  if (one == &connections[LOCKS]) blocked = wait_for_lock(round);
  REQUIRE(write(one->descriptor, "x", 1) == 1);
  uint64_t end = now_ns();
  one->blocked_ns += blocked;
  one->running_ns += end - start - blocked;
  if (end - start > one->longest_ns) one->longest_ns = end - start;
  if (end - asked > one->answer_max_ns) one->answer_max_ns = end - asked;
}

static const char *mode = "epoll";
static bool is_mode(const char *name) { return !strcmp(mode, name); }

static void turn_epoll(int round) {
  struct epoll_event ready[8];
  int count = epoll_wait(epoll, ready, 8, -1);
  returned_ns = now_ns();
  REQUIRE(count == CONNECTIONS);
  for (int i = 0; i < count; i++) handle(ready[i].data.ptr, round);
  for (int i = 0; i < count && is_mode("oneshot"); i++) {
    const connection_t *one = ready[i].data.ptr;
    ready[i].events = EPOLLIN | EPOLLONESHOT;
    REQUIRE(epoll_ctl(epoll, EPOLL_CTL_MOD, one->descriptor, &ready[i]) == 0);
  }
}

static int wait_poll(void) {
  struct pollfd asked[CONNECTIONS];
  for (int i = 0; i < CONNECTIONS; i++)
    asked[i] = (struct pollfd){.fd = connections[i].descriptor, .events = POLLIN};
  return is_mode("poll") ? poll(asked, CONNECTIONS, -1) : ppoll(asked, CONNECTIONS, NULL, NULL);
}

static int wait_select(void) {
  fd_set readable;
  int highest = 0;
  FD_ZERO(&readable);
  for (int i = 0; i < CONNECTIONS; i++) {
    FD_SET(connections[i].descriptor, &readable);
    if (connections[i].descriptor > highest) highest = connections[i].descriptor;
  }
  return is_mode("select") ? select(highest + 1, &readable, NULL, NULL, NULL)
                           : pselect(highest + 1, &readable, NULL, NULL, NULL, NULL);
}

static void turn_poll(int round) {
  int count = is_mode("poll") || is_mode("ppoll") ? wait_poll() : wait_select();
  returned_ns = now_ns();
  REQUIRE(count == CONNECTIONS);
  for (int i = 0; i < CONNECTIONS; i++) handle(&connections[i], round);
}

static void begin(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof address;
  struct epoll_event event = {EPOLLIN, {.ptr = &listener}};
  epoll = epoll_create1(0);
  listener = socket(AF_INET, SOCK_STREAM, 0);
  REQUIRE(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 8) == 0);
  REQUIRE(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
  REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) == 0);
  for (int i = 0; i < CONNECTIONS; i++) {
    connection_t *one = &connections[i];
    one->client = socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(connect(one->client, (struct sockaddr *)&address, sizeof address) == 0);
    REQUIRE((one->descriptor = accept(listener, NULL, NULL)) >= 0);
    event.data.ptr = one;
    event.events = EPOLLIN | (is_mode("edge") ? EPOLLET : is_mode("oneshot") ? EPOLLONESHOT : 0);
    REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, one->descriptor, &event) == 0);
  }
}

// All requests are there before the loop waits, so that each turn has all three in their order.
static void ask_all(void) {
  for (int i = 0; i < CONNECTIONS; i++) {
    int arrived = 0;
    REQUIRE(write(connections[i].client, "x", 1) == 1);
    while (!arrived) REQUIRE(ioctl(connections[i].descriptor, FIONREAD, &arrived) == 0);
  }
}

static void take_answers(void) {
  char byte;
  for (int i = 0; i < CONNECTIONS; i++) REQUIRE(read(connections[i].client, &byte, 1) == 1);
}

// A loop of poll is one from its second wait on.
static void forget_round(void) {
  for (int i = 0; i < CONNECTIONS; i++) {
    connection_t *one = &connections[i];
    one->scheduled_ns = one->running_ns = one->blocked_ns = one->longest_ns = 0;
  }
}

static void print_truth(int rounds) {
  printf("{\"listener\": %d, \"rounds\": %d, \"connections\": [", listener, rounds);
  for (int i = 0; i < CONNECTIONS; i++) {
    const connection_t *one = &connections[i];
    printf(
        "%s{\"descriptor\": %d, \"scheduled_ns\": %lu, \"running_ns\": %lu, \"blocked_ns\": %lu, "
        "\"longest_ns\": %lu, \"answer_max_ns\": %lu}",
        i ? ", " : "", one->descriptor, one->scheduled_ns, one->running_ns, one->blocked_ns,
        one->longest_ns, one->answer_max_ns);
  }
  printf("]}\n");
}

int main(int argc, char **argv) {
  pthread_t holder;
  if (argc > 1) mode = argv[1];
  bool polls = strstr(mode, "poll") == mode || strstr(mode, "ppoll") || strstr(mode, "select");
  begin();
  REQUIRE_0(pthread_create(&holder, NULL, holder_main, NULL));
  ask_all();
  for (int round = 1; round <= ROUNDS; round++) {
    if (polls)
      turn_poll(round);
    else
      turn_epoll(round);
    take_answers();
    if (polls && round == 1) forget_round();
    if (round < ROUNDS) ask_all();
  }
  REQUIRE_0(pthread_join(holder, NULL));
  print_truth(polls ? ROUNDS - 1 : ROUNDS);
  return 0;
}
