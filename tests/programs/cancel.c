// SPDX-License-Identifier: Apache-2.0
// Threads are cancelled in a condition wait, in a read, in a join, in epoll_wait, and
// asynchronously in a busy loop; the clean-up handlers find the mutex held again. Everything is
// usable afterwards.
#include "program.h"

#include <sys/epoll.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static atomic_int cleaned, started;
static int pipe_ends[2], epoll;

static void unlock_cleanup(void *mutex) {
  REQUIRE(pthread_mutex_trylock(mutex) == EBUSY);
  pthread_mutex_unlock(mutex);
  void *volatile block = malloc(20);
  free(block);
  atomic_fetch_add(&cleaned, 1);
}

static void *in_condition(void *unused) {
  pthread_mutex_lock(&lock);
  pthread_cleanup_push(unlock_cleanup, &lock);
  atomic_fetch_add(&started, 1);
  for (;;) pthread_cond_wait(&never, &lock);
  pthread_cleanup_pop(0);
  return unused;
}

static void *in_read(void *unused) {
  char byte;
  atomic_fetch_add(&started, 1);
  REQUIRE(read(pipe_ends[0], &byte, 1) < 0);
  return unused;
}

static void *in_epoll(void *unused) {
  struct epoll_event event;
  atomic_fetch_add(&started, 1);
  epoll_wait(epoll, &event, 1, -1);
  return unused;
}

static void *in_busy_loop(void *unused) {
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  atomic_fetch_add(&started, 1);
  for (volatile unsigned long i = 0;; i++) {
  }
  return unused;
}

static void *joining(void *other) {
  atomic_fetch_add(&started, 1);
  pthread_join(*(pthread_t *)other, NULL);
  return NULL;
}

static void cancel(void *(*routine)(void *), void *argument) {
  pthread_t thread;
  void *result;
  int before = atomic_load(&started);
  REQUIRE_0(pthread_create(&thread, NULL, routine, argument));
  await_step(&started, before + 1);
  sleep_ms(20);
  REQUIRE_0(pthread_cancel(thread));
  REQUIRE_0(pthread_join(thread, &result));
  REQUIRE(result == PTHREAD_CANCELED);
}

int main(void) {
  REQUIRE(pipe(pipe_ends) == 0);
  epoll = epoll_create1(0);
  struct epoll_event event = {EPOLLIN, {0}};
  REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, pipe_ends[0], &event) == 0);
  pthread_t waiting;
  REQUIRE_0(pthread_create(&waiting, NULL, in_read, NULL));
  await_step(&started, 1);
  for (int i = 0; i < 3; i++) {
    cancel(in_condition, NULL);
    cancel(in_read, NULL);
    cancel(in_epoll, NULL);
    cancel(in_busy_loop, NULL);
    cancel(joining, &waiting);
  }
  pthread_cancel(waiting);
  pthread_join(waiting, NULL);
  REQUIRE(atomic_load(&cleaned) == 3);
  pthread_mutex_lock(&lock);
  pthread_mutex_unlock(&lock);
  printf("{\"cancelled\": 16, \"condition_waits\": 3}\n");
  return 0;
}
