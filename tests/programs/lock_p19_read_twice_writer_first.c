// SPDX-License-Identifier: Apache-2.0
// An actual deadlock: the second read waits for a writer that waits for the first read to end.
#include "lock_recursive_read.h"

int main(void) {
  read_twice_beside_writer(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  return 0;
}
