// SPDX-License-Identifier: Apache-2.0
// What a lane's memory holds.
#ifndef PRELOAD_STACKS_STATE_H
#define PRELOAD_STACKS_STATE_H

#include "preload/stacks/memo.h"

struct stacks {
  uint64_t generation;  // of modules, when everything below was learnt; 0: never
  memo_t memo;
  numbers_t numbers;
  walk_t walk;
  char path[IMAGE_PATH_MAX];
};
_Static_assert(sizeof(struct stacks) <= STACKS_MEMORY, "it fits");

#endif
