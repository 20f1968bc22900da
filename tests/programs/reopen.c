// SPDX-License-Identifier: Apache-2.0
// Loads plugin a, allocates in it 10 times, unloads it, loads plugin b, which lands at the same
// address, allocates there 20 times, and so on 3 rounds: no stack names the wrong plugin.
#include "program.h"

#include <dlfcn.h>

enum { ROUNDS = 3, BLOCKS_A = 10, BLOCKS_B = 20 };

typedef void *plugin_run_t(size_t size);

// Gives the address of the plugin's code.
static uintptr_t use_plugin(const char *path, int blocks) {
  void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!plugin) fprintf(stderr, "%s\n", dlerror());
  REQUIRE(plugin);
  plugin_run_t *run = (plugin_run_t *)dlsym(plugin, "plugin_run");
  REQUIRE(run);
  for (int i = 0; i < blocks; i++) free(run(64));
  uintptr_t address = (uintptr_t)run;
  REQUIRE(dlclose(plugin) == 0);
  return address;
}

int main(int argc, char **argv) {
  REQUIRE(argc == 3);
  int same = 0;
  for (int round = 0; round < ROUNDS; round++)
    same += use_plugin(argv[1], BLOCKS_A) == use_plugin(argv[2], BLOCKS_B);
  printf("{\"a\": %d, \"b\": %d, \"same_address\": %d}\n", ROUNDS * BLOCKS_A, ROUNDS * BLOCKS_B,
         same);
  return 0;
}
