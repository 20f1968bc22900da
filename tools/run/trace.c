// SPDX-License-Identifier: Apache-2.0
// See trace.h.
#include "tools/run/trace.h"

#include "formats/session.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
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

typedef enum {
  SESSION_GONE,     // the writer has done all there was to do
  SESSION_WAITING,  // it still owes the trace
  SESSION_LEAVING,  // the trace is complete, and nobody else uses the rings
  SESSION_SHARED,   // the trace is complete; children still record
} session_state_t;

static bool process_is_busy(const trace_process_t *process) {
  uint32_t state = process->state;
  return state == TRACE_PROCESS_NEW || state == TRACE_PROCESS_ACTIVE;
}

// Looks at the rings once and closes them again: as long as anybody has them open, the writer takes
// him for a process that is still to be recorded.
static session_state_t session_look(const char *rings, pid_t pid) {
  static trace_session_t session;
  int fd = open(rings, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return SESSION_GONE;
  ssize_t got = read(fd, &session, sizeof session);
  close(fd);
  if (got != (ssize_t)sizeof session || session.magic != TRACE_SESSION_MAGIC ||
      session.version != TRACE_SESSION_VERSION)
    return SESSION_GONE;
  session_state_t state = SESSION_LEAVING;
  for (int i = 0; i < TRACE_PROCESSES_MAX; i++) {
    if (!process_is_busy(&session.processes[i])) continue;
    if (session.processes[i].pid == (uint32_t)pid) return SESSION_WAITING;
    state = SESSION_SHARED;
  }
  return state;
}

bool trace_wait(const char *path, pid_t pid, double seconds) {
  const double step = 0.005;
  char rings[PATH_MAX + 8];
  snprintf(rings, sizeof rings, "%s.rings", path);
  session_state_t state = session_look(rings, pid);
  double left = seconds;
  for (; state == SESSION_WAITING && left > 0; left -= step) {
    usleep((useconds_t)(step * 1e6));
    state = session_look(rings, pid);
  }
  // They go by themselves; waiting a moment for it leaves a tidy folder.
  for (; state == SESSION_LEAVING && left > 0 && access(rings, F_OK) == 0; left -= step)
    usleep((useconds_t)(step * 1e6));
  return state != SESSION_WAITING;
}
