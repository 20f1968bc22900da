// SPDX-License-Identifier: Apache-2.0
// The files of one trace. See the header.
#include "analyzer/reading/files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

enum { REOPEN_MAX = 5, WARNINGS_MAX = 200 };

// "" or why the file cannot be a trace.
static const char *file_fault(int fd, struct stat *status) {
  if (fd < 0 || fstat(fd, status) != 0) return strerror(errno);
  if (S_ISDIR(status->st_mode)) return strerror(EISDIR);
  if (!S_ISREG(status->st_mode)) return "not a regular file";
  return "";
}

// Opens one of the files. Returns "" or what is wrong.
static const char *file_open(reading_files_t *files, const char *path, const char *prefix,
                             struct stat *status) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  const char *fault = file_fault(fd, status);
  if (*fault) {
    if (fd >= 0) close(fd);
    return fault;
  }
  files->files[files->file_count++] =
      (reading_file_t){.fd = fd, .path = memory_text(path, strlen(path)), .prefix = prefix};
  return "";
}

static void files_forget(reading_files_t *files) {
  for (size_t i = 0; i < files->file_count; i++) {
    close(files->files[i].fd);
    free(files->files[i].path);
  }
  files->file_count = 0;
}

// The recorder may put TRACE.new in the place of TRACE between the two opens.
static bool file_replaced(const char *path, const struct stat *opened) {
  struct stat now;
  return stat(path, &now) == 0 && (now.st_ino != opened->st_ino || now.st_dev != opened->st_dev);
}

bool reading_files_open(reading_files_t *files, const char *path, char *error, size_t size) {
  *files = (reading_files_t){0};
  char *newer;
  if (asprintf(&newer, "%s.new", path) < 0) newer = memory_text("", 0);
  struct stat status, other;
  const char *fault = "";
  for (int attempt = 0; attempt < REOPEN_MAX; attempt++) {
    fault = file_open(files, path, "", &status);
    if (*fault) break;
    file_open(files, newer, ".new: ", &other);
    if (!file_replaced(path, &status)) break;
    files_forget(files);
  }
  free(newer);
  if (*fault || files->file_count == 0) {
    snprintf(error, size, "%s: offset 0: %s", path, *fault ? fault : "it is replaced all the time");
    return false;
  }
  files->context = memory_require(ZSTD_createDCtx());
  return true;
}

void reading_files_close(reading_files_t *files) {
  files_forget(files);
  ZSTD_freeDCtx(files->context);
  free(files->blocks);
  free(files->buffer);
  *files = (reading_files_t){0};
}

static void block_add(reading_files_t *files, size_t file, const trace_block_place_t *place) {
  files->blocks = memory_grow(files->blocks, &files->block_capacity, files->block_count + 1,
                              sizeof *files->blocks);
  files->blocks[files->block_count++] = (reading_block_t){.place = *place, .file = (uint8_t)file};
}

static void damage_print(reading_files_t *files, size_t file, uint64_t offset, trace_error_t error,
                         memory_lines_t *warnings) {
  files->damaged = true;
  const char *text = error == TRACE_ERROR_SYSTEM ? strerror(errno) : trace_error_text(error);
  if (warnings->count < WARNINGS_MAX)
    memory_lines_print(warnings, "%soffset %" PRIu64 ": %s", files->files[file].prefix, offset,
                       text);
  else if (warnings->count == WARNINGS_MAX)
    memory_lines_print(warnings, "more is damaged than is listed here");
}

static void file_index(reading_files_t *files, size_t number, memory_lines_t *warnings) {
  reading_file_t *file = &files->files[number];
  uint64_t offset = 0;
  for (;;) {
    trace_block_place_t place;
    uint64_t before = offset;
    trace_error_t error = trace_block_find(file->fd, &offset, &place, &file->complete);
    file->size = offset;
    if (error == TRACE_ERROR_NONE) {
      block_add(files, number, &place);
      continue;
    }
    if (error == TRACE_ERROR_END) return;
    if (error == TRACE_ERROR_TRUNCATED) {
      file->truncated = true;
      file->truncated_at = offset;
      struct stat status;
      if (fstat(file->fd, &status) == 0) file->size = (uint64_t)status.st_size;
      return;
    }
    damage_print(files, number, before, error, warnings);
    if (error != TRACE_ERROR_HEADER || offset <= before) return;
  }
}

void reading_files_index(reading_files_t *files, memory_lines_t *warnings) {
  files->block_count = 0;
  for (size_t i = 0; i < files->file_count; i++) file_index(files, i, warnings);
}

void reading_files_index_first(reading_files_t *files, size_t limit) {
  files->block_count = 0;
  uint64_t offset = 0;
  bool complete = false;
  trace_block_place_t place;
  while (files->block_count < limit &&
         trace_block_find(files->files[0].fd, &offset, &place, &complete) == TRACE_ERROR_NONE)
    block_add(files, 0, &place);
}

void reading_files_report(reading_files_t *files, reading_block_t *block, trace_error_t error,
                          memory_lines_t *warnings) {
  if (block->reported) return;
  block->reported = true;
  damage_print(files, block->file, block->place.offset, error, warnings);
}

bool reading_files_load(reading_files_t *files, reading_block_t *block, uint8_t **content,
                        size_t *capacity, memory_lines_t *warnings) {
  const trace_block_place_t *place = &block->place;
  files->buffer = memory_grow(files->buffer, &files->buffer_capacity, place->compressed_size, 1);
  *content = memory_grow(*content, capacity, (size_t)place->content_size + 1, 1);
  trace_error_t error = trace_block_load(files->files[block->file].fd, place, files->context,
                                         files->buffer, *content);
  if (error == TRACE_ERROR_NONE) return true;
  reading_files_report(files, block, error, warnings);
  return false;
}
