// SPDX-License-Identifier: Apache-2.0
// The file behind an address that several processes share.
#ifndef PRELOAD_WRITER_PLACES_H
#define PRELOAD_WRITER_PLACES_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  uint32_t device;  // major number in the upper 12 bits, minor in the lower 20
  uint64_t inode, offset;
} place_t;

// Looks into /proc/PID/maps for the shared mapping that holds `address`. Memory that is shared
// without a file's name (anonymous, System V, memfd) has a device and inode as well. False where
// the address lies in no such mapping, or /proc does not say. Blocks as long as reading takes.
bool place_find(uint32_t pid, uint64_t address, place_t *place);

#endif
