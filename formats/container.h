// SPDX-License-Identifier: Apache-2.0
// The trace file: a plain .zst that a reader can enter at any frame.
//
//   (skippable frame: block header, 64 bytes in all) (zstd frame with checksum: the block) ...
//   (skippable frame: zstd's seekable-format table)         only in a complete trace
//
// The first block is of lane 0 and begins with the PROPERTY "inspect-trace=VERSION". A trace
// without the table is read to its last whole frame.
#ifndef FORMATS_CONTAINER_H
#define FORMATS_CONTAINER_H

#include "formats/block.h"

#include <sys/types.h>

enum {
  TRACE_VERSION = 1,
  TRACE_BLOCK_HEADER_SIZE = 64,
  TRACE_BLOCK_MAX = 4 << 20,  // no block's content is larger; a reader refuses more
};
#define TRACE_BLOCK_MAGIC UINT32_C(0x184D2A55)  // skippable frame that precedes a block
#define TRACE_SEEK_TABLE_MAGIC UINT32_C(0x184D2A5E)
#define TRACE_SEEK_FOOTER_MAGIC UINT32_C(0x8F92EAB1)
#define TRACE_INNER_MAGIC UINT32_C(0x42534e49)  // "INSB", after the skippable header

// The 64 bytes before a block's zstd frame; little endian on disk as in memory.
typedef struct {
  uint32_t magic;  // TRACE_BLOCK_MAGIC
  uint32_t size;   // 56: bytes that follow
  uint32_t inner;  // TRACE_INNER_MAGIC
  uint32_t lane;
  uint64_t from, to;
  uint64_t first_ticks, last_ticks;
  uint32_t records;
  uint32_t compressed_size;  // of the zstd frame that follows
  uint32_t content_size;
  uint32_t check;  // low 32 bits of XXH64 of the 60 bytes before, seed 0
} trace_block_header_t;
_Static_assert(sizeof(trace_block_header_t) == TRACE_BLOCK_HEADER_SIZE, "as on disk");

// ---- writing ---------------------------------------------------------------------------------
// A trace being written. No member is for others. Memory comes from mmap, never from malloc: the
// writer lives in a copy of a process whose allocator it must not touch.
typedef struct {
  int fd;
  uint64_t offset;  // end of the last whole frame
  void *context;    // ZSTD_CCtx in static memory
  uint8_t *buffer;  // a compressed frame
  size_t buffer_size, workspace_size;
  struct trace_seek_entry *entries;
  size_t entry_count, entry_capacity;
  bool borrowed;                         // context and buffer are another writer's
  size_t last_content, last_compressed;  // of the block before
  bool overhang;  // something stands behind `offset` that the next write must cut off
} trace_writer_t;

// Starts a trace in `fd`, or goes on with the one that is in it: its whole blocks stay, a seek
// table or half a frame behind them is cut off by the next append (then the fd must be readable
// too). Content of blocks will be at most `content_max` bytes. 0, or -errno; -EINVAL where the file
// has something else in it. The fd stays the caller's; its file position is not kept.
int trace_writer_open(trace_writer_t *writer, int fd, size_t content_max, int level);
// The same for many traces written by one thread: a compressor without a trace, and traces that
// use it. The lender must outlive them.
int trace_writer_prepare(trace_writer_t *writer, size_t content_max, int level);
int trace_writer_open_beside(trace_writer_t *writer, int fd, const trace_writer_t *lender);
// Appends one block. 0, or -errno; after an error the file is cut back to the last whole frame,
// and the block may be given again.
int trace_writer_append(trace_writer_t *writer, const trace_block_t *block, const uint8_t *content,
                        size_t size);
// Appends a block as it stands in another trace: its header and frame, `size` bytes together.
int trace_writer_append_raw(trace_writer_t *writer, const void *block, size_t size,
                            size_t content_size);
// Cuts off a seek table or half a frame now, not with the next append. True where there was one;
// disk space held behind the end of the file has gone with it.
bool trace_writer_trim(trace_writer_t *writer);
// The most that a block with `size` bytes of content takes in the file.
size_t trace_writer_bound(size_t size);
// Writes the seek table. The trace is complete, but may be reopened by the next append, which cuts
// the table off again. 0, or -errno.
int trace_writer_finish(trace_writer_t *writer);
// Unmaps what it holds. Does not close the fd.
void trace_writer_close(trace_writer_t *writer);

// ---- reading ---------------------------------------------------------------------------------
// Why a file, or the rest of it, cannot be read. One row each in container.c with its text.
#define TRACE_ERROR_TABLE(ERROR)                                                                   \
  ERROR(NONE, "no error")                                                                          \
  ERROR(END, "end of the trace")                                                                   \
  ERROR(TRUNCATED, "the file ends in the middle of a frame")                                       \
  ERROR(NOT_A_TRACE, "not an inspect trace")                                                       \
  ERROR(NEWER, "written by a newer version of the recorder")                                       \
  ERROR(HEADER, "a block header is damaged")                                                       \
  ERROR(CHECKSUM, "a frame is damaged: its content does not match its checksum")                   \
  ERROR(CONTENT, "a frame is damaged: its columns are malformed")                                  \
  ERROR(SYSTEM, "the file cannot be read")
typedef enum {
#define ERROR(name, text) TRACE_ERROR_##name,
  TRACE_ERROR_TABLE(ERROR)
#undef ERROR
} trace_error_t;
const char *trace_error_text(trace_error_t error);

// One block as found in a file.
typedef struct {
  uint64_t offset;  // of its header in the file
  uint32_t compressed_size, content_size;
  trace_block_t block;
} trace_block_place_t;

// Finds the block whose header stands at or after `*offset` in `fd`, and moves *offset behind its
// frame. A seek table is passed over (`*complete` is set where one with a valid footer ends the
// file). NONE: `place` is set. END: nothing more. HEADER: what stands at *offset is no header;
// *offset is moved to the next place that looks like one (a scan for the magics), or to the end.
// TRUNCATED, SYSTEM (errno): *offset is where. Believes nothing it reads.
trace_error_t trace_block_find(int fd, uint64_t *offset, trace_block_place_t *place,
                               bool *complete);

// Reads and decompresses one block into `content` (place->content_size bytes, from the caller).
// `buffer` has place->compressed_size bytes. `context` is a ZSTD_DCtx.
trace_error_t trace_block_load(int fd, const trace_block_place_t *place, void *context,
                               uint8_t *buffer, uint8_t *content);

#endif
