// SPDX-License-Identifier: Apache-2.0
// Four coroutines of swapcontext on stacks of their own, 64 KiB each, which are unmapped in the
// end and mapped again: each allocates and locks in turn. Stacks are those of the coroutine.
#include "program.h"

#include <sys/mman.h>
#include <ucontext.h>

enum { COROUTINES = 4, TURNS = 100, STACK = 64 << 10 };

static ucontext_t scheduler, coroutines[COROUTINES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int current;

static NOINLINE void coroutine_work(void) {
  void *volatile block = malloc(200);
  pthread_mutex_lock(&lock);
  pthread_mutex_unlock(&lock);
  free(block);
}

static void coroutine_main(void) {
  for (int i = 0; i < TURNS; i++) {
    coroutine_work();
    swapcontext(&coroutines[current], &scheduler);
  }
}

static void run_round(void) {
  void *stacks[COROUTINES];
  for (int i = 0; i < COROUTINES; i++) {
    stacks[i] = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(stacks[i] != MAP_FAILED && getcontext(&coroutines[i]) == 0);
    coroutines[i].uc_stack = (stack_t){.ss_sp = stacks[i], .ss_size = STACK};
    coroutines[i].uc_link = &scheduler;
    makecontext(&coroutines[i], coroutine_main, 0);
  }
  for (int turn = 0; turn < TURNS; turn++)
    for (current = 0; current < COROUTINES; current++)
      REQUIRE(swapcontext(&scheduler, &coroutines[current]) == 0);
  for (int i = 0; i < COROUTINES; i++) REQUIRE(munmap(stacks[i], STACK) == 0);
}

int main(void) {
  for (int i = 0; i < 3; i++) run_round();
  printf("{\"blocks\": %d}\n", 3 * COROUTINES * TURNS);
  return 0;
}
