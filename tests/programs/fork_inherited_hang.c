// SPDX-License-Identifier: Apache-2.0
// A thread holds a mutex while another forks: in the child nobody will ever release it, and the
// child waits for it for ever.
#include "program.h"

#include <sys/prctl.h>
#include <sys/wait.h>

static pthread_mutex_t journal = PTHREAD_MUTEX_INITIALIZER;
static atomic_int taken;

static NOINLINE void *keeper_main(void *unused) {
  pthread_setname_np(pthread_self(), "keeper");
  pthread_mutex_lock(&journal);
  atomic_store(&taken, 1);
  for (;;) pause();
  return unused;
}

static NOINLINE void write_journal(void) { pthread_mutex_lock(&journal); }

int main(void) {
  pthread_t keeper;
  REQUIRE_0(pthread_create(&keeper, NULL, keeper_main, NULL));
  await_step(&taken, 1);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, 9);
    write_journal();
    return 0;
  }
  sleep_ms(200);
  printf("child %d\n", (int)child);
  say("hanging");
  waitpid(child, NULL, 0);
  return 0;
}
