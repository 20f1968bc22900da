// SPDX-License-Identifier: Apache-2.0
// A C program that loads the C++ plugin of argv[1], out of sight of all others, runs it 100 times
// and unloads it; three times over.
#include "program.h"

#include <dlfcn.h>

int main(int argc, char **argv) {
  int caught = 0;
  for (int round = 0; round < 3; round++) {
    void *plugin = dlopen(argc > 1 ? argv[1] : "", RTLD_NOW | RTLD_LOCAL);
    REQUIRE(plugin);
    int (*run)(int);
    *(void **)&run = dlsym(plugin, "plugin_run");
    REQUIRE(run);
    caught += run(100);
    REQUIRE(dlclose(plugin) == 0);
  }
  printf("{\"caught\": %d}\n", caught);
  return 0;
}
