// SPDX-License-Identifier: Apache-2.0
// The client: four connections at a time, each request answered before the next.
#include "tools/demo/demo.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PAUSE_US = 6000 };

static int server_connect(uint16_t port) {
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  if (descriptor < 0) demo_fail("client: socket");
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0)
    demo_fail("client: connect");
  return descriptor;
}

static void request_send(int descriptor, char request) {
  if (write(descriptor, &request, 1) != 1) demo_fail("client: write");
}

static void answer_await(int descriptor) {
  char answer;
  if (read(descriptor, &answer, 1) != 1 || answer != DEMO_DONE) demo_fail("client: read");
}

static char request_next(void) {
  static int count;
  return ++count % DEMO_REPORT_EVERY == 0 ? DEMO_REPORT : DEMO_TRANSFER;
}

static void round_run(uint16_t port) {
  struct timespec pause = {0, PAUSE_US * 1000L};
  int descriptors[DEMO_CLIENTS];
  for (int i = 0; i < DEMO_CLIENTS; i++) descriptors[i] = server_connect(port);
  for (int request = 0; request < DEMO_REQUESTS; request++) {
    for (int i = 0; i < DEMO_CLIENTS; i++) request_send(descriptors[i], request_next());
    for (int i = 0; i < DEMO_CLIENTS; i++) answer_await(descriptors[i]);
    nanosleep(&pause, NULL);
  }
  for (int i = 0; i < DEMO_CLIENTS; i++) close(descriptors[i]);
}

int client_run(uint16_t port) {
  for (int round = 0; round < DEMO_ROUNDS; round++) round_run(port);
  request_send(server_connect(port), DEMO_STOP);
  return 0;
}
