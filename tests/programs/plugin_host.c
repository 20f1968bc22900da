// SPDX-License-Identifier: Apache-2.0
// A C program that loads the C++ plugin of argv[1], out of sight of all others, runs it 100 times
// and unloads it; three times over. With argv[2], so many throws are timed in each round.
#include "program.h"

#include <dlfcn.h>

int main(int argc, char **argv) {
  const int throws = argc > 2 ? atoi(argv[2]) : 0;
  long caught = 0, throw_ns = 0;
  for (int round = 0; round < 3; round++) {
    void *plugin = dlopen(argc > 1 ? argv[1] : "", RTLD_NOW | RTLD_LOCAL);
    REQUIRE(plugin);
    int (*run)(int);
    *(void **)&run = dlsym(plugin, "plugin_run");
    long (*time_throws)(int);
    *(void **)&time_throws = dlsym(plugin, "plugin_throw_ns");
    REQUIRE(run && time_throws);
    caught += run(100);
    throw_ns = time_throws(throws);
    REQUIRE(dlclose(plugin) == 0);
  }
  printf("{\"caught\": %ld, \"throw_ns\": %ld}\n", caught, throw_ns);
  return 0;
}
