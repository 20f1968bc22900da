// SPDX-License-Identifier: Apache-2.0
// A library that allocates before it is polite to: in an ifunc resolver, which runs while libraries
// are being relocated; in a constructor; and, loaded by LD_AUDIT, inside the dynamic linker.
#include <link.h>
#include <stdlib.h>

void *early_blocks[3];
int early_answer(void);

static int answer(void) { return 42; }

typedef int answer_t(void);
__attribute__((used)) static answer_t *choose(void) {
  early_blocks[0] = malloc(100);
  early_blocks[1] = calloc(10, 20);
  early_blocks[2] = realloc(NULL, 300);
  free(malloc(50));
  return answer;
}
int early_answer(void) __attribute__((ifunc("choose")));

__attribute__((constructor)) static void construct(void) {
  for (int i = 0; i < 10; i++) free(calloc(1, 64 << 10));
}

unsigned la_version(unsigned version) {
  free(malloc(70));
  return version;
}
