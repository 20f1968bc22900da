// SPDX-License-Identifier: Apache-2.0
// A robust mutex whose owner dies: the next one gets EOWNERDEAD with the lock and repairs it; a
// second one, not repaired, ends as ENOTRECOVERABLE. No deadlock.
#include "program.h"

static pthread_mutex_t repaired, lost;

static void robust_init(pthread_mutex_t *mutex) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  REQUIRE_0(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST));
  REQUIRE_0(pthread_mutex_init(mutex, &attributes));
  pthread_mutexattr_destroy(&attributes);
}

static void *dies_holding(void *mutex) {
  pthread_mutex_lock(mutex);
  return NULL;
}

static void let_owner_die(pthread_mutex_t *mutex) {
  pthread_t thread;
  REQUIRE_0(pthread_create(&thread, NULL, dies_holding, mutex));
  pthread_join(thread, NULL);
  REQUIRE(pthread_mutex_lock(mutex) == EOWNERDEAD);
}

int main(void) {
  robust_init(&repaired);
  let_owner_die(&repaired);
  REQUIRE_0(pthread_mutex_consistent(&repaired));
  REQUIRE_0(pthread_mutex_unlock(&repaired));
  REQUIRE_0(pthread_mutex_lock(&repaired));
  REQUIRE_0(pthread_mutex_unlock(&repaired));
  robust_init(&lost);
  let_owner_die(&lost);
  REQUIRE_0(pthread_mutex_unlock(&lost));
  REQUIRE(pthread_mutex_lock(&lost) == ENOTRECOVERABLE);
  printf("{\"repaired\": 3, \"lost\": 2}\n");
  return 0;
}
