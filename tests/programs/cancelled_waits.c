// SPDX-License-Identifier: Apache-2.0
// Threads are cancelled in every kind of blocking call, and one ends in a signal handler that
// struck it in one; their clean-up handlers then go on for ever without calling anything that is
// recorded. None of them may be said to wait still, and none to have waited for longer than it did.
#include "program.h"

#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef struct {
  const char *name;
  void (*wait)(void);
  uint64_t began, asked, left;  // before the call, when it was cancelled, in the handler
} waiter_t;

static int pipe_ends[2], sockets[2], listener, epoll;
static sem_t never;
static pthread_t sleeper;
static atomic_int started, cleaning;

static void in_read(void) {
  char byte;
  (void)!read(pipe_ends[0], &byte, 1);
}
static void in_recv(void) {
  char byte;
  recv(sockets[0], &byte, 1, 0);
}
static void in_accept(void) { accept(listener, NULL, NULL); }
static void in_epoll(void) {
  struct epoll_event event;
  epoll_wait(epoll, &event, 1, -1);
}
static void in_poll(void) {
  struct pollfd one = {.fd = pipe_ends[0], .events = POLLIN};
  poll(&one, 1, -1);
}
static void in_sleep(void) { sleep(1000); }
static void in_semaphore(void) { sem_wait(&never); }
static void in_join(void) { pthread_join(sleeper, NULL); }
static void in_signal(void) { in_read(); }

static waiter_t waiters[] = {
    {"in-read", in_read, 0, 0, 0},     {"in-recv", in_recv, 0, 0, 0},
    {"in-accept", in_accept, 0, 0, 0}, {"in-epoll", in_epoll, 0, 0, 0},
    {"in-poll", in_poll, 0, 0, 0},     {"in-sleep", in_sleep, 0, 0, 0},
    {"in-sem", in_semaphore, 0, 0, 0}, {"in-join", in_join, 0, 0, 0},
    {"in-signal", in_signal, 0, 0, 0},
};
enum { WAITERS = sizeof waiters / sizeof *waiters };

// pause(2) is no call that is recorded.
static void clean_up(void *waiter_) {
  waiter_t *waiter = waiter_;
  waiter->left = now_ns();
  atomic_fetch_add(&cleaning, 1);
  for (;;) pause();
}

static void *waiter_main(void *waiter_) {
  waiter_t *waiter = waiter_;
  pthread_setname_np(pthread_self(), waiter->name);
  pthread_cleanup_push(clean_up, waiter);
  waiter->began = now_ns();
  atomic_fetch_add(&started, 1);
  waiter->wait();
  pthread_cleanup_pop(0);
  return NULL;
}

static void *sleeper_main(void *unused) {
  for (;;) pause();
  return unused;
}

static void end_thread(int number) {
  (void)number;
  // It strikes in a blocking call, not in the midst of libc's work.
  pthread_exit(NULL);  // NOLINT(bugprone-signal-handler)
}

// Calls on these are recorded: they are in a loop's set, or of a kind of which all are.
static void make_descriptors(void) {
  REQUIRE(pipe(pipe_ends) == 0);
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
  listener = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  REQUIRE(bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0);
  REQUIRE(listen(listener, 1) == 0);
  epoll = epoll_create1(0);
  struct epoll_event event = {EPOLLIN, {0}};
  REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, pipe_ends[0], &event) == 0);
}

int main(void) {
  pthread_t threads[WAITERS];
  make_descriptors();
  REQUIRE(sem_init(&never, 0, 0) == 0);
  signal(SIGUSR1, end_thread);
  REQUIRE_0(pthread_create(&sleeper, NULL, sleeper_main, NULL));
  for (int i = 0; i < WAITERS; i++)
    REQUIRE_0(pthread_create(&threads[i], NULL, waiter_main, &waiters[i]));
  await_step(&started, WAITERS);
  sleep_ms(60);
  for (int i = 0; i < WAITERS; i++) {
    waiters[i].asked = now_ns();
    if (waiters[i].wait == in_signal)
      pthread_kill(threads[i], SIGUSR1);
    else
      pthread_cancel(threads[i]);
  }
  await_step(&cleaning, WAITERS);
  sleep_ms(300);
  printf("{");
  for (int i = 0; i < WAITERS; i++)
    printf("%s\"%s\": [%llu, %llu]", i ? ", " : "", waiters[i].name,
           (unsigned long long)(waiters[i].asked - waiters[i].began),
           (unsigned long long)(waiters[i].left - waiters[i].began));
  say("}");
  pause();
  return 0;
}
