// SPDX-License-Identifier: Apache-2.0
// The event loop. Two mistakes: a report is made inside the loop, which serves nobody meanwhile,
// and every eighth session is forgotten when its connection ends.
#include "tools/demo/demo.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_MAX = 16, REPORT_SIZE = 512 };

typedef struct {
  int descriptor;
  int64_t transferred;
  char peer[240];
} session_t;

typedef struct {
  int epoll, listener, wake_up;
  bool is_stopping;
  server_totals_t totals;
} server_t;

static void descriptor_watch(const server_t *server, int descriptor, void *data) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = data};
  if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, descriptor, &event) != 0) demo_fail("epoll_ctl");
}

static session_t *session_new(int descriptor) {
  session_t *session = calloc(1, sizeof *session);
  if (!session) demo_fail("calloc");
  session->descriptor = descriptor;
  return session;
}

static void connection_accept(server_t *server) {
  int descriptor = accept(server->listener, NULL, NULL);
  if (descriptor < 0) demo_fail("accept");
  descriptor_watch(server, descriptor, session_new(descriptor));
  server->totals.connections++;
}

static void session_end(server_t *server, session_t *session) {
  static int ended;
  close(session->descriptor);
  if (++ended % DEMO_FORGET_EVERY == 0)
    server->totals.forgotten++;  // the leak
  else
    free(session);
}

static void answer_send(int descriptor, char answer) {
  if (write(descriptor, &answer, 1) != 1) demo_fail("write");
}

// Puts the report together: a line, and a pause that stands for a query that takes its time.
static void report_make(server_t *server, int descriptor) {
  struct timespec pause = {0, DEMO_REPORT_MS * 1000000L};
  char *report = malloc(REPORT_SIZE);
  if (!report) demo_fail("malloc");
  nanosleep(&pause, NULL);
  snprintf(report, REPORT_SIZE, "%c%d transfers", DEMO_DONE, server->totals.transfers);
  server->totals.reports++;
  answer_send(descriptor, report[0]);
  free(report);
}

static void transfer_request(server_t *server, session_t *session) {
  job_t *job = malloc(sizeof *job);
  if (!job) demo_fail("malloc");
  *job = (job_t){.descriptor = session->descriptor, .amount = 1};
  session->transferred++;
  server->totals.transfers++;
  snprintf(job->entry, sizeof job->entry, "transfer %d", server->totals.transfers);
  jobs_submit(job);
}

static void server_stop(server_t *server, session_t *session) {
  session_end(server, session);
  server->is_stopping = true;
}

static void session_serve(server_t *server, session_t *session) {
  char request;
  ssize_t got = read(session->descriptor, &request, 1);
  if (got <= 0)
    session_end(server, session);
  else if (request == DEMO_TRANSFER)
    transfer_request(server, session);
  else if (request == DEMO_REPORT)
    report_make(server, session->descriptor);
  else
    server_stop(server, session);
}

static void answers_send(server_t *server) {
  uint64_t count;
  if (read(server->wake_up, &count, sizeof count) < 0) demo_fail("eventfd");
  for (job_t *job = jobs_finished(), *next; job; job = next) {
    next = job->next;
    answer_send(job->descriptor, DEMO_DONE);
    free(job);
  }
}

static void turn_run(server_t *server) {
  struct epoll_event events[EVENTS_MAX];
  int ready = epoll_wait(server->epoll, events, EVENTS_MAX, -1);
  for (int i = 0; i < ready; i++) {
    if (events[i].data.ptr == &server->listener)
      connection_accept(server);
    else if (events[i].data.ptr == &server->wake_up)
      answers_send(server);
    else
      session_serve(server, events[i].data.ptr);
  }
}

server_totals_t server_run(int listener) {
  server_t server = {.epoll = epoll_create1(EPOLL_CLOEXEC),
                     .listener = listener,
                     .wake_up = eventfd(0, EFD_CLOEXEC)};
  if (server.epoll < 0 || server.wake_up < 0) demo_fail("epoll_create1");
  descriptor_watch(&server, server.listener, &server.listener);
  descriptor_watch(&server, server.wake_up, &server.wake_up);
  jobs_start(server.wake_up);
  while (!server.is_stopping) turn_run(&server);
  jobs_stop();
  close(server.wake_up);
  close(server.epoll);
  return server.totals;
}
