// SPDX-License-Identifier: Apache-2.0
// Recurses so many times and allocates at the bottom, 100 times: the stack is kept from there
// up to as many frames as the recorder keeps, and is marked.
#include "program.h"

enum { BLOCKS = 100 };

static int descend(int left) {
  if (left > 0) return descend(left - 1) + 1;
  for (int i = 0; i < BLOCKS; i++) free(malloc(32));
  return 0;
}

int main(int argc, char **argv) {
  int depth = argc > 1 ? atoi(argv[1]) : 4000;
  REQUIRE(descend(depth) == depth);
  printf("{\"depth\": %d, \"blocks\": %d}\n", depth, BLOCKS);
  return 0;
}
