// SPDX-License-Identifier: Apache-2.0
// The line on stderr that says that a command is being recorded. Only on a terminal.
#ifndef TOOLS_RUN_PROGRESS_H
#define TOOLS_RUN_PROGRESS_H

#include <sys/types.h>

// Says what is recorded, and rewrites the line while it runs.
void progress_print(pid_t pid, double seconds);

// Takes the line away, so that what follows starts in the first column.
void progress_clear(void);

#endif
