// SPDX-License-Identifier: Apache-2.0
// Children made without fork(3): by forkpty, which forks inside libc, by clone(2) with a stack of
// its own, and by the system calls themselves. Each allocates as many blocks as argv[1] says,
// starts a thread that does the same, and ends with its own status.
#include "program.h"

#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { CLONE_STACK = 256 << 10 };

static int blocks;

static NOINLINE void child_blocks(void) {
  for (int i = 0; i < blocks; i++) {
    void *volatile block = malloc(48);
    free(block);
  }
}

static void *thread_main(void *unused) {
  child_blocks();
  return unused;
}

static int child_main(void *status) {
  pthread_t thread;
  child_blocks();
  REQUIRE_0(pthread_create(&thread, NULL, thread_main, NULL));
  REQUIRE_0(pthread_join(thread, NULL));
  exit((int)(intptr_t)status);
}

static void reap(const char *how, pid_t child) {
  int status = 0;
  REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
  printf("%s: %d\n", how, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
  fflush(stdout);
}

static pid_t with_terminal(void) {
  int terminal;
  const pid_t child = forkpty(&terminal, NULL, NULL, NULL);
  if (child == 0) child_main((void *)3);
  return child;
}

static pid_t with_clone3(void) {
  uint64_t arguments[8] = {[4] = SIGCHLD};  // struct clone_args: exit_signal
  const pid_t child = (pid_t)syscall(SYS_clone3, arguments, sizeof arguments);
  if (child == 0) child_main((void *)6);
  return child;
}

int main(int argc, char **argv) {
  static char stack[CLONE_STACK];
  blocks = argc > 1 ? atoi(argv[1]) : 100;
  reap("forkpty", with_terminal());
  reap("clone", clone(child_main, stack + CLONE_STACK, SIGCHLD, (void *)4));
  pid_t child = (pid_t)syscall(SYS_fork);
  if (child == 0) child_main((void *)5);
  reap("fork", child);
  reap("clone3", with_clone3());
  return 0;
}
