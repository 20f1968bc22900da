// SPDX-License-Identifier: Apache-2.0
// Starts other programs in every way: vfork+exec, vfork with an exec that fails and _exit,
// posix_spawn, system, popen, fork+exec. The parent's own record goes on to the end: 50 blocks from
// last_blocks.
#include "program.h"

#include <spawn.h>
#include <sys/wait.h>

static void *kept[50];

static NOINLINE void last_blocks(void) {
  for (int i = 0; i < 50; i++) kept[i] = malloc(88);
}

static void expect_status(pid_t child, int wanted) {
  int status;
  REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == wanted);
}

static void by_vfork(const char *path, int wanted) {
  pid_t child = vfork();
  if (child == 0) {
    execl(path, "sh", "-c", "exit 5", NULL);
    _exit(127);
  }
  expect_status(child, wanted);
}

static void by_fork(void) {
  pid_t child = fork();
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", "exit 6", NULL);
    _exit(127);
  }
  expect_status(child, 6);
}

static void by_posix_spawn(void) {
  pid_t child;
  char *arguments[] = {"sh", "-c", "exit 4", NULL};
  REQUIRE_0(posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ));
  expect_status(child, 4);
}

static void by_popen(void) {
  char line[16];
  FILE *output = popen("echo popped", "r");
  REQUIRE(output && fgets(line, sizeof line, output) && !strcmp(line, "popped\n"));
  REQUIRE(pclose(output) == 0);
}

int main(void) {
  by_vfork("/bin/sh", 5);
  by_vfork("/nonexistent", 127);
  by_posix_spawn();
  REQUIRE(WEXITSTATUS(system("exit 3")) == 3);
  by_popen();
  by_fork();
  last_blocks();
  printf("{\"pid\": %d, \"blocks\": 50}\n", getpid());
  return 0;
}
