// SPDX-License-Identifier: Apache-2.0
// The files of one trace: where their blocks stand, and the blocks' content.
//
// A bounded recording may have left TRACE.new beside TRACE, which goes on where TRACE ends.
#ifndef ANALYZER_READING_FILES_H
#define ANALYZER_READING_FILES_H

#include "analyzer/reading/memory.h"
#include "formats/container.h"

enum { READING_FILES_MAX = 2 };

typedef struct {
  int fd;
  char *path;
  const char *prefix;  // of its warnings: "" for the trace itself
  uint64_t size;       // bytes, as far as it was looked at
  bool complete;       // ends with a seek table
  bool truncated;      // ends in the middle of a frame, which begins at:
  uint64_t truncated_at;
} reading_file_t;

// Where a block stands.
typedef struct {
  trace_block_place_t place;
  uint8_t file;
  bool reported;  // its damage has been warned of
  bool refused;   // it has no place in a lane
} reading_block_t;

typedef struct {
  reading_file_t files[READING_FILES_MAX];
  size_t file_count;
  reading_block_t *blocks;  // in order of the files
  size_t block_count, block_capacity;
  bool damaged;
  void *context;  // ZSTD_DCtx
  uint8_t *buffer;
  size_t buffer_capacity;
} reading_files_t;

// Opens TRACE and what continues it. False with "FILE: offset 0: ..." in `error`.
bool reading_files_open(reading_files_t *files, const char *path, char *error, size_t size);
void reading_files_close(reading_files_t *files);

// Finds all blocks; only their headers are read. Damage goes to `warnings`.
void reading_files_index(reading_files_t *files, memory_lines_t *warnings);
// Finds the blocks of the trace that stand before the first that is damaged, at most `limit`.
void reading_files_index_first(reading_files_t *files, size_t limit);

// Reads the content of a block into *content, which grows as needed (its owner frees it). False
// where it is damaged; said once in `warnings`.
bool reading_files_load(reading_files_t *files, reading_block_t *block, uint8_t **content,
                        size_t *capacity, memory_lines_t *warnings);
// Says once that a block is damaged.
void reading_files_report(reading_files_t *files, reading_block_t *block, trace_error_t error,
                          memory_lines_t *warnings);

#endif
