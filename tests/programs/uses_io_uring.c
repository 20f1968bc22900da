// SPDX-License-Identifier: Apache-2.0
// Sets an io_uring up: what is handed to it is in no call, and the recorder says so. `ring` is -1
// where the kernel has or gives none.
#include "program.h"

#include <linux/io_uring.h>
#include <sys/syscall.h>

int main(void) {
  struct io_uring_params parameters = {0};
  long ring = syscall(SYS_io_uring_setup, 4, &parameters);
  printf("{\"ring\": %d}\n", ring < 0 ? -1 : 1);
  return 0;
}
