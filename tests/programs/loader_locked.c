// SPDX-License-Identifier: Apache-2.0
// Loads and unloads the library that argv[1] names: its constructor and destructor, which run under
// the loader's lock, wait for a thread that allocates and locks from code that nobody has met.
#include "program.h"

#include <dlfcn.h>

enum { ROUNDS = 5 };

int main(int argc, char **argv) {
  REQUIRE(argc == 2);
  for (int i = 0; i < ROUNDS; i++) {
    void *library = dlopen(argv[1], RTLD_NOW);
    REQUIRE(library && dlclose(library) == 0);
  }
  printf("{\"rounds\": %d}\n", ROUNDS);
  return 0;
}
