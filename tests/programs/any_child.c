// SPDX-License-Identifier: Apache-2.0
// Waits for any child in every way, __WALL and __WCLONE included: before it has one there is none,
// and afterwards it sees its own two, a forked one and one of clone, and no other.
#include "program.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void require_no_child(void) {
  siginfo_t info;
  const int ways[] = {0, __WALL, __WCLONE};
  for (int i = 0; i < 3; i++) {
    REQUIRE(waitpid(-1, NULL, ways[i]) == -1 && errno == ECHILD);
    REQUIRE(waitpid(0, NULL, ways[i]) == -1 && errno == ECHILD);
    REQUIRE(waitid(P_ALL, 0, &info, WEXITED | ways[i]) == -1 && errno == ECHILD);
  }
}

static void require_child(pid_t wanted, int flags) {
  int status;
  REQUIRE(waitpid(-1, &status, flags) == wanted);
  REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 4);
}

int main(void) {
  require_no_child();
  pid_t forked = fork();
  REQUIRE(forked >= 0);
  if (forked == 0) _exit(4);
  require_child(forked, __WALL);
  // without an exit signal: a wait without a flag does not see it
  pid_t cloned = (pid_t)syscall(SYS_clone, 0L, NULL, NULL, NULL, NULL);
  REQUIRE(cloned >= 0);
  if (cloned == 0) _exit(4);
  REQUIRE(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
  require_child(cloned, __WCLONE);
  require_no_child();
  printf("{\"children\": 2}\n");
  return 0;
}
