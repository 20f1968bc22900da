// SPDX-License-Identifier: Apache-2.0
// A client for memcached's text protocol: nine gets for each set, one request at a time on each of
// its connections. Prints how long it took and the 99th percentile of the requests' latency.
//
//     cache_client SOCKET CONNECTIONS REQUESTS
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { KEYS = 1000, VALUE_BYTES = 100, CONNECTIONS_MOST = 256, REPLY_BYTES = 4096 };

typedef struct {
  int descriptor;
  bool is_set;
  uint64_t sent_ns;
  size_t received;
  char reply[REPLY_BYTES];
} connection_t;

static connection_t connections[CONNECTIONS_MOST];
static char value[VALUE_BYTES + 1];
static uint32_t *latencies;

static void stop(const char *what) {
  fprintf(stderr, "cache_client: %s\n", what);
  exit(1);
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void connection_open(connection_t *connection, const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) stop("the socket's name is too long");
  strcpy(address.sun_path, path);
  connection->descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(connection->descriptor, (struct sockaddr *)&address, sizeof address) != 0)
    stop("no connection");
}

static void request_send(connection_t *connection, unsigned key, bool is_set) {
  char request[256];
  int length = is_set ? snprintf(request, sizeof request, "set key%u 0 0 %d\r\n%s\r\n", key,
                                 VALUE_BYTES, value)
                      : snprintf(request, sizeof request, "get key%u\r\n", key);
  connection->is_set = is_set;
  connection->received = 0;
  connection->sent_ns = now_ns();
  if (write(connection->descriptor, request, (size_t)length) != length) stop("write failed");
}

static bool ends_with(const connection_t *connection, const char *end) {
  size_t length = strlen(end);
  return connection->received >= length &&
         memcmp(connection->reply + connection->received - length, end, length) == 0;
}

// Takes what has come; true where the reply is whole. A miss or an error is none that we expect.
static bool reply_read(connection_t *connection) {
  ssize_t got = read(connection->descriptor, connection->reply + connection->received,
                     REPLY_BYTES - connection->received);
  if (got <= 0) stop("the server hung up");
  connection->received += (size_t)got;
  if (!ends_with(connection, connection->is_set ? "STORED\r\n" : "END\r\n")) return false;
  if (!connection->is_set && connection->received < VALUE_BYTES) stop("a key is missing");
  return true;
}

static void keys_store(connection_t *connection) {
  for (unsigned key = 0; key < KEYS; key++) {
    request_send(connection, key, true);
    while (!reply_read(connection)) continue;
  }
}

static void next_request(connection_t *connection, unsigned long number) {
  request_send(connection, (unsigned)(number * 7919 % KEYS), number % 10 == 0);
}

static void requests_run(int epoll, unsigned long count, unsigned connection_count) {
  unsigned long sent = 0, done = 0;
  for (unsigned i = 0; i < connection_count; i++) next_request(&connections[i], sent++);
  while (done < count) {
    struct epoll_event ready[CONNECTIONS_MOST];
    int events = epoll_wait(epoll, ready, CONNECTIONS_MOST, 10000);
    if (events <= 0) stop("no reply in 10 s");
    for (int i = 0; i < events; i++) {
      connection_t *connection = ready[i].data.ptr;
      if (!reply_read(connection)) continue;
      if (done < count) latencies[done++] = (uint32_t)(now_ns() - connection->sent_ns);
      if (sent < count) next_request(connection, sent++);
    }
  }
}

static int latency_compare(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return (a > b) - (a < b);
}

int main(int argc, char **argv) {
  unsigned connection_count = argc == 4 ? (unsigned)atoi(argv[2]) : 0;
  unsigned long count = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
  if (!connection_count || connection_count > CONNECTIONS_MOST || count < connection_count) {
    fprintf(stderr, "usage: cache_client SOCKET CONNECTIONS REQUESTS\n");
    return 2;
  }
  memset(value, 'v', VALUE_BYTES);
  latencies = calloc(count, sizeof *latencies);
  if (!latencies) stop("no memory");
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (unsigned i = 0; i < connection_count; i++) {
    connection_open(&connections[i], argv[1]);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
    epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].descriptor, &event);
  }
  keys_store(&connections[0]);
  uint64_t start = now_ns();
  requests_run(epoll, count, connection_count);
  uint64_t wall = now_ns() - start;
  qsort(latencies, count, sizeof *latencies, latency_compare);
  printf("{\"requests\": %lu, \"wall_ns\": %lu, \"p99_ns\": %u}\n", count, wall,
         latencies[count - 1 - count / 100]);
  return 0;
}
