// SPDX-License-Identifier: Apache-2.0
// A potential deadlock on account_a and account_b: transfer_out takes a then b, transfer_back b
// then a, in two threads that this time do not meet. Three and two times; nothing else is wrong.
#include "program.h"

static pthread_mutex_t account_a = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t account_b = PTHREAD_MUTEX_INITIALIZER;
static atomic_int step;
static volatile int rounds_out = 3, rounds_back = 2;  // unknown to the compiler: one call site each

static NOINLINE void lock_both(pthread_mutex_t *first, pthread_mutex_t *second) {
  pthread_mutex_lock(first);
  pthread_mutex_lock(second);
  pthread_mutex_unlock(second);
  pthread_mutex_unlock(first);
}

static NOINLINE void transfer_out(void) { lock_both(&account_a, &account_b); }
static NOINLINE void transfer_back(void) { lock_both(&account_b, &account_a); }

static void *out_main(void *unused) {
  pthread_setname_np(pthread_self(), "transfer-out");
  for (int i = 0; i < rounds_out; i++) transfer_out();
  atomic_store(&step, 1);
  await_step(&step, 2);
  return unused;
}

static void *back_main(void *unused) {
  pthread_setname_np(pthread_self(), "transfer-back");
  await_step(&step, 1);
  for (int i = 0; i < rounds_back; i++) transfer_back();
  atomic_store(&step, 2);
  return unused;
}

int main(void) {
  pthread_t out, back;
  REQUIRE_0(pthread_create(&out, NULL, out_main, NULL));
  REQUIRE_0(pthread_create(&back, NULL, back_main, NULL));
  pthread_join(out, NULL);
  pthread_join(back, NULL);
  printf("{\"out\": 3, \"back\": 2}\n");
  return 0;
}
