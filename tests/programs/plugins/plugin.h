// SPDX-License-Identifier: Apache-2.0
// Two plugins that are the same but for a name, so that the second fits where the first was.
#ifndef PROGRAMS_PLUGINS_PLUGIN_H
#define PROGRAMS_PLUGINS_PLUGIN_H

#include <stdlib.h>

#define PLUGIN(function)                                                                           \
  __attribute__((visibility("default"))) void *plugin_run(size_t size);                            \
  __attribute__((noinline)) static void *function(size_t size) {                                   \
    void *volatile block = malloc(size);                                                           \
    return block;                                                                                  \
  }                                                                                                \
  void *plugin_run(size_t size) {                                                                  \
    void *volatile block = function(size);                                                         \
    return block;                                                                                  \
  }

#endif
