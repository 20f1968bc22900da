// SPDX-License-Identifier: Apache-2.0
// Benign: a post and the wait for it keep the two orders apart.
#include "locks.h"

#include <semaphore.h>

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static sem_t done;

static void *forth(void *unused) {
  lock_both(&a, &b);
  sem_post(&done);
  return unused;
}

static void *back(void *unused) {
  sem_wait(&done);
  lock_both(&b, &a);
  return unused;
}

int main(void) {
  pthread_t first, second;
  sem_init(&done, 0, 0);
  REQUIRE_0(pthread_create(&first, NULL, forth, NULL));
  REQUIRE_0(pthread_create(&second, NULL, back, NULL));
  pthread_join(first, NULL);
  pthread_join(second, NULL);
  return 0;
}
