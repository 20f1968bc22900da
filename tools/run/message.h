// SPDX-License-Identifier: Apache-2.0
// What inspect-run says itself: single lines on stderr, and the exit statuses it has of its own.
#ifndef TOOLS_RUN_MESSAGE_H
#define TOOLS_RUN_MESSAGE_H

enum {
  RUN_EXIT_FOUND = 1,         // --fail-on found something
  RUN_EXIT_TIMEOUT = 124,     // --timeout ended the command
  RUN_EXIT_FAILED = 125,      // inspect-run itself failed, or refused
  RUN_EXIT_CANNOT_RUN = 126,  // the command was found but cannot be run
  RUN_EXIT_NOT_FOUND = 127,   // the command was not found
  RUN_EXIT_SIGNAL = 128,      // plus the number of the signal that ended the command
};

// Prints "inspect-run: MESSAGE" and a newline to stderr, in one write. Not signal-safe.
void message_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
