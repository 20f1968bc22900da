// SPDX-License-Identifier: Apache-2.0
// A child of clone(CLONE_VM), which shares memory and nothing else, allocates and ends; neither
// does its end end the record of its parent, nor is a block lost.
#include "program.h"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

static _Alignas(16) char stack[256 << 10];

static NOINLINE int child_main(void *unused) {
  (void)unused;
  for (int i = 0; i < 100; i++) {
    void *volatile block = malloc(70);
    free(block);
  }
  _exit(6);
}

static NOINLINE void after_blocks(void) {
  for (int i = 0; i < 50; i++) free(malloc(90));
}

int main(void) {
  for (int i = 0; i < 3; i++) {
    pid_t child = clone(child_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    int status;
    REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 6);
    after_blocks();
  }
  printf("{\"blocks\": 150}\n");
  return 0;
}
