// SPDX-License-Identifier: Apache-2.0
// Which process this is: memory that a forked child finds empty.
#ifndef PRELOAD_LIFE_H
#define PRELOAD_LIFE_H

#include <stdbool.h>

// Makes the page that reads as zeros after fork. Called once, in the constructor.
bool life_reserve(void);
// This process has that place in recorder_session->processes.
void life_begin(int place);

#endif
