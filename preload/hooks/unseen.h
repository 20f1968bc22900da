// SPDX-License-Identifier: Apache-2.0
// What the program does past the recorder, so that the trace can say it.
#ifndef PRELOAD_HOOKS_UNSEEN_H
#define PRELOAD_HOOKS_UNSEEN_H

#include <stdint.h>

// Notes TRACE_UNSEEN_* bits of this process. Signal-safe, errno untouched.
void unseen_note(uint32_t bits);

#endif
