// SPDX-License-Identifier: Apache-2.0
// A nested monitor in a program that goes on: "taker" waits on a condition while it holds registry,
// "giver" would signal it but needs registry first, a third thread sleeps, and may do anything
// then. It may be that somebody else signals: a hazard, which names who is stuck behind it. Never
// ends.
#include "program.h"

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER, shelf = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static atomic_int taking;

static void *take(void *unused) {
  pthread_setname_np(pthread_self(), "taker");
  pthread_mutex_lock(&registry);
  pthread_mutex_lock(&shelf);
  atomic_store(&taking, 1);
  for (;;) pthread_cond_wait(&filled, &shelf);
  return unused;
}

static void *give(void *unused) {
  pthread_setname_np(pthread_self(), "giver");
  await_step(&taking, 1);
  pthread_mutex_lock(&registry);
  pthread_cond_signal(&filled);
  return unused;
}

static void *work(void *unused) {
  for (;;) sleep_ms(100000);
  return unused;
}

int main(void) {
  pthread_t threads[3];
  REQUIRE_0(pthread_create(&threads[0], NULL, take, NULL));
  REQUIRE_0(pthread_create(&threads[1], NULL, give, NULL));
  REQUIRE_0(pthread_create(&threads[2], NULL, work, NULL));
  await_step(&taking, 1);
  sleep_ms(300);
  say("hanging");
  pthread_join(threads[1], NULL);
  return 0;
}
