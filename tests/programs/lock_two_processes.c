// SPDX-License-Identifier: Apache-2.0
// Two processes take two process-shared mutexes in different order, one after the other; with the
// argument "hang" both hold one and wait for the other's, for ever. Each has them at an address of
// its own.
#include "program.h"

#include <sys/mman.h>
#include <sys/wait.h>

typedef struct {
  pthread_mutex_t orders, stock;
  atomic_int turn;
} page_t;
static page_t *page;
static int memory;
static bool hang;

static void map_page(void) {
  page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  REQUIRE(page != MAP_FAILED);
}

static NOINLINE void sell(void) {
  pthread_mutex_lock(&page->orders);
  atomic_fetch_add(&page->turn, hang);
  await_step(&page->turn, hang ? 2 : 0);
  pthread_mutex_lock(&page->stock);
  pthread_mutex_unlock(&page->stock);
  pthread_mutex_unlock(&page->orders);
}

static NOINLINE void restock(void) {
  pthread_mutex_lock(&page->stock);
  atomic_fetch_add(&page->turn, hang);
  await_step(&page->turn, 2);
  pthread_mutex_lock(&page->orders);
  pthread_mutex_unlock(&page->orders);
  pthread_mutex_unlock(&page->stock);
}

static void wait_and_restock(void) {
  char space[1 << 16];  // the page goes somewhere else than in the parent
  page_t *former = page;
  REQUIRE(mmap(NULL, sizeof space, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
  map_page();
  REQUIRE(page != former);
  if (!hang) await_step(&page->turn, 2);
  restock();
}

int main(int count, char **arguments) {
  hang = count > 1 && !strcmp(arguments[1], "hang");
  memory = memfd_create("shop", MFD_CLOEXEC);
  REQUIRE(memory >= 0 && ftruncate(memory, sizeof *page) == 0);
  map_page();
  pthread_mutexattr_t shared;
  pthread_mutexattr_init(&shared);
  pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&page->orders, &shared);
  pthread_mutex_init(&page->stock, &shared);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    wait_and_restock();
    return 0;
  }
  if (hang) {
    while (atomic_load(&page->turn) < 1) sleep_ms(1);
    printf("child %d\n", (int)child);
    say("hanging");
  }
  sell();
  atomic_store(&page->turn, 2);
  waitpid(child, NULL, 0);
  return 0;
}
