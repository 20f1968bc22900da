// SPDX-License-Identifier: Apache-2.0
// See progress.h.
#include "tools/run/progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static bool is_shown;

// Where the command's own output may come to the same terminal, a line that is rewritten would
// run into it.
static bool terminal_is_ours(void) { return isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO); }

void progress_print(pid_t pid, double seconds) {
  if (!terminal_is_ours()) return;
  int whole = (int)seconds;
  is_shown = true;
  dprintf(STDERR_FILENO, "\rinspect-run: recording process %d, %d:%02d:%02d ", (int)pid,
          whole / 3600, whole / 60 % 60, whole % 60);
}

void progress_clear(void) {
  if (is_shown) dprintf(STDERR_FILENO, "\r\033[K");
  is_shown = false;
}
