// SPDX-License-Identifier: Apache-2.0
// The stacks of a process that did not end in time, taken from outside with ptrace(2).
#ifndef TOOLS_RUN_STACKS_H
#define TOOLS_RUN_STACKS_H

#include <sys/types.h>

// Prints the stack of every thread of process `pid`, and of the processes it has started, to
// stderr. All threads of a process stand still meanwhile, and go on afterwards with whatever signal
// they were about to get. Where the kernel refuses, a line says so. Blocks for about a second at
// most, or as long as unwinding takes.
void stacks_print(pid_t pid);

#endif
