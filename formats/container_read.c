// SPDX-License-Identifier: Apache-2.0
// Finds and loads the blocks of a trace file that may be cut short, damaged or still growing.
#include "formats/container.h"

#include "formats/frame_header.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { SCAN_SIZE = 64 << 10 };

const char *trace_error_text(trace_error_t error) {
  static const char *const texts[] = {
#define ERROR(name, text) text,
      TRACE_ERROR_TABLE(ERROR)
#undef ERROR
  };
  return (size_t)error < sizeof(texts) / sizeof(texts[0]) ? texts[error] : "unknown error";
}

uint32_t trace_header_check(const trace_block_header_t *header) {
  return (uint32_t)XXH64(header, offsetof(trace_block_header_t, check), 0);
}

ssize_t trace_read_at(int fd, void *buffer, size_t size, uint64_t offset) {
  size_t done = 0;
  while (done < size) {
    ssize_t count = pread(fd, (uint8_t *)buffer + done, size - done, (off_t)(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -1;
    if (count == 0) break;
    done += (size_t)count;
  }
  return (ssize_t)done;
}

// A header that the writer made, and that no bit has changed in.
static bool header_valid(const trace_block_header_t *header) {
  return header->magic == TRACE_BLOCK_MAGIC &&
         header->size == TRACE_BLOCK_HEADER_SIZE - TRACE_SKIPPABLE_HEADER &&
         header->inner == TRACE_INNER_MAGIC && header->check == trace_header_check(header) &&
         header->content_size <= TRACE_BLOCK_MAX && header->compressed_size > 0 &&
         header->compressed_size <= ZSTD_COMPRESSBOUND(TRACE_BLOCK_MAX);
}

// Whether a seek table of `size` bytes behind its skippable header ends the file with its footer.
static bool table_valid(int fd, uint64_t offset, uint32_t size, uint64_t file_size) {
  uint64_t end = offset + TRACE_SKIPPABLE_HEADER + size;
  trace_seek_footer_t footer;
  if (size < sizeof(footer) || end != file_size) return false;
  if (trace_read_at(fd, &footer, sizeof(footer), end - sizeof(footer)) != sizeof(footer))
    return false;
  return footer.magic == TRACE_SEEK_FOOTER_MAGIC && footer.descriptor == 0 &&
         footer.frames == (size - sizeof(footer)) / sizeof(trace_seek_entry_t) &&
         (size - sizeof(footer)) % sizeof(trace_seek_entry_t) == 0;
}

// Whether a block header or the seek table stands at `bytes`, which are at `offset` of the file.
static bool frame_starts(int fd, const uint8_t *bytes, size_t size, uint64_t offset,
                         uint64_t file_size) {
  trace_block_header_t header = {0};
  memcpy(&header, bytes, size < sizeof(header) ? size : sizeof(header));
  if (header.magic == TRACE_SEEK_TABLE_MAGIC && size >= TRACE_SKIPPABLE_HEADER)
    return table_valid(fd, offset, header.size, file_size);
  return size >= sizeof(header) && header_valid(&header);
}

// The first place at or after `offset` where a block header or the seek table stands, or the end of
// the file. -1 with errno on failure. The two magics differ in their first byte only.
static int64_t frame_scan(int fd, uint64_t offset, uint64_t file_size) {
  static const uint8_t magic_rest[] = {0x2a, 0x4d, 0x18};
  uint8_t buffer[SCAN_SIZE];
  for (;;) {
    ssize_t size = trace_read_at(fd, buffer, sizeof(buffer), offset);
    if (size < 0) return -1;
    const uint8_t *end = buffer + size, *next = buffer + 1;
    while (next < end && (next = memmem(next, (size_t)(end - next), magic_rest, 3))) {
      const uint8_t *start = next++ - 1;
      uint64_t place = offset + (uint64_t)(start - buffer);
      if (frame_starts(fd, start, (size_t)(end - start), place, file_size)) return (int64_t)place;
    }
    if ((size_t)size < sizeof(buffer)) return (int64_t)(offset + (uint64_t)size);
    // A header that the end of the buffer cuts is met again.
    offset += sizeof(buffer) - (TRACE_BLOCK_HEADER_SIZE - 1);
  }
}

// Whether `size` bytes, too few for a header, are how one begins.
static bool header_begins(const trace_block_header_t *header, size_t size) {
  static const uint32_t block[3] = {
      TRACE_BLOCK_MAGIC, TRACE_BLOCK_HEADER_SIZE - TRACE_SKIPPABLE_HEADER, TRACE_INNER_MAGIC};
  static const uint32_t table = TRACE_SEEK_TABLE_MAGIC;
  return memcmp(header, block, size < sizeof(block) ? size : sizeof(block)) == 0 ||
         memcmp(header, &table, size < sizeof(table) ? size : sizeof(table)) == 0;
}

static trace_error_t header_lost(int fd, uint64_t *offset, uint64_t file_size) {
  int64_t next = frame_scan(fd, *offset + 1, file_size);
  if (next < 0) return TRACE_ERROR_SYSTEM;
  *offset = (uint64_t)next;
  return TRACE_ERROR_HEADER;
}

static void place_set(trace_block_place_t *place, const trace_block_header_t *header,
                      uint64_t offset) {
  *place = (trace_block_place_t){
      .offset = offset,
      .compressed_size = header->compressed_size,
      .content_size = header->content_size,
      .block = {.lane = header->lane,
                .records = header->records,
                .from = header->from,
                .to = header->to,
                .first_ticks = header->first_ticks,
                .last_ticks = header->last_ticks},
  };
}

trace_error_t trace_block_find(int fd, uint64_t *offset, trace_block_place_t *place,
                               bool *complete) {
  for (;;) {
    trace_block_header_t header = {0};
    ssize_t size = trace_read_at(fd, &header, sizeof(header), *offset);
    struct stat file;
    if (size < 0 || fstat(fd, &file) != 0) return TRACE_ERROR_SYSTEM;
    if (size == 0) return TRACE_ERROR_END;
    uint64_t file_size = (uint64_t)file.st_size;
    uint64_t end = *offset + TRACE_SKIPPABLE_HEADER + header.size;

    if (header.magic == TRACE_SEEK_TABLE_MAGIC && size >= TRACE_SKIPPABLE_HEADER) {
      if (end > file_size) return TRACE_ERROR_TRUNCATED;
      if (table_valid(fd, *offset, header.size, file_size)) *complete = true;
      *offset = end;
      continue;
    }
    if ((size_t)size < sizeof(header)) {
      if (header_begins(&header, (size_t)size)) return TRACE_ERROR_TRUNCATED;
      *offset += (uint64_t)size;
      return TRACE_ERROR_HEADER;
    }
    if (!header_valid(&header)) return header_lost(fd, offset, file_size);
    end = *offset + sizeof(header) + header.compressed_size;
    if (end > file_size) return TRACE_ERROR_TRUNCATED;
    place_set(place, &header, *offset);
    *offset = end;
    return TRACE_ERROR_NONE;
  }
}

trace_error_t trace_block_load(int fd, const trace_block_place_t *place, void *context,
                               uint8_t *buffer, uint8_t *content) {
  ssize_t size =
      trace_read_at(fd, buffer, place->compressed_size, place->offset + TRACE_BLOCK_HEADER_SIZE);
  if (size < 0) return TRACE_ERROR_SYSTEM;
  if ((size_t)size < place->compressed_size) return TRACE_ERROR_TRUNCATED;
  size_t got = ZSTD_decompressDCtx(context, content, place->content_size, buffer, (size_t)size);
  return ZSTD_isError(got) || got != place->content_size ? TRACE_ERROR_CHECKSUM : TRACE_ERROR_NONE;
}
