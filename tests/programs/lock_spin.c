// SPDX-License-Identifier: Apache-2.0
// A feasible deadlock of a spin lock and a mutex.
#include "locks.h"

static pthread_spinlock_t counters;
static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;

static void forth(void) {
  pthread_spin_lock(&counters);
  pthread_mutex_lock(&table);
  pthread_mutex_unlock(&table);
  pthread_spin_unlock(&counters);
}

static void back(void) {
  pthread_mutex_lock(&table);
  pthread_spin_lock(&counters);
  pthread_spin_unlock(&counters);
  pthread_mutex_unlock(&table);
}

int main(void) {
  pthread_spin_init(&counters, PTHREAD_PROCESS_PRIVATE);
  RUN_IN_TURN(forth, back);
  return 0;
}
