// SPDX-License-Identifier: Apache-2.0
// See trace.h.
#include "tools/run/trace.h"

#include "formats/session.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATTERN_MAX = 2 * PATH_MAX };

static void pattern_append(char pattern[PATTERN_MAX], const char *text, size_t length) {
  size_t used = strlen(pattern);
  snprintf(pattern + used, PATTERN_MAX - used, "%.*s", (int)length, text);
}

// What glob() needs to find the names that the template stands for. What inspect-run cannot know
// (a program that execs another changes %e) may be anything.
static void pattern_make(const char *template, pid_t pid, char pattern[PATTERN_MAX]) {
  char number[16];
  snprintf(number, sizeof number, "%d", (int)pid);
  pattern[0] = '\0';
  for (const char *at = template; *at; at++) {
    if (*at == '%' && at[1] == 'p') {
      pattern_append(pattern, number, strlen(number));
      at++;
    } else if (*at == '%' && at[1] && strchr("eht", at[1])) {
      pattern_append(pattern, "*", 1);
      at++;
    } else if (*at == '%' && at[1] == '%') {
      pattern_append(pattern, "%", 1);
      at++;
    } else {
      if (strchr("*?[\\", *at)) pattern_append(pattern, "\\", 1);
      pattern_append(pattern, at, 1);
    }
  }
}

// The same pattern with ".PID" before ".zst": the name taken where the one asked for is in use.
static void pattern_with_pid(const char *pattern, pid_t pid, char other[PATTERN_MAX]) {
  size_t length = strlen(pattern);
  if (length >= 4 && strcmp(pattern + length - 4, ".zst") == 0) length -= 4;
  snprintf(other, PATTERN_MAX, "%.*s.%d%s", (int)length, pattern, (int)pid, pattern + length);
}

static bool time_is_before(struct timespec a, struct timespec b) {
  return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

// Takes over the newest file that matches, if none newer was taken before.
static void newest_take(const char *pattern, struct timespec *newest, char path[PATH_MAX]) {
  glob_t found = {0};
  if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc; i++) {
      struct stat status;
      if (stat(found.gl_pathv[i], &status) != 0 || !S_ISREG(status.st_mode)) continue;
      if (time_is_before(status.st_mtim, *newest)) continue;
      *newest = status.st_mtim;
      snprintf(path, PATH_MAX, "%s", found.gl_pathv[i]);
    }
  }
  globfree(&found);
}

bool trace_find(const char *template, pid_t pid, struct timespec since, char path[PATH_MAX]) {
  char pattern[PATTERN_MAX], other[PATTERN_MAX];
  path[0] = '\0';
  pattern_make(template, pid, pattern);
  pattern_with_pid(pattern, pid, other);
  newest_take(pattern, &since, path);
  newest_take(other, &since, path);
  return path[0] != '\0';
}

// Whether the writer still owes something for `pid`: the process stands in the session, and its
// trace is not complete.
static bool session_is_busy(const trace_session_t *session, pid_t pid) {
  for (int i = 0; i < TRACE_PROCESSES_MAX; i++) {
    const trace_process_t *process = &session->processes[i];
    uint32_t state = atomic_load_explicit(&process->state, memory_order_acquire);
    if (process->pid == (uint32_t)pid &&
        (state == TRACE_PROCESS_NEW || state == TRACE_PROCESS_ACTIVE))
      return true;
  }
  return false;
}

// The session of a trace; NULL where there is none: complete, or never begun.
static const trace_session_t *session_map(const char *path) {
  char rings[PATH_MAX + 8];
  snprintf(rings, sizeof rings, "%s.rings", path);
  int fd = open(rings, O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (fd < 0) return NULL;
  void *map = MAP_FAILED;
  if (fstat(fd, &status) == 0 && status.st_size >= TRACE_SESSION_SIZE)
    map = mmap(NULL, TRACE_SESSION_SIZE, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  return map == MAP_FAILED ? NULL : map;
}

bool trace_wait(const char *path, pid_t pid, double seconds) {
  const trace_session_t *session = session_map(path);
  if (!session) return true;
  bool known = session->magic == TRACE_SESSION_MAGIC && session->version == TRACE_SESSION_VERSION;
  bool busy = known && session_is_busy(session, pid);
  const double step = 0.002;
  for (double waited = 0; busy && waited < seconds; waited += step) {
    usleep((useconds_t)(step * 1e6));
    busy = session_is_busy(session, pid);
  }
  munmap((void *)(uintptr_t)session, TRACE_SESSION_SIZE);
  return !busy;
}
