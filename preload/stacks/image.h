// SPDX-License-Identifier: Apache-2.0
// A module as it is mapped: where its unwind information is, what it is called.
#ifndef PRELOAD_STACKS_IMAGE_H
#define PRELOAD_STACKS_IMAGE_H

#include "preload/stacks/memory.h"
#include "preload/stacks/stacks.h"

struct link_map;

enum { IMAGE_PATH_MAX = 4096, IMAGE_BUILD_ID_MAX = 64 };

typedef struct {
  uint64_t start, end;    // [start, end) of the mapping; end 0: no image
  uint64_t bias;          // difference between addresses in memory and in the file
  uint64_t entry;         // address of the ELF entry point; 0: none
  uint64_t frame_header;  // .eh_frame_hdr; 0: none
  uint64_t low, high;     // the readable segment that holds it
  uint64_t build_id;      // address of its bytes; 0: none
  uint64_t identity;      // the first of them
  uint32_t build_id_length;
  bool announced;
  const struct link_map *link_map;
} image_t;

// The image that holds `address`, as the loader has it now. Lock-free, signal-safe.
bool image_find(image_t *image, uint64_t address, memory_t *memory);
// Whether there is one. Lock-free, signal-safe.
bool image_exists(uint64_t address);
// Whether `address` is still in the module that `image` describes, as far as can be told.
bool image_stands(const image_t *image, uint64_t address, memory_t *memory);
// Whether [address, address + size) of the image's unwind information can be read.
bool image_readable(const image_t *image, uint64_t address, uint64_t size, memory_t *memory);
// Tells `sink` of it. `scratch` has IMAGE_PATH_MAX bytes.
bool image_announce(const image_t *image, char *scratch, const stacks_sink_t *sink);

// Once in the constructor: notes the program's path and its working directory, which signal-safe
// code could not ask for.
void image_start(void);

static inline bool image_holds(const image_t *image, uint64_t address) {
  return address - image->start < image->end - image->start;
}

#endif
