// SPDX-License-Identifier: Apache-2.0
// Threads that take a mutex of their own at 32 places in turn, thousands of times each: of all
// these holds only the sample is to be recorded, and the first at each place.
#include "program.h"

enum { THREADS = 8, ROUNDS = 1000 };

#define SITE(number)                                                                               \
  static NOINLINE void take_##number(pthread_mutex_t *mutex) {                                     \
    REQUIRE_0(pthread_mutex_lock(mutex));                                                          \
    REQUIRE_0(pthread_mutex_unlock(mutex));                                                        \
  }
#define SITES(a)                                                                                   \
  SITE(a##0) SITE(a##1) SITE(a##2) SITE(a##3) SITE(a##4) SITE(a##5) SITE(a##6) SITE(a##7)
SITES(a)
SITES(b)
SITES(c)
SITES(d)

#define NAMES(a)                                                                                   \
  take_##a##0, take_##a##1, take_##a##2, take_##a##3, take_##a##4, take_##a##5, take_##a##6,       \
      take_##a##7
static void (*const sites[])(pthread_mutex_t *) = {NAMES(a), NAMES(b), NAMES(c), NAMES(d)};
enum { SITE_COUNT = sizeof sites / sizeof *sites };

static void *run(void *unused) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  for (int round = 0; round < ROUNDS; round++)
    for (int site = 0; site < SITE_COUNT; site++) sites[site](&mutex);
  return unused;
}

int main(void) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) REQUIRE_0(pthread_create(&threads[i], NULL, run, NULL));
  for (int i = 0; i < THREADS; i++) REQUIRE_0(pthread_join(threads[i], NULL));
  printf("{\"threads\": %d, \"sites\": %d, \"holds\": %d}\n", THREADS, SITE_COUNT,
         THREADS * SITE_COUNT * ROUNDS);
  return 0;
}
