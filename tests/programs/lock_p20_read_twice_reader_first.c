// SPDX-License-Identifier: Apache-2.0
// Nothing: readers go before waiting writers, so the second read does not wait.
#include "lock_recursive_read.h"

int main(void) {
  read_twice_beside_writer(PTHREAD_RWLOCK_PREFER_READER_NP);
  return 0;
}
