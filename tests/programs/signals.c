// SPDX-License-Identifier: Apache-2.0
// A signal every 100 us in the midst of malloc, free and lock; the handler allocates and posts a
// semaphore. In a second part it longjmps out of whatever it interrupted. Nothing hangs or is lost.
// argv[1]: how many signals, if not 2000.
#include "program.h"

#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

static int signals = 2000;

static sem_t posted;
static volatile sig_atomic_t handled;
static volatile sig_atomic_t jumps_left;
static sigjmp_buf again;

// malloc is not async-signal-safe: the handler may use it only where it did not interrupt malloc.
static volatile sig_atomic_t in_malloc;

static void on_post(int number) {
  (void)number;
  if (!in_malloc) {
    void *volatile block = malloc(16);
    free(block);
  }
  sem_post(&posted);
  handled++;
}

static void on_jump(int number) {
  (void)number;
  // a jump out of malloc itself would leave glibc's own lock taken
  if (in_malloc || jumps_left == 0) return;
  jumps_left--;
  siglongjmp(again, 1);
}

static void signals_every_100us(void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler};
  REQUIRE(sigaction(SIGALRM, &action, NULL) == 0);
  struct itimerval every = {{0, handler ? 100 : 0}, {0, handler ? 100 : 0}};
  REQUIRE(setitimer(ITIMER_REAL, &every, NULL) == 0);
}

static NOINLINE void work(pthread_mutex_t *lock) {
  pthread_mutex_lock(lock);
  in_malloc = 1;
  void *volatile block = malloc(80);
  free(block);
  in_malloc = 0;
  pthread_mutex_unlock(lock);
}

static pthread_mutex_t steady = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t jumped_from;

int main(int argc, char **argv) {
  if (argc > 1) signals = atoi(argv[1]);
  REQUIRE(sem_init(&posted, 0, 0) == 0);
  signals_every_100us(on_post);
  while (handled < signals) work(&steady);
  int count;
  signals_every_100us(SIG_IGN);
  REQUIRE(sem_getvalue(&posted, &count) == 0 && count == handled);

  jumps_left = signals;
  if (sigsetjmp(again, 1) == 0) signals_every_100us(on_jump);
  // a jump may have left the lock held: the next round has a new one
  REQUIRE_0(pthread_mutex_init(&jumped_from, NULL));
  while (jumps_left > 0) work(&jumped_from);
  signals_every_100us(SIG_IGN);
  for (int i = 0; i < 100; i++) work(&steady);
  printf("{\"handled\": %d, \"jumps\": %d, \"last\": 100}\n", (int)handled, signals);
  return 0;
}
