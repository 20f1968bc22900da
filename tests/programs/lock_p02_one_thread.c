// SPDX-License-Identifier: Apache-2.0
// Benign: both orders, but in one thread, which cannot meet itself.
#include "locks.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;

int main(void) {
  lock_both(&a, &b);
  lock_both(&b, &a);
  return 0;
}
