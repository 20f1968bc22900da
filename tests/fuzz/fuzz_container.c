// SPDX-License-Identifier: Apache-2.0
// Any bytes as a trace file: the walk over it must end, and what it finds must be loadable or not,
// never harmful. So that mutations reach what lies behind the checks, headers are made right first.
#include "formats/container.h"
#include "formats/frame_header.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
  if (!condition) abort();
}

// Gives every header in the file the check that it should have.
static void headers_mend(uint8_t *bytes, size_t size) {
  for (size_t at = 0; at + sizeof(trace_block_header_t) <= size; at++) {
    trace_block_header_t header;
    memcpy(&header, bytes + at, sizeof(header));
    if (header.magic != TRACE_BLOCK_MAGIC || header.inner != TRACE_INNER_MAGIC) continue;
    header.check = trace_header_check(&header);
    memcpy(bytes + at, &header, sizeof(header));
  }
}

static void block_decode(const trace_block_t *block, const uint8_t *content, size_t size) {
  static trace_block_cursor_t cursor;
  trace_record_t record;
  if (!trace_block_open(&cursor, block, content, size)) return;
  while (trace_block_next(&cursor, &record) == 1)
    ;
}

static void block_load(int fd, const trace_block_place_t *place) {
  static ZSTD_DCtx *context;
  if (!context) context = ZSTD_createDCtx();
  uint8_t *buffer = malloc(place->compressed_size), *content = malloc(place->content_size + 1);
  if (trace_block_load(fd, place, context, buffer, content) == TRACE_ERROR_NONE)
    block_decode(&place->block, content, place->content_size);
  free(buffer);
  free(content);
}

static void file_walk(int fd, size_t size) {
  uint64_t offset = 0, before;
  bool complete = false;
  for (;;) {
    trace_block_place_t place;
    before = offset;
    trace_error_t error = trace_block_find(fd, &offset, &place, &complete);
    require(offset <= size);
    if (error == TRACE_ERROR_END || error == TRACE_ERROR_TRUNCATED) return;
    require(offset > before);
    if (error == TRACE_ERROR_NONE)
      block_load(fd, &place);
    else
      require(error == TRACE_ERROR_HEADER);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static int fd = -1;
  if (fd < 0) fd = memfd_create("trace", MFD_CLOEXEC);
  uint8_t *bytes = malloc(size + 1);
  if (size) memcpy(bytes, data, size);
  if (size && data[size - 1] % 2) headers_mend(bytes, size);
  require(ftruncate(fd, 0) == 0 && pwrite(fd, bytes, size, 0) == (ssize_t)size);
  free(bytes);
  file_walk(fd, size);
  return 0;
}
