// SPDX-License-Identifier: Apache-2.0
// The files that a process has mapped, to say in which of them an address lies.
#ifndef TOOLS_RUN_MODULES_H
#define TOOLS_RUN_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// A mapped stretch of a file. `base`: where the file's first byte would be.
typedef struct {
  uint64_t start, end, base;
  char *path;
} module_t;

typedef struct {
  module_t *items;
  size_t count;
} modules_t;

// Those of process `pid` now; empty where /proc does not say. For modules_free.
modules_t modules_read(pid_t pid);
void modules_free(modules_t *modules);

// The stretch that holds `address`, or NULL.
const module_t *modules_find(const modules_t *modules, uint64_t address);
// The last part of its path.
const char *module_name(const module_t *module);

#endif
