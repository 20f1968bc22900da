// SPDX-License-Identifier: Apache-2.0
// A program that uses a megabyte, gives it back, and forgets one string of 40 bytes.
#include "program.h"

static NOINLINE char *name_copy(void) {
  char *copy = malloc(40);
  REQUIRE(copy);
  strcpy(copy, "forgotten");
  return copy;
}

int main(void) {
  volatile char *large = malloc(1 << 20);
  REQUIRE(large);
  large[0] = *name_copy();
  free((void *)large);
  return 0;
}
