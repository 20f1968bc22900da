// SPDX-License-Identifier: Apache-2.0
// Two threads take two locks in different order, the second one by trylock with back-off. Hazard:
// by their steps they keep meeting each other, 3,000 times. With an argument, none:
//   soon     one of them is let through after ten tries
//   poll     one holds both for long, the other one looks now and then
//   spin     a thread tries a lock that another one holds for some ms, as fast as it can
#include "locks.h"

enum { TRIES = 3000 };

static pthread_mutex_t left = PTHREAD_MUTEX_INITIALIZER, right = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t together;
static int tries = TRIES;
static const char *how = "";
static atomic_int done;
static bool is(const char *name) { return strcmp(how, name) == 0; }

// Both hold their first lock when they try the second one, each time.
static NOINLINE void take_both(pthread_mutex_t *first, pthread_mutex_t *second) {
  for (int i = 0; i < tries; i++) {
    pthread_mutex_lock(first);
    pthread_barrier_wait(&together);
    REQUIRE(pthread_mutex_trylock(second) == EBUSY);
    pthread_barrier_wait(&together);
    pthread_mutex_unlock(first);
  }
}

static void *left_main(void *unused) {
  pthread_setname_np(pthread_self(), "left");
  take_both(&left, &right);
  return unused;
}

static void *right_main(void *unused) {
  pthread_setname_np(pthread_self(), "right");
  take_both(&right, &left);
  return unused;
}

static void *holder_main(void *unused) {
  pthread_mutex_lock(&right);
  atomic_store(&done, 1);
  sleep_ms(is("poll") ? 300 : 30);
  pthread_mutex_unlock(&right);
  return unused;
}

static void *looker_main(void *unused) {
  await_step(&done, 1);
  pthread_mutex_lock(&left);
  while (pthread_mutex_trylock(&right) != 0)
    if (is("poll")) sleep_ms(1);
  pthread_mutex_unlock(&right);
  pthread_mutex_unlock(&left);
  return unused;
}

int main(int count, char **arguments) {
  if (count > 1) how = arguments[1];
  if (is("soon")) tries = 10;
  bool one_sided = is("poll") || is("spin");
  pthread_t one, other;
  REQUIRE_0(pthread_barrier_init(&together, NULL, 2));
  REQUIRE_0(pthread_create(&one, NULL, one_sided ? holder_main : left_main, NULL));
  REQUIRE_0(pthread_create(&other, NULL, one_sided ? looker_main : right_main, NULL));
  pthread_join(one, NULL);
  pthread_join(other, NULL);
  return 0;
}
