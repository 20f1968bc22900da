// SPDX-License-Identifier: Apache-2.0
// A deadlock in the middle of a run: two threads hold one mutex each and wait for the other's,
// until the time limit of one of them ends it. Both end well.
#include "locks.h"

static pthread_mutex_t debit = PTHREAD_MUTEX_INITIALIZER, credit = PTHREAD_MUTEX_INITIALIZER;
static atomic_int held;

static NOINLINE void *patient_main(void *unused) {
  pthread_setname_np(pthread_self(), "patient");
  pthread_mutex_lock(&debit);
  atomic_fetch_add(&held, 1);
  await_step(&held, 2);
  pthread_mutex_lock(&credit);
  pthread_mutex_unlock(&credit);
  pthread_mutex_unlock(&debit);
  return unused;
}

static NOINLINE void *hasty_main(void *unused) {
  struct timespec until;
  pthread_setname_np(pthread_self(), "hasty");
  pthread_mutex_lock(&credit);
  atomic_fetch_add(&held, 1);
  await_step(&held, 2);
  sleep_ms(100);
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 1;
  REQUIRE(pthread_mutex_timedlock(&debit, &until) == ETIMEDOUT);
  pthread_mutex_unlock(&credit);
  return unused;
}

int main(void) {
  pthread_t patient, hasty;
  REQUIRE_0(pthread_create(&patient, NULL, patient_main, NULL));
  REQUIRE_0(pthread_create(&hasty, NULL, hasty_main, NULL));
  pthread_join(patient, NULL);
  pthread_join(hasty, NULL);
  return 0;
}
