// SPDX-License-Identifier: Apache-2.0
// Traces of the same run, found by what they say of themselves: pid, parent, start.
#include "analyzer/reports/siblings.h"

#include "analyzer/reading/memory.h"
#include "analyzer/reports/quantity.h"
#include "formats/trace.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

// What a trace says of itself in its first block.
typedef struct {
  char *file;
  char program[256], host[128];
  uint32_t pid, parent;
  uint64_t start_time, start_ticks;
  bool ours, related;
} sibling_t;

typedef struct {
  sibling_t *items;
  size_t count, capacity;
} siblings_t;

static bool value_of(const char *text, size_t length, const char *key, char *value, size_t size) {
  size_t skip = strlen(key);
  if (length <= skip || memcmp(text, key, skip) || text[skip] != '=') return false;
  size_t rest = length - skip - 1;
  if (rest >= size) rest = size - 1;
  memcpy(value, text + skip + 1, rest);
  value[rest] = '\0';
  return true;
}

static void property_take(sibling_t *sibling, const char *text, size_t length) {
  char number[32];
  value_of(text, length, TRACE_KEY_PROGRAM, sibling->program, sizeof sibling->program);
  value_of(text, length, TRACE_KEY_HOST, sibling->host, sizeof sibling->host);
  if (value_of(text, length, TRACE_KEY_PID, number, sizeof number))
    sibling->pid = (uint32_t)strtoul(number, NULL, 10);
  if (value_of(text, length, TRACE_KEY_PARENT, number, sizeof number))
    sibling->parent = (uint32_t)strtoul(number, NULL, 10);
  if (value_of(text, length, TRACE_KEY_START_TIME, number, sizeof number))
    sibling->start_time = strtoull(number, NULL, 10);
  if (value_of(text, length, TRACE_KEY_START_TICKS, number, sizeof number))
    sibling->start_ticks = strtoull(number, NULL, 10);
}

static void properties_read(sibling_t *sibling, int fd, const trace_block_place_t *place) {
  uint8_t *buffer = malloc(place->compressed_size), *content = malloc(place->content_size + 1);
  ZSTD_DCtx *context = ZSTD_createDCtx();
  trace_block_cursor_t *cursor = malloc(sizeof *cursor);
  trace_record_t record;
  if (buffer && content && context && cursor &&
      trace_block_load(fd, place, context, buffer, content) == TRACE_ERROR_NONE &&
      trace_block_open(cursor, &place->block, content, place->content_size))
    while (trace_block_next(cursor, &record) == 1) {
      uint64_t id;
      const char *text;
      size_t length;
      if (record.kind == TRACE_PROPERTY &&
          trace_text_unpack(record.payload, record.arg, &id, &text, &length))
        property_take(sibling, text, length);
    }
  free(cursor);
  ZSTD_freeDCtx(context);
  free(content);
  free(buffer);
}

// True where `fd` is a trace.
static bool sibling_read(sibling_t *sibling, int fd) {
  uint64_t offset = 0;
  bool complete = false;
  trace_block_place_t place;
  if (trace_block_find(fd, &offset, &place, &complete) != TRACE_ERROR_NONE) return false;
  if (place.block.lane != 0 || place.offset != 0) return false;
  properties_read(sibling, fd, &place);
  return sibling->pid != 0;
}

// How many records its threads have, from the block headers alone: there may be many in the folder,
// so only those that are told of are counted.
static uint64_t records_count(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  uint64_t offset = 0, records = 0;
  bool complete = false;
  trace_block_place_t place;
  while (fd >= 0 && trace_block_find(fd, &offset, &place, &complete) == TRACE_ERROR_NONE)
    if (place.block.lane) records += place.block.records;
  if (fd >= 0) close(fd);
  return records;
}

static void folder_add(siblings_t *siblings, int folder, const char *file,
                       const struct stat *ours) {
  size_t length = strlen(file);
  struct stat found;
  if (length < 5 || strcmp(file + length - 4, ".zst")) return;
  int fd = openat(folder, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return;
  sibling_t sibling = {0};
  if (fstat(fd, &found) == 0 && S_ISREG(found.st_mode) && sibling_read(&sibling, fd)) {
    sibling.file = memory_text(file, length);
    sibling.ours = found.st_dev == ours->st_dev && found.st_ino == ours->st_ino;
    siblings->items = memory_grow(siblings->items, &siblings->capacity, siblings->count + 1,
                                  sizeof *siblings->items);
    siblings->items[siblings->count++] = sibling;
  }
  close(fd);
}

static int sibling_compare(const void *left, const void *right) {
  const sibling_t *a = left, *b = right;
  if (a->start_ticks != b->start_ticks) return a->start_ticks < b->start_ticks ? -1 : 1;
  return strcmp(a->file, b->file);
}

static siblings_t folder_read(const char *path) {
  siblings_t siblings = {0};
  struct stat ours;
  const char *slash = strrchr(path, '/');
  char *name = slash ? memory_text(path, (size_t)(slash - path) + 1) : memory_text(".", 1);
  DIR *folder = stat(path, &ours) == 0 ? opendir(name) : NULL;
  free(name);
  if (!folder) return siblings;
  for (struct dirent *entry; (entry = readdir(folder));)
    folder_add(&siblings, dirfd(folder), entry->d_name, &ours);
  closedir(folder);
  if (siblings.count)
    qsort(siblings.items, siblings.count, sizeof *siblings.items, sibling_compare);
  return siblings;
}

// The same process (an earlier or later image), or one forked by the other while it ran.
static bool are_related(const sibling_t *a, const sibling_t *b) {
  if (strcmp(a->host, b->host)) return false;
  if (a->pid == b->pid) return a->start_time == b->start_time;
  const sibling_t *child = a->parent == b->pid ? a : b->parent == a->pid ? b : NULL;
  const sibling_t *parent = child == a ? b : a;
  return child && child->start_time >= parent->start_time;
}

// Marks what is related to ours, to those, and so on. Returns how many there are beside ours.
static size_t family_mark(siblings_t *siblings) {
  size_t found = 0;
  for (size_t i = 0; i < siblings->count; i++) siblings->items[i].related = siblings->items[i].ours;
  for (bool grown = true; grown;) {
    grown = false;
    for (size_t i = 0; i < siblings->count; i++)
      for (size_t j = 0; j < siblings->count && !siblings->items[i].related; j++)
        if (siblings->items[j].related && are_related(&siblings->items[i], &siblings->items[j])) {
          siblings->items[i].related = grown = true;
          found++;
        }
  }
  return found;
}

static char *path_beside(const char *path, const char *file) {
  const char *slash = strrchr(path, '/');
  size_t folder = slash ? (size_t)(slash - path) + 1 : 0, length = strlen(file);
  char *beside = memory_new(folder + length + 1, 1);
  memcpy(beside, path, folder);
  memcpy(beside + folder, file, length);
  return beside;
}

static void sibling_print(const page_t *page, const analysis_t *analysis,
                          const sibling_t *sibling) {
  char file[300], program[300], *path = path_beside(analysis->path, sibling->file);
  fprintf(page->stream, "  %s  %s, pid %u, about %s events\n",
          page_clean(file, sizeof file, sibling->file, 0),
          page_clean(program, sizeof program, sibling->program, 0), sibling->pid,
          quantity_count(records_count(path), QUANTITY));
  free(path);
}

void siblings_print(const page_t *page, const analysis_t *analysis, size_t top) {
  siblings_t siblings = folder_read(analysis->path);
  size_t found = family_mark(&siblings), shown = 0;
  if (found) page_heading(page, "OTHER TRACES OF THIS RUN", "");
  for (size_t i = 0; i < siblings.count; i++) {
    const sibling_t *sibling = &siblings.items[i];
    if (sibling->related && !sibling->ours && shown++ < top) sibling_print(page, analysis, sibling);
    free(siblings.items[i].file);
  }
  free(siblings.items);
  if (found > top) fprintf(page->stream, "  ... and %zu more (--top 0 for all)\n", found - top);
}

char **siblings_paths(const char *path, size_t *count) {
  siblings_t siblings = folder_read(path);
  char **paths = memory_new(siblings.count + 1, sizeof *paths);
  family_mark(&siblings);
  *count = 0;
  for (size_t i = 0; i < siblings.count; i++) {
    if (siblings.items[i].related) paths[(*count)++] = path_beside(path, siblings.items[i].file);
    free(siblings.items[i].file);
  }
  free(siblings.items);
  if (!*count) paths[(*count)++] = memory_text(path, strlen(path));
  return paths;
}
