// SPDX-License-Identifier: Apache-2.0
// The trace that the recorder makes for the command: its name, and when it is complete.
#ifndef TOOLS_RUN_TRACE_H
#define TOOLS_RUN_TRACE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#define TRACE_TEMPLATE_DEFAULT "inspect.%e.%p.zst"

// Finds the trace of process `pid` (its newest image) among the names that INSPECT_OUTPUT
// `template` can have given it, changed at `since` (CLOCK_REALTIME_COARSE) or later. False: none.
bool trace_find(const char *template, pid_t pid, struct timespec since, char path[PATH_MAX]);

// Waits until the writer has completed the trace of the ended process `pid`: at most `seconds`.
// False where it has not by then; what it did not take yet is read from the rings.
bool trace_wait(const char *path, pid_t pid, double seconds);

#endif
