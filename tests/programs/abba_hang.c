// SPDX-License-Identifier: Apache-2.0
// An actual deadlock: "left" holds account_a and waits for account_b, "right" holds account_b and
// waits for account_a. The main thread waits in a join and is a bystander. Never ends.
#include "program.h"

static pthread_mutex_t account_a = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t account_b = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both_hold_one;

static NOINLINE void take_left(void) {
  pthread_mutex_lock(&account_a);
  pthread_barrier_wait(&both_hold_one);
  pthread_mutex_lock(&account_b);
}

static NOINLINE void take_right(void) {
  pthread_mutex_lock(&account_b);
  pthread_barrier_wait(&both_hold_one);
  pthread_mutex_lock(&account_a);
}

static void *left_main(void *unused) {
  pthread_setname_np(pthread_self(), "left");
  take_left();
  return unused;
}

static void *right_main(void *unused) {
  pthread_setname_np(pthread_self(), "right");
  take_right();
  return unused;
}

int main(void) {
  pthread_t left, right;
  REQUIRE_0(pthread_barrier_init(&both_hold_one, NULL, 3));
  REQUIRE_0(pthread_create(&left, NULL, left_main, NULL));
  REQUIRE_0(pthread_create(&right, NULL, right_main, NULL));
  pthread_barrier_wait(&both_hold_one);
  sleep_ms(200);
  say("hanging");
  pthread_join(left, NULL);
  return 0;
}
