// SPDX-License-Identifier: Apache-2.0
// See places.h.
#include "preload/writer/places.h"

#include "preload/naming.h"
#include "preload/system.h"

#include <fcntl.h>
#include <string.h>

enum { LINE_MAX_SIZE = 512 };  // what counts stands in the first hundred

// A file read line by line; what is longer than a line may be loses its end.
typedef struct {
  long file;
  size_t used, taken;
  char text[4096];
} lines_t;

static int next_byte(lines_t *lines) {
  if (lines->taken == lines->used) {
    const long length = system_call(SYS_read, lines->file, lines->text, sizeof lines->text);
    if (length <= 0 || system_failed(length)) return -1;
    lines->used = (size_t)length;
    lines->taken = 0;
  }
  return (unsigned char)lines->text[lines->taken++];
}

static bool next_line(lines_t *lines, char line[LINE_MAX_SIZE]) {
  size_t length = 0;
  int byte = next_byte(lines);
  if (byte < 0) return false;
  for (; byte >= 0 && byte != '\n'; byte = next_byte(lines))
    if (length < LINE_MAX_SIZE - 1) line[length++] = (char)byte;
  line[length] = 0;
  return true;
}

// The number at *at, in digits of `base`; *at moves behind it and what ends it.
static uint64_t take_number(const char **at, unsigned base) {
  uint64_t number = 0;
  for (; **at; ++*at) {
    const char digit = **at;
    const unsigned value = digit >= '0' && digit <= '9'   ? (unsigned)(digit - '0')
                           : digit >= 'a' && digit <= 'f' ? (unsigned)(digit - 'a' + 10)
                                                          : base;
    if (value >= base) break;
    number = number * base + value;
  }
  if (**at) ++*at;
  return number;
}

// "start-end permissions offset major:minor inode path"
static bool line_holds(const char *line, uint64_t address, place_t *place) {
  const char *at = line;
  const uint64_t start = take_number(&at, 16), end = take_number(&at, 16);
  if (address < start || address >= end || strlen(at) < 5 || at[3] != 's') return false;
  at += 5;
  place->offset = take_number(&at, 16) + (address - start);
  const uint64_t major_number = take_number(&at, 16), minor_number = take_number(&at, 16);
  place->device = (uint32_t)(major_number << 20 | (minor_number & 0xfffff));
  place->inode = take_number(&at, 10);
  return place->inode != 0;
}

bool place_find(uint32_t pid, uint64_t address, place_t *place) {
  char path[64] = "/proc/", line[LINE_MAX_SIZE];
  naming_digits(path + 6, pid);
  strcat(path, "/maps");
  lines_t lines = {.file = system_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC)};
  if (system_failed(lines.file)) return false;
  bool found = false;
  while (!found && next_line(&lines, line)) found = line_holds(line, address, place);
  system_call(SYS_close, lines.file);
  return found;
}
