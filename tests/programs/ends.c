// SPDX-License-Identifier: Apache-2.0
// Ends in the way that argv[1] names, after 1,000 allocations of 40 bytes kept from keep_blocks and
// 10 rounds of the lock `counted`; a second thread has recorded as much. Nothing of that may be
// missing.
#include "program.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { BLOCKS = 1000, ROUNDS = 10 };

static pthread_mutex_t counted = PTHREAD_MUTEX_INITIALIZER;
static void *kept[2][BLOCKS];
static atomic_int step;

static NOINLINE void keep_blocks(void **blocks) {
  for (int i = 0; i < BLOCKS; i++) blocks[i] = malloc(40);
}

static void *work(void *blocks) {
  keep_blocks(blocks);
  for (int i = 0; i < ROUNDS; i++) {
    pthread_mutex_lock(&counted);
    pthread_mutex_unlock(&counted);
  }
  return NULL;
}

static void *other_main(void *unused) {
  work(kept[1]);
  atomic_store(&step, 1);
  await_step(&step, 2);
  return unused;
}

static void *exits_main(void *unused) {
  exit(7);
  return unused;
}

static void crash(void) { *(volatile int *)8 = 1; }

static void end_from_thread(void) {
  pthread_t thread;
  REQUIRE_0(pthread_create(&thread, NULL, exits_main, NULL));
  pthread_join(thread, NULL);
}

static void end(const char *how) {
  if (!strcmp(how, "exit")) exit(7);
  if (!strcmp(how, "exit-from-thread")) end_from_thread();
  if (!strcmp(how, "_exit")) _exit(7);
  if (!strcmp(how, "_Exit")) _Exit(7);
  if (!strcmp(how, "quick_exit")) quick_exit(7);
  if (!strcmp(how, "abort")) abort();
  if (!strcmp(how, "crash")) crash();
  if (!strcmp(how, "term")) raise(SIGTERM);
  if (!strcmp(how, "kill")) raise(SIGKILL);
  if (!strcmp(how, "raw")) syscall(SYS_exit_group, 7);
  if (!strcmp(how, "pthread_exit")) pthread_exit(NULL);
  if (!strcmp(how, "exec")) execl("/bin/sh", "sh", "-c", "exit 7", NULL);
  if (!strcmp(how, "failed-exec")) execl("/nonexistent", "nonexistent", NULL);
}

int main(int argc, char **argv) {
  pthread_t other;
  REQUIRE_0(pthread_create(&other, NULL, other_main, NULL));
  work(kept[0]);
  await_step(&step, 1);
  if (argc > 1 && !strcmp(argv[1], "pthread_exit")) atomic_store(&step, 2);
  end(argc > 1 ? argv[1] : "return");
  return 7;
}
