// SPDX-License-Identifier: Apache-2.0
// The images that one lane has met.
#ifndef PRELOAD_STACKS_IMAGES_H
#define PRELOAD_STACKS_IMAGES_H

#include "preload/stacks/image.h"

enum { IMAGES_MAX = 48 };

// All-zero is a valid state. With more images than places the oldest go, and are met again.
typedef struct {
  uint32_t victim;
  uint32_t last;  // the one that was asked for last
  bool changed;   // the loader no longer says what it said: modules have gone unannounced
  image_t known[IMAGES_MAX];
} images_t;

// The image that holds `address`, asking the loader if it is not known; NULL where there is none.
// Lives until the next call.
image_t *images_get(images_t *images, uint64_t address, memory_t *memory);
// The same, but the loader is asked in any case, and `changed` set where it contradicts.
image_t *images_verify(images_t *images, uint64_t address, memory_t *memory);
void images_forget(images_t *images);

#endif
