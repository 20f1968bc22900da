// SPDX-License-Identifier: Apache-2.0
// A signal handler jumps out of a read that would wait for ever; deeper in the stack the program
// goes on, allocates and stays there. It is no longer in that read.
#include "program.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

static sigjmp_buf again;

static void on_alarm(int number) {
  (void)number;
  siglongjmp(again, 1);
}

static NOINLINE void give_blocks(void) {
  for (int i = 0; i < 10; i++) free(malloc(33));
}

static NOINLINE void work_deeper(int depth) {
  if (depth > 0) {
    work_deeper(depth - 1);
    __asm__ volatile("");  // no tail call
    return;
  }
  give_blocks();
  say("working");
  pause();
}

int main(void) {
  int ends[2];
  char byte;
  REQUIRE(pipe(ends) == 0);
  signal(SIGALRM, on_alarm);
  struct itimerval soon = {{0, 0}, {0, 50000}};
  if (sigsetjmp(again, 1) == 0) {
    struct timeval limit = {0, 0};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    // from here on reads of the pipe are recorded
    REQUIRE(select(ends[0] + 1, &set, NULL, NULL, &limit) == 0);
    setitimer(ITIMER_REAL, &soon, NULL);
    REQUIRE(read(ends[0], &byte, 1) < 0);
  }
  work_deeper(3);
  return 0;
}
