// SPDX-License-Identifier: Apache-2.0
// An initialiser of pthread_once takes `guard`; another thread calls pthread_once with `guard` held
// while it runs. They wait for each other for ever: a once-control is a lock of its runner.
#include "program.h"

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t control = PTHREAD_ONCE_INIT;
static atomic_int step;

static void initialise(void) {
  atomic_store(&step, 1);
  await_step(&step, 2);
  pthread_mutex_lock(&guard);
  pthread_mutex_unlock(&guard);
}

static void *runner_main(void *unused) {
  pthread_setname_np(pthread_self(), "runner");
  pthread_once(&control, initialise);
  return unused;
}

static void *waiter_main(void *unused) {
  pthread_setname_np(pthread_self(), "waiter");
  await_step(&step, 1);
  pthread_mutex_lock(&guard);
  atomic_store(&step, 2);
  pthread_once(&control, initialise);
  return unused;
}

int main(void) {
  pthread_t threads[2];
  REQUIRE_0(pthread_create(&threads[0], NULL, runner_main, NULL));
  REQUIRE_0(pthread_create(&threads[1], NULL, waiter_main, NULL));
  await_step(&step, 2);
  say("hanging");
  pthread_join(threads[0], NULL);
  return 0;
}
