// SPDX-License-Identifier: Apache-2.0
// A hazard that has come true: waits on a condition inside two monitors; who would signal needs the
// outer one, and waits for ever.
#include "locks.h"

static pthread_mutex_t outer = PTHREAD_MUTEX_INITIALIZER, inner = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static bool is_filled;

static void *take_main(void *unused) {
  pthread_setname_np(pthread_self(), "taker");
  pthread_mutex_lock(&outer);
  pthread_mutex_lock(&inner);
  while (!is_filled) pthread_cond_wait(&filled, &inner);
  pthread_mutex_unlock(&inner);
  pthread_mutex_unlock(&outer);
  return unused;
}

int main(void) {
  pthread_t taker;
  REQUIRE_0(pthread_create(&taker, NULL, take_main, NULL));
  sleep_ms(200);
  say("hanging");
  pthread_mutex_lock(&outer);
  is_filled = true;
  pthread_cond_signal(&filled);
  pthread_mutex_unlock(&outer);
  pthread_join(taker, NULL);
  return 0;
}
