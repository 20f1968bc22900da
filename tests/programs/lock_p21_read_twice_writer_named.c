// SPDX-License-Identifier: Apache-2.0
// Nothing: glibc lets readers go first for this kind too, whatever its name.
#include "lock_recursive_read.h"

int main(void) {
  read_twice_beside_writer(PTHREAD_RWLOCK_PREFER_WRITER_NP);
  return 0;
}
