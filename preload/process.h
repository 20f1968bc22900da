// SPDX-License-Identifier: Apache-2.0
// Telling processes apart: a pid together with when it started.
#ifndef PRELOAD_PROCESS_H
#define PRELOAD_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint64_t start_time;   // field 22 of /proc/PID/stat, clock ticks after boot; 0: unknown
  uint64_t start_stack;  // field 28: changes with exec; 0: not to be had
} process_identity_t;

// Reads /proc/PID/stat (pid 0: self). False where it cannot.
bool process_identify(uint32_t pid, process_identity_t *identity);
// Reads /proc/PID/task/TID/`file` into `text`, terminated, at most `size` - 1 bytes. Returns their
// count, or -errno.
long process_read_task(uint32_t pid, uint32_t tid, const char *file, char *text, size_t size);
// Whether that process runs (a zombie does not). `start_time` 0: any process with the pid counts.
bool process_lives(uint32_t pid, uint64_t start_time);
// How a process that is gone has ended, as wait(2) tells its parent (WIFEXITED, WTERMSIG): asked of
// `pidfd` (-1: none) where the kernel remembers it (Linux 6.15), else of the zombie that waits for
// its parent. False where neither tells.
bool process_outcome(uint32_t pid, uint64_t start_time, int pidfd, int *status);
// This process's executable under the name that it was started by (redis-server, though that links
// to redis-check-rdb); for a script, its interpreter.
void process_program(char *path, size_t size);
// The executable of a process as /proc/PID/exe gives it. False where it cannot be read.
bool process_executable(uint32_t pid, char *path, size_t size);

#endif
