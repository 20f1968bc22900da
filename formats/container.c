// SPDX-License-Identifier: Apache-2.0
// Writes a trace file. Runs in the writer process: memory from mmap, files by system calls.
#include "formats/container.h"

#include "formats/frame_header.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

enum {
  ENTRIES_AT_FIRST = 512,  // one page
  PLAIN_FROM = 40,         // compressed so many times smaller, a block is very repetitive
  // What a column repeats is mostly near. A table of 4 KiB finds it nearly as well as the 32 KiB
  // that zstd takes by itself (traces of redis, python and memcached grow by 0.3 to 1 %), in 0.75
  // of the time.
  HASH_LOG = 10,
};

static void *memory_map(size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

// Writes all of it, or says why not: -errno.
static int write_at(int fd, const void *bytes, size_t size, uint64_t offset) {
  const uint8_t *next = bytes;
  while (size > 0) {
    ssize_t written = pwrite(fd, next, size, (off_t)offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return -errno;
    if (written == 0) return -ENOSPC;
    next += written;
    size -= (size_t)written;
    offset += (uint64_t)written;
  }
  return 0;
}

// Cuts the file back to the last whole frame. ftruncate can be interrupted on some file systems.
static int cut_back(trace_writer_t *writer) {
  while (ftruncate(writer->fd, (off_t)writer->offset) != 0)
    if (errno != EINTR) return -errno;
  return 0;
}

static int entries_grow(trace_writer_t *writer) {
  if (writer->entry_count < writer->entry_capacity) return 0;
  size_t size = writer->entry_capacity * sizeof(trace_seek_entry_t);
  void *entries = size ? mremap(writer->entries, size, size * 2, MREMAP_MAYMOVE)
                       : memory_map(ENTRIES_AT_FIRST * sizeof(trace_seek_entry_t));
  if (!entries || entries == MAP_FAILED) return -ENOMEM;
  writer->entries = entries;
  writer->entry_capacity = size ? writer->entry_capacity * 2 : ENTRIES_AT_FIRST;
  return 0;
}

static int entry_add(trace_writer_t *writer, size_t compressed_size, size_t content_size) {
  int error = entries_grow(writer);
  if (error) return error;
  writer->entries[writer->entry_count++] = (trace_seek_entry_t){
      TRACE_BLOCK_HEADER_SIZE + (uint32_t)compressed_size, (uint32_t)content_size};
  return 0;
}

// Takes over the blocks that a trace already has; a seek table or half a frame behind them goes
// with the next append.
static int blocks_take_over(trace_writer_t *writer) {
  trace_block_place_t place;
  bool complete = false;
  uint64_t offset = 0;
  for (;;) {
    trace_error_t error = trace_block_find(writer->fd, &offset, &place, &complete);
    if (error == TRACE_ERROR_SYSTEM) return -errno;
    if (error == TRACE_ERROR_END || error == TRACE_ERROR_TRUNCATED) return 0;
    // Behind a seek table nothing can be kept: its entries count from the start of the file.
    if (error != TRACE_ERROR_NONE || place.offset != writer->offset) return -EINVAL;
    int failure = entry_add(writer, place.compressed_size, place.content_size);
    if (failure) return failure;
    writer->offset = offset;
  }
}

static int compressor_open(trace_writer_t *writer, size_t content_max, int level) {
  writer->workspace_size = ZSTD_estimateCCtxSize(level);
  writer->buffer_size = TRACE_BLOCK_HEADER_SIZE + ZSTD_compressBound(content_max);
  writer->buffer = memory_map(writer->buffer_size);
  void *workspace = memory_map(writer->workspace_size);
  writer->context = workspace ? ZSTD_initStaticCCtx(workspace, writer->workspace_size) : NULL;
  if (workspace && !writer->context) munmap(workspace, writer->workspace_size);
  if (!writer->context || !writer->buffer) return -ENOMEM;
  // A context in static memory starts without zstd's defaults: frames would not say their size.
  if (ZSTD_isError(ZSTD_CCtx_reset(writer->context, ZSTD_reset_session_and_parameters)) ||
      ZSTD_isError(ZSTD_CCtx_setParameter(writer->context, ZSTD_c_compressionLevel, level)) ||
      ZSTD_isError(ZSTD_CCtx_setParameter(writer->context, ZSTD_c_hashLog, HASH_LOG)) ||
      ZSTD_isError(ZSTD_CCtx_setParameter(writer->context, ZSTD_c_checksumFlag, 1)))
    return -EINVAL;
  return 0;
}

static int writer_begin(trace_writer_t *writer) {
  off_t end = lseek(writer->fd, 0, SEEK_END);
  if (end < 0) return -errno;
  int error = end > 0 ? blocks_take_over(writer) : 0;
  writer->overhang = end > 0 && writer->offset != (uint64_t)end;
  return error;
}

int trace_writer_open(trace_writer_t *writer, int fd, size_t content_max, int level) {
  *writer = (trace_writer_t){.fd = fd};
  if (content_max > TRACE_BLOCK_MAX) return -EINVAL;
  int error = lseek(fd, 0, SEEK_END) < 0 ? -errno : compressor_open(writer, content_max, level);
  if (!error) error = writer_begin(writer);
  if (error) trace_writer_close(writer);
  return error;
}

int trace_writer_open_beside(trace_writer_t *writer, int fd, const trace_writer_t *lender) {
  *writer = (trace_writer_t){.fd = fd,
                             .context = lender->context,
                             .buffer = lender->buffer,
                             .buffer_size = lender->buffer_size,
                             .borrowed = true};
  int error = writer_begin(writer);
  if (error) trace_writer_close(writer);
  return error;
}

int trace_writer_prepare(trace_writer_t *writer, size_t content_max, int level) {
  *writer = (trace_writer_t){.fd = -1};
  if (content_max > TRACE_BLOCK_MAX) return -EINVAL;
  int error = compressor_open(writer, content_max, level);
  if (error) trace_writer_close(writer);
  return error;
}

void trace_writer_close(trace_writer_t *writer) {
  // A static context stands at the start of its workspace.
  if (writer->context && !writer->borrowed) munmap(writer->context, writer->workspace_size);
  if (writer->buffer && !writer->borrowed) munmap(writer->buffer, writer->buffer_size);
  if (writer->entries) munmap(writer->entries, writer->entry_capacity * sizeof(trace_seek_entry_t));
  *writer = (trace_writer_t){.fd = -1};
}

// Writes at the end of the last whole frame. After an error what was written is cut off again.
static int frame_write(trace_writer_t *writer, const void *frame, size_t size) {
  if (writer->overhang) {
    int error = cut_back(writer);
    if (error) return error;
    writer->overhang = false;
  }
  int error = write_at(writer->fd, frame, size, writer->offset);
  if (error) writer->overhang = cut_back(writer) != 0;
  return error;
}

bool trace_writer_trim(trace_writer_t *writer) {
  if (!writer->overhang) return false;
  writer->overhang = cut_back(writer) != 0;
  return true;
}

size_t trace_writer_bound(size_t size) {
  return TRACE_BLOCK_HEADER_SIZE + ZSTD_compressBound(size);
}

// Tables for the few bytes that a very repetitive block has left take longer than they save.
static void literals_choose(trace_writer_t *writer) {
  const bool plain = writer->last_content > (uint64_t)PLAIN_FROM * writer->last_compressed;
  ZSTD_CCtx_setParameter(writer->context, ZSTD_c_literalCompressionMode,
                         plain ? ZSTD_lcm_uncompressed : ZSTD_lcm_auto);
}

int trace_writer_append(trace_writer_t *writer, const trace_block_t *block, const uint8_t *content,
                        size_t size) {
  int error = entries_grow(writer);
  if (error) return error;
  literals_choose(writer);
  size_t compressed = ZSTD_compress2(writer->context, writer->buffer + TRACE_BLOCK_HEADER_SIZE,
                                     writer->buffer_size - TRACE_BLOCK_HEADER_SIZE, content, size);
  if (ZSTD_isError(compressed)) return -EINVAL;
  writer->last_content = size;
  writer->last_compressed = compressed;
  trace_block_header_t header = {
      .magic = TRACE_BLOCK_MAGIC,
      .size = TRACE_BLOCK_HEADER_SIZE - TRACE_SKIPPABLE_HEADER,
      .inner = TRACE_INNER_MAGIC,
      .lane = block->lane,
      .from = block->from,
      .to = block->to,
      .first_ticks = block->first_ticks,
      .last_ticks = block->last_ticks,
      .records = block->records,
      .compressed_size = (uint32_t)compressed,
      .content_size = (uint32_t)size,
  };
  header.check = trace_header_check(&header);
  memcpy(writer->buffer, &header, sizeof(header));
  error = frame_write(writer, writer->buffer, TRACE_BLOCK_HEADER_SIZE + compressed);
  if (error) return error;
  writer->offset += TRACE_BLOCK_HEADER_SIZE + compressed;
  return entry_add(writer, compressed, size);
}

int trace_writer_append_raw(trace_writer_t *writer, const void *block, size_t size,
                            size_t content_size) {
  int error = entries_grow(writer);
  if (!error) error = frame_write(writer, block, size);
  if (error) return error;
  writer->offset += size;
  return entry_add(writer, size - TRACE_BLOCK_HEADER_SIZE, content_size);
}

static int table_write(const trace_writer_t *writer) {
  size_t entries_size = writer->entry_count * sizeof(trace_seek_entry_t);
  uint32_t head[2] = {TRACE_SEEK_TABLE_MAGIC,
                      (uint32_t)(entries_size + sizeof(trace_seek_footer_t))};
  trace_seek_footer_t footer = {(uint32_t)writer->entry_count, 0, TRACE_SEEK_FOOTER_MAGIC};
  uint64_t offset = writer->offset;
  int error = write_at(writer->fd, head, sizeof(head), offset);
  offset += sizeof(head);
  if (!error) error = write_at(writer->fd, writer->entries, entries_size, offset);
  offset += entries_size;
  return error ? error : write_at(writer->fd, &footer, sizeof(footer), offset);
}

int trace_writer_finish(trace_writer_t *writer) {
  if (writer->overhang) {
    int error = cut_back(writer);
    if (error) return error;
  }
  int error = table_write(writer);
  writer->overhang = !error || cut_back(writer) != 0;
  return error;
}
