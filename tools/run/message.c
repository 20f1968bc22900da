// SPDX-License-Identifier: Apache-2.0
// See message.h.
#include "tools/run/message.h"

#include <stdarg.h>
#include <stdio.h>

void message_print(const char *format, ...) {
  char text[8192];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  dprintf(2, "inspect-run: %s\n", text);
}
