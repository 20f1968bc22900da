// SPDX-License-Identifier: Apache-2.0
// Linked with a library that allocates in its ifunc resolver: the blocks from there are measured,
// resized and given back as any others.
#include "program.h"

#include <malloc.h>

extern void *early_blocks[3];
int early_answer(void);

int main(void) {
  const size_t sizes[3] = {100, 200, 300};
  int early = 0;
  REQUIRE(early_answer() == 42);
  for (int i = 0; i < 3; i++) {
    if (!early_blocks[i]) continue;
    REQUIRE(malloc_usable_size(early_blocks[i]) >= sizes[i]);
    early_blocks[i] = realloc(early_blocks[i], 5000);
    REQUIRE(early_blocks[i]);
    free(early_blocks[i]);
    early++;
  }
  printf("{\"early\": %d}\n", early);
  return 0;
}
