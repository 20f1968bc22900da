// SPDX-License-Identifier: Apache-2.0
// Whether a command can be recorded: what LD_PRELOAD cannot reach, said before it runs.
#ifndef TOOLS_RUN_TARGET_H
#define TOOLS_RUN_TARGET_H

#include <stdbool.h>

// Checks the file that running `command` would start, and where it is a script the interpreter it
// names. False where it cannot be recorded; why is said on stderr. True also where nothing can be
// said of it: not found, unreadable, of an unknown format. Running it will tell.
bool target_is_recordable(const char *command);

#endif
