// SPDX-License-Identifier: Apache-2.0
// A signal strikes in each call that waits, and its handler allocates and jumps out of it. After
// each the lock `steady` is taken and released once.
#include "program.h"

#include <linux/futex.h>
#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <threads.h>

enum { AFTER_US = 5000, FAR_S = 1000 };

static pthread_mutex_t steady = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER, inheriting, robust;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t none, ready;
static mtx_t other;
static int ends[2], epoll, counter, word;
static pthread_t holder;
static struct timespec far;
static sigjmp_buf out;

static void by_lock(void) { pthread_mutex_lock(&held); }
static void by_timed_lock(void) { pthread_mutex_timedlock(&held, &far); }
static void by_inheriting(void) { pthread_mutex_lock(&inheriting); }
static void by_robust(void) { pthread_mutex_lock(&robust); }
static void by_reading(void) { pthread_rwlock_rdlock(&table); }
static void by_writing(void) { pthread_rwlock_wrlock(&table); }
static void by_spin(void) { pthread_spin_lock(&spin); }
static void by_c11(void) { mtx_lock(&other); }
static void by_semaphore(void) { sem_wait(&none); }
static void by_timed_semaphore(void) { sem_timedwait(&none, &far); }
static void by_barrier(void) { pthread_barrier_wait(&barrier); }
static void by_join(void) { pthread_join(holder, NULL); }
static void by_futex(void) { syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL); }
static void by_sleep(void) { sleep(FAR_S); }
static void by_nanosleep(void) { nanosleep(&far, NULL); }
static void by_select(void) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(ends[0], &set);
  select(ends[0] + 1, &set, NULL, NULL, NULL);
}
static void by_poll(void) { poll(&(struct pollfd){ends[0], POLLIN, 0}, 1, -1); }
static void by_epoll(void) {
  struct epoll_event event;
  epoll_wait(epoll, &event, 1, -1);
}
static void by_read(void) {
  char byte;
  (void)!read(ends[0], &byte, 1);
}
static void by_readv(void) {
  char byte;
  (void)!readv(ends[0], &(struct iovec){&byte, 1}, 1);
}
static void by_counter(void) {
  eventfd_t value;
  eventfd_read(counter, &value);
}
static void by_condition(void) {
  static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&own);
  pthread_cond_wait(&never, &own);
}
// These do not wait: the signal strikes wherever they are.
static void by_allocations(void) {
  for (;;) {
    void *volatile block = malloc(100);
    free(block);
  }
}

static void (*const calls[])(void) = {
    by_lock,  by_timed_lock, by_inheriting, by_robust,          by_reading,    by_writing,
    by_spin,  by_c11,        by_semaphore,  by_timed_semaphore, by_barrier,    by_join,
    by_futex, by_sleep,      by_nanosleep,  by_select,          by_poll,       by_epoll,
    by_read,  by_readv,      by_counter,    by_condition,       by_allocations};
enum { CALLS = sizeof calls / sizeof *calls };

// Not in the midst of malloc: that is the last of the calls.
static volatile sig_atomic_t allocates;

static void on_alarm(int number) {
  (void)number;
  if (allocates) free(malloc(33));  // NOLINT(bugprone-signal-handler)
  siglongjmp(out, 1);               // NOLINT(bugprone-signal-handler)
}

static void *holder_main(void *unused) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  pthread_mutex_lock(&held);
  pthread_mutex_lock(&inheriting);
  pthread_mutex_lock(&robust);
  pthread_rwlock_wrlock(&table);
  pthread_spin_lock(&spin);
  mtx_lock(&other);
  sem_post(&ready);
  for (;;) pause();
  return unused;
}

static void prepare(void) {
  pthread_mutexattr_t attributes;
  struct epoll_event event = {.events = EPOLLIN};
  far.tv_sec = time(NULL) + FAR_S;
  pthread_mutexattr_init(&attributes);
  REQUIRE_0(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT));
  REQUIRE_0(pthread_mutex_init(&inheriting, &attributes));
  pthread_mutexattr_init(&attributes);
  REQUIRE_0(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST));
  REQUIRE_0(pthread_mutex_init(&robust, &attributes));
  REQUIRE_0(pthread_spin_init(&spin, 0));
  REQUIRE_0(pthread_barrier_init(&barrier, NULL, 2));
  REQUIRE(mtx_init(&other, mtx_plain) == thrd_success);
  REQUIRE(sem_init(&none, 0, 0) == 0 && sem_init(&ready, 0, 0) == 0 && pipe(ends) == 0);
  REQUIRE((epoll = epoll_create1(0)) >= 0 && (counter = eventfd(0, 0)) >= 0);
  REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) == 0);
  REQUIRE_0(pthread_create(&holder, NULL, holder_main, NULL));
  while (sem_wait(&ready) != 0) continue;
}

int main(void) {
  const struct itimerval soon = {.it_value = {0, AFTER_US}};
  prepare();
  REQUIRE(signal(SIGALRM, on_alarm) != SIG_ERR);
  for (volatile int i = 0; i < CALLS; i++) {
    allocates = i < CALLS - 1;
    if (sigsetjmp(out, 1) == 0) {
      REQUIRE(setitimer(ITIMER_REAL, &soon, NULL) == 0);
      calls[i]();
      REQUIRE(!"the call came back");
    }
    pthread_mutex_lock(&steady);
    pthread_mutex_unlock(&steady);
  }
  printf("{\"jumps\": %d}\n", CALLS);
  fflush(stdout);
  _exit(0);
}
