// SPDX-License-Identifier: Apache-2.0
// Hangs while a child of its own traces it, so that nobody else can: its stacks cannot be taken.
#include "program.h"

#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

int main(void) {
  int ready[2];
  char word;
  REQUIRE(pipe(ready) == 0);
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  const pid_t parent = getpid();
  if (fork() == 0) {
    prctl(PR_SET_PDEATHSIG, 9);
    word = ptrace(PTRACE_SEIZE, parent, NULL, NULL) == 0 ? 'y' : 'n';
    REQUIRE(write(ready[1], &word, 1) == 1);
    for (int status; waitpid(parent, &status, 0) == parent;)  // signals go on to it
      ptrace(PTRACE_CONT, parent, NULL, (void *)(intptr_t)WSTOPSIG(status));
    _exit(0);
  }
  REQUIRE(read(ready[0], &word, 1) == 1 && word == 'y');
  say("traced");
  for (;;) pause();
}
