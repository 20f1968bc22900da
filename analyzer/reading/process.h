// SPDX-License-Identifier: Apache-2.0
// Whether a process that a trace names still lives on this machine.
#ifndef ANALYZER_READING_PROCESS_H
#define ANALYZER_READING_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

// The process `pid` that started at `start_time` (field 22 of /proc/PID/stat) runs: another one
// that got its number later does not count, and neither does a zombie.
bool reading_process_lives(uint32_t pid, uint64_t start_time);
// Some process has that number.
bool reading_process_exists(uint32_t pid);

#endif
