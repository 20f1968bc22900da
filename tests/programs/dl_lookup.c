// SPDX-License-Identifier: Apache-2.0
// Loads plugins in every way and looks symbols up: by the RUNPATH of the program, out of the global
// scope (RTLD_DEEPBIND), in a namespace of its own (dlmopen); dlsym with RTLD_NEXT and
// RTLD_DEFAULT. What is found is said, and is the same under a recorder.
#include "program.h"

#include <dlfcn.h>
#include <link.h>

typedef void *plugin_run_t(size_t size);

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static void use(const char *how, void *plugin) {
  if (!plugin) fprintf(stderr, "%s: %s\n", how, dlerror());
  REQUIRE(plugin);
  struct link_map *map;
  REQUIRE(dlinfo(plugin, RTLD_DI_LINKMAP, &map) == 0);
  plugin_run_t *run = (plugin_run_t *)dlsym(plugin, "plugin_run");
  REQUIRE(run);
  for (int i = 0; i < 10; i++) REQUIRE(run(64));
  printf("%s %s\n", how, base_name(map->l_name));
  REQUIRE(dlclose(plugin) == 0);
}

int main(void) {
  use("runpath", dlopen("plugin_runpath.so", RTLD_NOW | RTLD_LOCAL));
  use("deepbind", dlopen("plugin_runpath.so", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND));
  use("namespace", dlmopen(LM_ID_NEWLM, "plugin_runpath.so", RTLD_NOW | RTLD_LOCAL));
  REQUIRE(!dlopen("plugin_missing.so", RTLD_NOW) && strstr(dlerror(), "plugin_missing.so"));
  void *self = dlopen(NULL, RTLD_NOW);
  REQUIRE(self && dlsym(self, "malloc") == dlsym(RTLD_DEFAULT, "malloc"));
  // what comes after the program; its own main it has not
  REQUIRE(dlsym(RTLD_NEXT, "malloc") && !dlsym(RTLD_NEXT, "main"));
  Dl_info info;
  REQUIRE(dladdr(dlsym(RTLD_DEFAULT, "strlen"), &info) && strstr(info.dli_fname, "libc.so"));
  printf("{\"loaded\": 3}\n");
  return 0;
}
