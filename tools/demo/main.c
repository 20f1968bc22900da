// SPDX-License-Identifier: Apache-2.0
// inspect-demo: runs the server of demo.h, the client that drives it, and a thread that audits the
// accounts, for about three seconds. `inspect-demo --client PORT` is the client.
#include "tools/demo/demo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { AUDIT_PAUSE_MS = 150 };

_Noreturn void demo_fail(const char *what) {
  fprintf(stderr, "inspect-demo: %s: %s\n", what, strerror(errno));
  exit(EXIT_FAILURE);
}

static int listener_open(uint16_t *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&address, size) != 0 ||
      listen(descriptor, 64) != 0 ||
      getsockname(descriptor, (struct sockaddr *)&address, &size) != 0)
    demo_fail("cannot listen on 127.0.0.1");
  *port = ntohs(address.sin_port);
  return descriptor;
}

// The client is a process of its own, and not recorded: the trace is to show the server alone.
static pid_t client_start(uint16_t port) {
  char number[8];
  snprintf(number, sizeof number, "%d", port);
  char *arguments[] = {"inspect-demo", "--client", number, NULL};
  char *environment[] = {NULL};
  pid_t pid;
  if ((errno = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environment)))
    demo_fail("cannot start the client");
  return pid;
}

static void *auditor_run(void *unused) {
  struct timespec pause = {0, AUDIT_PAUSE_MS * 1000000L};
  (void)unused;
  pthread_setname_np(pthread_self(), "auditor");
  for (int i = 0; i < DEMO_AUDITS; i++) {
    nanosleep(&pause, NULL);
    if (bank_audit() != 0) fprintf(stderr, "inspect-demo: the accounts do not match\n");
  }
  return NULL;
}

static int server_main(void) {
  uint16_t port;
  pthread_t auditor;
  int status;
  int listener = listener_open(&port);
  if ((errno = pthread_create(&auditor, NULL, auditor_run, NULL))) demo_fail("pthread_create");
  pid_t client = client_start(port);
  server_totals_t totals = server_run(listener);
  close(listener);
  pthread_join(auditor, NULL);
  if (waitpid(client, &status, 0) != client || status != 0) {
    fprintf(stderr, "inspect-demo: the client failed\n");
    return EXIT_FAILURE;
  }
  printf("inspect-demo: %d connections, %d transfers, %d audits, %d reports that blocked the loop, "
         "%d sessions forgotten\n",
         totals.connections, totals.transfers, DEMO_AUDITS, totals.reports, totals.forgotten);
  return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--client") == 0) return client_run((uint16_t)atoi(argv[2]));
  setvbuf(stdout, NULL, _IONBF, 0);  // a buffer of stdio's would be in the report
  return server_main();
}
