// SPDX-License-Identifier: Apache-2.0
// A process waits for a lock that its child holds: who it is stands in the child's trace, how long
// it took in the parent's. Prints child=, waits= and waited_ns=.
#include "program.h"

#include <sys/mman.h>
#include <sys/wait.h>

enum { ROUNDS = 4, HOLD_MS = 25 };

typedef struct {
  pthread_mutex_t ledger;
  atomic_int held, taken;
} page_t;

static NOINLINE void hold(page_t *page, int round) {
  pthread_mutex_lock(&page->ledger);
  atomic_store(&page->held, round);
  sleep_ms(HOLD_MS);
  pthread_mutex_unlock(&page->ledger);
}

static NOINLINE uint64_t wait_for_it(page_t *page, int round) {
  await_step(&page->held, round);
  const uint64_t from = now_ns();
  pthread_mutex_lock(&page->ledger);
  const uint64_t waited = now_ns() - from;
  pthread_mutex_unlock(&page->ledger);
  atomic_store(&page->taken, round);
  return waited;
}

int main(void) {
  page_t *page =
      mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(page != MAP_FAILED);
  pthread_mutexattr_t shared;
  pthread_mutexattr_init(&shared);
  pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&page->ledger, &shared);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (int round = 1; round <= ROUNDS; round++) {
      hold(page, round);
      await_step(&page->taken, round);
    }
    return 0;
  }
  uint64_t waited = 0;
  for (int round = 1; round <= ROUNDS; round++) waited += wait_for_it(page, round);
  printf("child=%d waits=%d waited_ns=%llu\n", (int)child, ROUNDS, (unsigned long long)waited);
  waitpid(child, NULL, 0);
  return 0;
}
