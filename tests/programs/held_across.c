// SPDX-License-Identifier: Apache-2.0
// `outer_lock` is held across calls that block: a sleep, a poll, a wait on a condition with another
// mutex. "waiter" wants the lock during the sleep. How long each took is measured and printed.
#include "program.h"

#include <poll.h>

static pthread_mutex_t outer_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t inner_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static atomic_int step;
static uint64_t slept_ns, polled_ns, condition_ns, sleep_ended, asked;

static NOINLINE void sleep_holding(void) {
  uint64_t start = now_ns();
  usleep(80000);
  sleep_ended = now_ns();
  slept_ns = sleep_ended - start;
}

static NOINLINE void poll_holding(void) {
  uint64_t start = now_ns();
  poll(NULL, 0, 30);
  polled_ns = now_ns() - start;
}

static NOINLINE void wait_holding(void) {
  struct timespec limit;
  clock_gettime(CLOCK_REALTIME, &limit);
  limit.tv_nsec += 40000000;
  if (limit.tv_nsec >= 1000000000) {
    limit.tv_sec++;
    limit.tv_nsec -= 1000000000;
  }
  pthread_mutex_lock(&inner_lock);
  uint64_t start = now_ns();
  while (pthread_cond_timedwait(&never, &inner_lock, &limit) == 0) {
  }
  condition_ns = now_ns() - start;
  pthread_mutex_unlock(&inner_lock);
}

static void *waiter_main(void *unused) {
  await_step(&step, 1);
  sleep_ms(10);
  asked = now_ns();
  pthread_mutex_lock(&outer_lock);
  pthread_mutex_unlock(&outer_lock);
  return unused;
}

int main(void) {
  pthread_t waiter;
  REQUIRE_0(pthread_create(&waiter, NULL, waiter_main, NULL));
  pthread_mutex_lock(&outer_lock);
  atomic_store(&step, 1);
  sleep_holding();
  poll_holding();
  wait_holding();
  pthread_mutex_unlock(&outer_lock);
  REQUIRE_0(pthread_join(waiter, NULL));
  usleep(5000);  // holds nothing
  pthread_mutex_lock(&outer_lock);
  printf("{\"slept_ns\": %lu, \"polled_ns\": %lu, \"condition_ns\": %lu, \"waited_in_sleep_ns\": "
         "%lu}\n",
         slept_ns, polled_ns, condition_ns, sleep_ended > asked ? sleep_ended - asked : 0);
  return 0;  // and holds outer_lock
}
