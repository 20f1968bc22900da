// SPDX-License-Identifier: Apache-2.0
// See places.h.
#include "analyzer/reading/places.h"

#include <inttypes.h>
#include <stdlib.h>

// A line of /proc/PID/maps that holds the address, of a shared mapping.
static bool line_fill(const char *line, reader_event_t *event) {
  uint64_t start, end, offset, inode;
  unsigned major_number, minor_number;
  char shared;
  if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*3c%c %" SCNx64 " %x:%x %" SCNu64, &start, &end,
             &shared, &offset, &major_number, &minor_number, &inode) != 7 ||
      shared != 's' || event->words[0] < start || event->words[0] >= end)
    return false;
  event->arg = (uint32_t)major_number << 20 | (minor_number & 0xfffff);
  event->words[1] = inode;
  event->words[2] = offset + (event->words[0] - start);
  return true;
}

void reading_place_fill(reader_event_t *event, uint32_t pid) {
  char path[64], *line = NULL;
  size_t size = 0;
  snprintf(path, sizeof path, "/proc/%u/maps", pid);
  FILE *maps = fopen(path, "re");
  bool filled = false;
  while (maps && !filled && getline(&line, &size, maps) > 0) filled = line_fill(line, event);
  free(line);
  if (maps) fclose(maps);
}
