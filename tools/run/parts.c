// SPDX-License-Identifier: Apache-2.0
// See parts.h.
#include "tools/run/parts.h"

#include "tools/run/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PLACES_MAX = 6 };

// A place that does not begin with a slash is relative to the folder of inspect-run.
static const struct {
  const char *name;
  const char *places[PLACES_MAX];
} parts[] = {
    [PART_RECORDER] = {"libinspect.so",
                       {"../lib/libinspect.so", "../preload/libinspect.so", "libinspect.so",
                        "/usr/local/lib/libinspect.so", "/usr/lib/libinspect.so", NULL}},
    [PART_ANALYZER] = {"inspect-analyze",
                       {"inspect-analyze", "../analyzer/inspect-analyze",
                        "/usr/local/bin/inspect-analyze", "/usr/bin/inspect-analyze", NULL}},
};

// The folder that inspect-run was started from, links resolved.
static bool own_folder(char folder[PATH_MAX]) {
  ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);
  if (length <= 0) return false;
  folder[length] = '\0';
  char *slash = strrchr(folder, '/');
  if (!slash) return false;
  *slash = '\0';
  return true;
}

bool part_find(part_t part, char path[PATH_MAX]) {
  char folder[PATH_MAX] = "";
  own_folder(folder);
  for (int i = 0; parts[part].places[i]; i++) {
    const char *place = parts[part].places[i];
    char candidate[2 * PATH_MAX];
    snprintf(candidate, sizeof candidate, "%s%s%s", *place == '/' ? "" : folder,
             *place == '/' ? "" : "/", place);
    if (access(candidate, R_OK) == 0 && realpath(candidate, path)) return true;
  }
  message_print("%s is not found beside %s/inspect-run, nor under /usr/local and /usr",
                parts[part].name, folder);
  return false;
}
