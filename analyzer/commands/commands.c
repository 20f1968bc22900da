// SPDX-License-Identifier: Apache-2.0
// What all commands share.
#include "analyzer/commands/commands.h"

#include <stdarg.h>

void command_complain(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fflush(stdout);  // a report that goes to the same place stands before what went wrong after it
  fputs("inspect-analyze: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
}
