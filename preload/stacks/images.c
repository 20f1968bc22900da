// SPDX-License-Identifier: Apache-2.0
// The images that one lane has met.
#include "preload/stacks/images.h"

static image_t *known_find(images_t *images, uint64_t address) {
  if (image_holds(&images->known[images->last], address)) return &images->known[images->last];
  for (uint32_t i = 0; i < IMAGES_MAX; i++)
    if (image_holds(&images->known[i], address)) {
      images->last = i;
      return &images->known[i];
    }
  return NULL;
}

// An image is empty while it changes: a signal handler may leave in between by longjmp.
image_t *images_get(images_t *images, uint64_t address, memory_t *memory) {
  image_t *known = known_find(images, address);
  if (known) return known;
  image_t found;
  if (!image_find(&found, address, memory)) return NULL;
  uint32_t place = images->victim++ % IMAGES_MAX;
  image_t *image = &images->known[place];
  uint64_t end = found.end;
  found.end = found.start;
  image->end = image->start;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  *image = found;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  image->end = end;
  images->last = place;
  return image;
}

image_t *images_verify(images_t *images, uint64_t address, memory_t *memory) {
  image_t *known = known_find(images, address);
  if (known && !image_stands(known, address, memory)) images->changed = true;
  return known ? known : images_get(images, address, memory);
}

void images_forget(images_t *images) {
  for (uint32_t i = 0; i < IMAGES_MAX; i++) images->known[i].end = images->known[i].start;
  images->changed = false;
}
