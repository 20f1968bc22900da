// SPDX-License-Identifier: Apache-2.0
// Unloading of modules. dlopen is not interposed: where it searches depends on its caller. What it
// loads is met as an unknown address in a stack.
#include "preload/hooks/hooks.h"
#include "preload/hooks/operators.h"

#include <dlfcn.h>

// Whatever is recorded: stacks are taken in every mode.
HOOK_EXPORT int dlclose(void *handle) {
  const int result = REAL_OR_FIRST(dlclose)(handle);
  stacks_modules_changed();
  operators_forget();
  return result;
}
