// SPDX-License-Identifier: Apache-2.0
// Counts its own operations in the file argv[1] while argv[2] threads do them as fast as they can,
// until it is killed: for each thread malloc+free pairs of counted_block and rounds of its own
// lock. A counter is stored after its operation; what is recorded may be ahead of it by one, never
// behind by more than one. With argv[3] it ends so at SIGUSR1, in whatever it is doing: _exit,
// quick_exit, abort, crash, or exec; with "wait" it begins when stdin ends.
#include "program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

enum { THREADS_MAX = 16 };

typedef struct {
  _Alignas(64) _Atomic uint64_t tid;
  _Atomic uint64_t allocated, freed, locked, unlocked;
} counters_t;
_Static_assert(sizeof(counters_t) == 64, "as the test reads it");

static counters_t *counters;
static pthread_mutex_t locks[THREADS_MAX];

static NOINLINE void *counted_block(void) { return malloc(56); }

static void *count_main(void *own) {
  counters_t *mine = own;
  pthread_mutex_t *lock = &locks[mine - counters];
  atomic_store(&mine->tid, (uint64_t)gettid());
  for (;;) {
    void *block = counted_block();
    atomic_fetch_add_explicit(&mine->allocated, 1, memory_order_release);
    free(block);
    atomic_fetch_add_explicit(&mine->freed, 1, memory_order_release);
    pthread_mutex_lock(lock);
    atomic_fetch_add_explicit(&mine->locked, 1, memory_order_release);
    pthread_mutex_unlock(lock);
    atomic_fetch_add_explicit(&mine->unlocked, 1, memory_order_release);
  }
  return NULL;
}

static const char *how;

static void on_signal(int number) {
  (void)number;
  if (!strcmp(how, "_exit")) _exit(7);
  if (!strcmp(how, "quick_exit")) quick_exit(7);
  if (!strcmp(how, "abort")) abort();
  if (!strcmp(how, "crash")) *(volatile int *)8 = 1;
  if (!strcmp(how, "exec")) execl("/bin/true", "true", NULL);
}

int main(int argc, char **argv) {
  REQUIRE(argc == 3 || argc == 4);
  if (argc == 4) {
    how = argv[3];
    signal(SIGUSR1, on_signal);
  }
  int threads = atoi(argv[2]);
  REQUIRE(threads > 0 && threads <= THREADS_MAX);
  int fd = open(argv[1], O_RDWR | O_CREAT, 0600);
  REQUIRE(fd >= 0 && ftruncate(fd, sizeof(counters_t) * THREADS_MAX) == 0);
  counters =
      mmap(NULL, sizeof(counters_t) * THREADS_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  REQUIRE(counters != MAP_FAILED);
  for (int i = 0; i < THREADS_MAX; i++) pthread_mutex_init(&locks[i], NULL);
  if (how && !strcmp(how, "wait")) {
    say("waiting");
    while (getchar() != EOF) continue;
  }
  pthread_t thread;
  for (int i = 1; i < threads; i++)
    REQUIRE_0(pthread_create(&thread, NULL, count_main, &counters[i]));
  say("counting");
  count_main(&counters[0]);
  return 0;
}
