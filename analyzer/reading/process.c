// SPDX-License-Identifier: Apache-2.0
// Whether a process that a trace names still lives on this machine. See the header.
#include "analyzer/reading/process.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

bool reading_process_exists(uint32_t pid) {
  if (pid == 0 || pid > INT32_MAX) return false;
  return kill((pid_t)pid, 0) == 0 || errno == EPERM;
}

bool reading_process_lives(uint32_t pid, uint64_t start_time) {
  if (!reading_process_exists(pid)) return false;
  char path[64], line[1024];
  snprintf(path, sizeof path, "/proc/%" PRIu32 "/stat", pid);
  FILE *file = fopen(path, "re");
  if (!file) return false;
  size_t size = fread(line, 1, sizeof line - 1, file);
  fclose(file);
  line[size] = '\0';
  // The second field is the name in parentheses, and may hold anything, parentheses included.
  const char *rest = strrchr(line, ')');
  char state;
  int threads;
  uint64_t started;
  if (!rest || sscanf(rest + 1,
                      " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d "
                      "%*d %" SCNu64,
                      &state, &threads, &started) != 3)
    return false;
  // A main thread that left by pthread_exit is a zombie beside threads that run on.
  return started == start_time && (threads > 1 || (state != 'Z' && state != 'X'));
}
