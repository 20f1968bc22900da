// SPDX-License-Identifier: Apache-2.0
// A process forks one child while a second thread allocates: parent_blocks gives 300 blocks in the
// parent alone, child_blocks 200 in the child alone, both_blocks 100 before the fork.
#include "program.h"

#include <sys/wait.h>

static void *kept[600];
static int kept_count;
static atomic_int step;

static void keep(int count) {
  for (int i = 0; i < count; i++) kept[kept_count++] = malloc(72);
}

static NOINLINE void both_blocks(void) { keep(100); }
static NOINLINE void parent_blocks(void) { keep(300); }
static NOINLINE void child_blocks(void) { keep(200); }

static void *allocating_main(void *unused) {
  while (!atomic_load(&step)) {
    void *volatile block = malloc(30);
    free(block);
  }
  return unused;
}

int main(void) {
  pthread_t allocating;
  both_blocks();
  REQUIRE_0(pthread_create(&allocating, NULL, allocating_main, NULL));
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    child_blocks();
    _exit(3);
  }
  parent_blocks();
  int status;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 3);
  atomic_store(&step, 1);
  pthread_join(allocating, NULL);
  printf("{\"parent\": %d, \"child\": %d}\n", getpid(), child);
  return 0;
}
