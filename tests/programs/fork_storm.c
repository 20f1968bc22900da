// SPDX-License-Identifier: Apache-2.0
// Forks as many children as argv[1] says, while two threads allocate and lock: no child hangs in
// its first malloc, each ends with its own status, and wait() sees no other child.
#include "program.h"

#include <sys/wait.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int step;

static void *busy_main(void *unused) {
  while (!atomic_load(&step)) {
    void *volatile block = malloc(100);
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    free(block);
  }
  return unused;
}

static void child_main(int number) {
  for (int i = 0; i < 50; i++) {
    void *volatile block = malloc(200);
    free(block);
  }
  _exit(number % 100);
}

int main(int argc, char **argv) {
  int count = argc > 1 ? atoi(argv[1]) : 200;
  pthread_t busy[2];
  for (int i = 0; i < 2; i++) REQUIRE_0(pthread_create(&busy[i], NULL, busy_main, NULL));
  for (int i = 0; i < count; i++) {
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) child_main(i);
    int status;
    REQUIRE(wait(&status) == child);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == i % 100);
  }
  REQUIRE(wait(NULL) == -1 && errno == ECHILD);
  atomic_store(&step, 1);
  for (int i = 0; i < 2; i++) pthread_join(busy[i], NULL);
  printf("{\"children\": %d}\n", count);
  return 0;
}
