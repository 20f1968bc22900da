// SPDX-License-Identifier: Apache-2.0
// Four threads: "alpha" and "beta" are created by main_creates and joined, "gamma" is created
// detached by alpha and named by itself, "delta" is detached later. Main waits in the join of alpha
// 100 ms.
#include "program.h"

static atomic_int ended;

static void *gamma_main(void *unused) {
  pthread_setname_np(pthread_self(), "gamma");
  atomic_fetch_add(&ended, 1);
  return unused;
}

static void *alpha_main(void *unused) {
  pthread_attr_t attributes;
  pthread_t gamma;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  REQUIRE_0(pthread_create(&gamma, &attributes, gamma_main, NULL));
  pthread_attr_destroy(&attributes);
  sleep_ms(100);
  return unused;
}

static void *beta_main(void *unused) {
  pthread_setname_np(pthread_self(), "beta");
  pthread_exit(unused);
}

static void *delta_main(void *unused) {
  sleep_ms(20);
  atomic_fetch_add(&ended, 1);
  return unused;
}

static NOINLINE pthread_t main_creates(void *(*routine)(void *), const char *name) {
  pthread_t thread;
  REQUIRE_0(pthread_create(&thread, NULL, routine, NULL));
  if (name) REQUIRE_0(pthread_setname_np(thread, name));
  return thread;
}

int main(void) {
  pthread_t alpha = main_creates(alpha_main, "alpha");
  pthread_t delta = main_creates(delta_main, "delta");
  REQUIRE_0(pthread_detach(delta));
  pthread_t beta = main_creates(beta_main, NULL);
  uint64_t start = now_ns();
  REQUIRE_0(pthread_join(alpha, NULL));
  uint64_t joined = now_ns() - start;
  REQUIRE_0(pthread_join(beta, NULL));
  REQUIRE(pthread_join(pthread_self(), NULL) == EDEADLK);
  await_step(&ended, 2);
  sleep_ms(50);
  printf("{\"threads\": 5, \"join_ns\": %lu}\n", joined);
  return 0;
}
