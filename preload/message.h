// SPDX-License-Identifier: Apache-2.0
// One line on stderr, "inspect: ...", as long as descriptor 2 is the file it was at the start.
#ifndef PRELOAD_MESSAGE_H
#define PRELOAD_MESSAGE_H

// Remembers which file descriptor 2 is. Called once, in the constructor.
void message_open(void);
// Writes "inspect: ", then `count` pairs of (const char *text, int length; -1: all of it), then a
// newline, in one write of at most 512 bytes. Signal-safe, errno untouched, never blocks for long:
// what does not go out at once is given up.
void message_say(int count, ...);

#endif
