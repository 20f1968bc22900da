// SPDX-License-Identifier: Apache-2.0
// The ways in which programs take signals: a thread that only does sigwait, a storm of SIGCHLD,
// calls that are interrupted, SIGPIPE as it is by default, SIGUSR1 and SIGUSR2 of its own. No
// signal goes astray and no handler is another's.
#include "program.h"

#include <signal.h>
#include <sys/wait.h>

enum { CHILDREN = 40, SENT = 300 };

static volatile sig_atomic_t users, children;
static atomic_int waited;

static void on_user(int number) { users += number == SIGUSR1; }
static void on_child(int number) {
  (void)number;
  children++;
}

static void *sigwait_main(void *set) {
  int number = 0;
  while (sigwait(set, &number) == 0 && number != SIGTERM)
    if (number == SIGUSR2) atomic_fetch_add(&waited, 1);
  return NULL;
}

static void storm_of_children(void) {
  struct sigaction action = {.sa_handler = on_child};
  REQUIRE(sigaction(SIGCHLD, &action, NULL) == 0);
  for (int i = 0; i < CHILDREN; i++) {
    pid_t child = fork(), got;
    REQUIRE(child >= 0);
    if (child == 0) _exit(3);
    int status;
    do got = waitpid(-1, &status, 0);
    while (got < 0 && errno == EINTR);
    REQUIRE(got == child && WEXITSTATUS(status) == 3);
  }
  REQUIRE(children == CHILDREN);
}

static void die_of_a_pipe(void) {
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    int ends[2];
    REQUIRE(pipe(ends) == 0 && close(ends[0]) == 0);
    (void)!write(ends[1], "x", 1);
    _exit(1);
  }
  int status;
  while (waitpid(child, &status, 0) < 0) REQUIRE(errno == EINTR);
  REQUIRE(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
}

int main(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  pthread_t thread;
  REQUIRE_0(pthread_create(&thread, NULL, sigwait_main, &set));
  struct sigaction action = {.sa_handler = on_user}, before;
  REQUIRE(sigaction(SIGUSR1, &action, &before) == 0 && before.sa_handler == SIG_DFL);
  for (int i = 0; i < SENT; i++) {
    raise(SIGUSR1);
    kill(getpid(), SIGUSR2);
    await_step(&waited, i + 1);
  }
  storm_of_children();
  die_of_a_pipe();
  kill(getpid(), SIGTERM);
  pthread_join(thread, NULL);
  REQUIRE(sigaction(SIGUSR1, NULL, &before) == 0 && before.sa_handler == on_user);
  printf("{\"users\": %d, \"waited\": %d, \"children\": %d}\n", (int)users, atomic_load(&waited),
         CHILDREN);
  return 0;
}
