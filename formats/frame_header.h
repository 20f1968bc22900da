// SPDX-License-Identifier: Apache-2.0
// The checks that writer and reader of a trace file share.
#ifndef FORMATS_FRAME_HEADER_H
#define FORMATS_FRAME_HEADER_H

#include "formats/container.h"

// zstd's seekable format: a skippable frame that holds an entry a frame, then a footer.
typedef struct trace_seek_entry {
  uint32_t compressed_size;  // of the header and the frame behind it
  uint32_t content_size;
} trace_seek_entry_t;

typedef struct __attribute__((packed)) {
  uint32_t frames;
  uint8_t descriptor;  // 0: entries have no checksum
  uint32_t magic;      // TRACE_SEEK_FOOTER_MAGIC
} trace_seek_footer_t;
_Static_assert(sizeof(trace_seek_entry_t) == 8 && sizeof(trace_seek_footer_t) == 9, "as on disk");

enum { TRACE_SKIPPABLE_HEADER = 8 };  // magic, bytes that follow

// The check that belongs into `header`.
uint32_t trace_header_check(const trace_block_header_t *header);

// pread until `size` bytes are there or the file ends. Bytes read, or -1 with errno.
ssize_t trace_read_at(int fd, void *buffer, size_t size, uint64_t offset);

#endif
