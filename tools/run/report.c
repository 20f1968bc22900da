// SPDX-License-Identifier: Apache-2.0
// See report.h.
#include "tools/run/report.h"

#include "tools/run/message.h"
#include "tools/run/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int analyzer_start(pid_t *pid, const char *analyzer, const char *const *argv, bool print) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (print)
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  else
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  int error = posix_spawn(pid, analyzer, &actions, NULL, (char *const *)(uintptr_t)argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

int report_make(const char *trace, const char *fail_on, bool print) {
  char analyzer[PATH_MAX];
  if (!part_find(PART_ANALYZER, analyzer)) return -1;
  // A name that begins with a dash is no option.
  const char *plain[] = {analyzer, "--", trace, NULL};
  const char *gated[] = {analyzer, "--fail-on", fail_on, "--", trace, NULL};
  pid_t pid;
  int status, error = analyzer_start(&pid, analyzer, fail_on ? gated : plain, print);
  if (error) {
    message_print("%s: cannot be run: %s", analyzer, strerror(error));
    return -1;
  }
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  message_print("inspect-analyze was ended by signal %d", WTERMSIG(status));
  return -1;
}
