// SPDX-License-Identifier: Apache-2.0
// See modules.h.
#include "tools/run/modules.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A line of /proc/PID/maps: start-end permissions offset device inode path.
static bool line_parse(const char *line, module_t *module) {
  uint64_t offset;
  int path = 0;
  if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*s %n", &module->start,
             &module->end, &offset, &path) < 3 ||
      !path || !line[path] || line[path] == '\n')
    return false;
  module->base = module->start - offset;
  module->path = strndup(line + path, strcspn(line + path, "\n"));
  return module->path;
}

modules_t modules_read(pid_t pid) {
  modules_t modules = {0};
  char name[64], *line = NULL;
  size_t size = 0;
  snprintf(name, sizeof name, "/proc/%d/maps", (int)pid);
  FILE *maps = fopen(name, "re");
  if (!maps) return modules;
  while (getline(&line, &size, maps) > 0) {
    module_t module;
    if (!line_parse(line, &module)) continue;
    module_t *grown = realloc(modules.items, (modules.count + 1) * sizeof *grown);
    if (!grown) {
      free(module.path);
      break;
    }
    modules.items = grown;
    modules.items[modules.count++] = module;
  }
  free(line);
  fclose(maps);
  return modules;
}

void modules_free(modules_t *modules) {
  for (size_t i = 0; i < modules->count; i++) free(modules->items[i].path);
  free(modules->items);
  *modules = (modules_t){0};
}

const module_t *modules_find(const modules_t *modules, uint64_t address) {
  for (size_t i = 0; i < modules->count; i++)
    if (address >= modules->items[i].start && address < modules->items[i].end)
      return &modules->items[i];
  return NULL;
}

const char *module_name(const module_t *module) {
  const char *slash = strrchr(module->path, '/');
  return slash ? slash + 1 : module->path;
}
