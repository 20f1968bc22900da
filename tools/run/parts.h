// SPDX-License-Identifier: Apache-2.0
// Where the other parts of inspect are, seen from inspect-run's own place.
#ifndef TOOLS_RUN_PARTS_H
#define TOOLS_RUN_PARTS_H

#include <limits.h>
#include <stdbool.h>

typedef enum { PART_RECORDER, PART_ANALYZER } part_t;

// Finds a part beside inspect-run: as installed (PREFIX/bin, PREFIX/lib), as built (BUILD/tools,
// BUILD/preload, BUILD/analyzer), else under /usr/local and /usr. Writes its absolute path.
// False where it is nowhere; said on stderr.
bool part_find(part_t part, char path[PATH_MAX]);

#endif
