// SPDX-License-Identifier: Apache-2.0
// Places in variables as a programmer writes them, table[3].lock, from debug information.
#ifndef ANALYZER_SYMBOLS_VARIABLES_H
#define ANALYZER_SYMBOLS_VARIABLES_H

#include "analyzer/symbols/binary.h"

typedef struct symbols_variables symbols_variables_t;

// Reads where the file's global and static variables are. NULL where there is no debug information.
symbols_variables_t *symbols_variables_open(const symbols_binary_t *binary);
void symbols_variables_close(symbols_variables_t *variables);
// Writes the place of `address` in the variable that begins at `start` (both of the file), without
// the variable's name: "", "[3].lock", ".queue+8". Members that begin with an underscore belong to
// whoever made the type, and are not entered. False where no variable with a known type is there.
bool symbols_variables_place(const symbols_variables_t *variables, uint64_t start, uint64_t address,
                             char *text, size_t size);

#endif
