// SPDX-License-Identifier: Apache-2.0
// A wake-up that is lost: the signal comes before the wait, which does not look whether it came.
// Nobody else will ever signal: the process stands still, without any cycle of locks.
#include "program.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t loaded = PTHREAD_COND_INITIALIZER;

static NOINLINE void announce(void) { pthread_cond_signal(&loaded); }

static void *loader_main(void *unused) {
  pthread_setname_np(pthread_self(), "loader");
  announce();
  return unused;
}

static NOINLINE void await_loaded(void) {
  pthread_mutex_lock(&mutex);
  pthread_cond_wait(&loaded, &mutex);
  pthread_mutex_unlock(&mutex);
}

static void *user_main(void *unused) {
  pthread_setname_np(pthread_self(), "user");
  await_loaded();
  return unused;
}

int main(void) {
  pthread_t loader, user;
  REQUIRE_0(pthread_create(&loader, NULL, loader_main, NULL));
  pthread_join(loader, NULL);
  REQUIRE_0(pthread_create(&user, NULL, user_main, NULL));
  sleep_ms(200);
  say("hanging");
  pthread_join(user, NULL);
  return 0;
}
