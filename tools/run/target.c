// SPDX-License-Identifier: Apache-2.0
// See target.h.
#include "tools/run/target.h"

#include "tools/run/message.h"
#include "tools/run/program.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { SCRIPT_DEPTH_MAX = 5, SCRIPT_LINE_MAX = 256 };

static bool file_is_executable(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

// The file that execvp() would start. False where there is none.
static bool command_resolve(const char *command, char path[PATH_MAX]) {
  if (strchr(command, '/'))
    return snprintf(path, PATH_MAX, "%s", command) < PATH_MAX && file_is_executable(path);
  char fallback[256] = "";
  const char *folder = getenv("PATH");
  if (!folder) {
    confstr(_CS_PATH, fallback, sizeof fallback);
    folder = fallback;
  }
  for (;; folder++) {
    int length = (int)strcspn(folder, ":");
    int written = snprintf(path, PATH_MAX, "%.*s%s%s", length, folder, length ? "/" : "", command);
    if (written < PATH_MAX && file_is_executable(path)) return true;
    folder += length;
    if (!*folder) return false;
  }
}

// The interpreter that a script names in its first line. False where the file is no script.
static bool script_interpreter(const char *path, char interpreter[SCRIPT_LINE_MAX]) {
  char line[SCRIPT_LINE_MAX] = "";
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t length = read(fd, line, sizeof line - 1);
  close(fd);
  if (length < 3 || line[0] != '#' || line[1] != '!') return false;
  const char *start = line + 2 + strspn(line + 2, " \t");
  int size = (int)strcspn(start, " \t\r\n");
  snprintf(interpreter, SCRIPT_LINE_MAX, "%.*s", size, start);
  return size > 0;
}

// Whether the kernel would start the file with other rights than ours: the loader then ignores an
// LD_PRELOAD with a path. As in the kernel, a set bit that changes nothing does not count, nor do
// capabilities for root, nor either of them under no_new_privs.
static bool file_gives_rights(const char *path) {
  struct stat status;
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || stat(path, &status) != 0) return false;
  if ((status.st_mode & S_ISUID) && status.st_uid != getuid()) return true;
  if ((status.st_mode & S_ISGID) && (status.st_mode & S_IXGRP) && status.st_gid != getgid())
    return true;
  return getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0;
}

// `script` names the interpreter's script, or is NULL.
static bool program_is_recordable(const char *path, const char *script) {
  char why[PROGRAM_WHY_MAX];
  program_verdict_t verdict =
      file_gives_rights(path) ? PROGRAM_PRIVILEGED : program_check(path, why);
  if (verdict == PROGRAM_RECORDABLE) return true;
  if (verdict == PROGRAM_PRIVILEGED)
    snprintf(why, sizeof why, "setuid, setgid or with capabilities, where LD_PRELOAD is ignored");
  if (script)
    message_print("%s cannot be recorded: its interpreter %s is %s (--force runs it unrecorded)",
                  script, path, why);
  else
    message_print("%s cannot be recorded: it is %s (--force runs it all the same)", path, why);
  return false;
}

bool target_is_recordable(const char *command) {
  char path[PATH_MAX];
  if (!command_resolve(command, path)) return true;
  char first[PATH_MAX], interpreter[SCRIPT_LINE_MAX];
  snprintf(first, sizeof first, "%s", path);
  int depth = 0;
  while (script_interpreter(path, interpreter)) {
    if (++depth > SCRIPT_DEPTH_MAX || !file_is_executable(interpreter)) return true;
    snprintf(path, sizeof path, "%s", interpreter);
  }
  return program_is_recordable(path, depth ? first : NULL);
}
