// SPDX-License-Identifier: Apache-2.0
// Allocates, locks and looks up symbols before any constructor has run (.preinit_array), more than
// any small arena would hold, and gives the blocks back in main.
#include "program.h"

#include <dlfcn.h>
#include <malloc.h>

enum { BLOCKS = 200, LARGE = 64 << 10 };

static char *blocks[BLOCKS];
static char *grown;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void call_early(void) {
  for (int i = 0; i < BLOCKS; i++) {
    blocks[i] = calloc(1, LARGE);
    REQUIRE(blocks[i] && blocks[i][LARGE - 1] == 0);
    REQUIRE(malloc_usable_size(blocks[i]) >= LARGE);
  }
  grown = strdup("grown");
  REQUIRE(grown && !dlsym(RTLD_DEFAULT, "no_such_symbol_at_all") && dlerror());
  REQUIRE_0(pthread_mutex_lock(&lock));
}

typedef void early_t(int, char **, char **);
static void call_early_with(int count, char **arguments, char **environment) {
  (void)count, (void)arguments, (void)environment;
  call_early();
}
__attribute__((used, section(".preinit_array"))) static early_t *const early = call_early_with;

int main(void) {
  REQUIRE_0(pthread_mutex_unlock(&lock));
  grown = realloc(grown, 100000);
  REQUIRE(grown && !strcmp(grown, "grown"));
  free(grown);
  size_t usable = 0;
  for (int i = 0; i < BLOCKS; i++) {
    usable += malloc_usable_size(blocks[i]) >= LARGE;
    blocks[i] = realloc(blocks[i], LARGE + 1);
    REQUIRE(blocks[i]);
    free(blocks[i]);
  }
  printf("{\"blocks\": %d, \"usable\": %zu}\n", BLOCKS, usable);
  return 0;
}
