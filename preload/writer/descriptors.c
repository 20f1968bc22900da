// SPDX-License-Identifier: Apache-2.0
// Letting go of what the program has open.
#include "preload/writer/descriptors.h"

#include "preload/system.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

// -1: none.
static int descriptor_named(const char *name) {
  int descriptor = 0;
  if (*name < '0' || *name > '9') return -1;
  for (; *name >= '0' && *name <= '9'; name++) descriptor = descriptor * 10 + (*name - '0');
  return descriptor;
}

// One pass over those that /proc names. True where there was one to close: others may have been
// left out meanwhile.
static bool close_named(int folder, int first, int second) {
  _Alignas(8) char entries[2048];
  bool closed = false;
  long size;
  system_call(SYS_lseek, folder, 0, SEEK_SET);
  while ((size = system_call(SYS_getdents64, folder, entries, sizeof entries)) > 0) {
    for (long at = 0; at < size;) {
      const struct dirent64 *entry = (const struct dirent64 *)(entries + at);
      const int descriptor = descriptor_named(entry->d_name);
      at += entry->d_reclen;
      if (descriptor >= 0 && descriptor != folder && descriptor != first && descriptor != second)
        closed |= !system_failed(system_call(SYS_close, descriptor));
    }
  }
  return closed;
}

// Before Linux 5.9, or where a filter forbids close_range.
static void close_one_by_one(int first, int second) {
  const long folder =
      system_call(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (system_failed(folder)) return;
  while (close_named((int)folder, first, second)) {
  }
  system_call(SYS_close, folder);
}

void descriptors_close_but(int first, int second) {
  const unsigned low = (unsigned)(first < second ? first : second);
  const unsigned high = (unsigned)(first < second ? second : first);
  if (system_failed(system_call(SYS_close_range, high + 1, ~0u, 0))) {
    close_one_by_one(first, second);
    return;
  }
  if (low > 0) system_call(SYS_close_range, 0, low - 1, 0);
  if (high > low + 1) system_call(SYS_close_range, low + 1, high - 1, 0);
}
