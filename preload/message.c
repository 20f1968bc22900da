// SPDX-License-Identifier: Apache-2.0
// Messages of the recorder to the person who started the program.
#include "preload/message.h"

#include "preload/system.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static struct stat message_file;
static bool message_known;

static bool message_stat(struct stat *file) {
  return !system_failed(system_call(SYS_newfstatat, 2, "", file, AT_EMPTY_PATH));
}

void message_open(void) { message_known = message_stat(&message_file); }

// A reader of stderr that has gone would end the program by SIGPIPE, one that does not read would
// stop it: the signal is held back and taken away again, and a full pipe gets nothing.
static void message_write(const char *line, size_t length) {
  const uint64_t pipe_signal = UINT64_C(1) << (SIGPIPE - 1);
  const struct timespec now = {0, 0};
  struct pollfd ready = {.fd = 2, .events = POLLOUT};
  uint64_t before, pending = 0;
  if (system_call(SYS_ppoll, &ready, 1, &now, NULL, 0) != 1 || !(ready.revents & POLLOUT)) return;
  system_call(SYS_rt_sigprocmask, SIG_BLOCK, &pipe_signal, &before, sizeof before);
  system_call(SYS_rt_sigpending, &pending, sizeof pending);
  const long written = system_call(SYS_write, 2, line, length);
  if (written == -EPIPE && !(pending & pipe_signal))
    system_call(SYS_rt_sigtimedwait, &pipe_signal, NULL, &now, sizeof pipe_signal);
  system_call(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
}

void message_say(int count, ...) {
  char line[512] = "inspect: ";
  size_t used = strlen(line);
  va_list list;
  va_start(list, count);
  for (int i = 0; i < count; i++) {
    const char *text = va_arg(list, const char *);
    const int given = va_arg(list, int);
    size_t length = given < 0 ? strlen(text) : strnlen(text, (size_t)given);
    if (length > sizeof line - 1 - used) length = sizeof line - 1 - used;
    memcpy(line + used, text, length);
    used += length;
  }
  va_end(list);
  line[used++] = '\n';
  struct stat now;
  if (!message_known || !message_stat(&now)) return;
  if (now.st_dev != message_file.st_dev || now.st_ino != message_file.st_ino) return;
  message_write(line, used);
}
