// SPDX-License-Identifier: Apache-2.0
// The command as a child process: its start, the signals passed on to it, its end.
#ifndef TOOLS_RUN_COMMAND_H
#define TOOLS_RUN_COMMAND_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

// One variable to set in the command's environment.
typedef struct {
  const char *name, *value;
} command_variable_t;

typedef struct {
  pid_t pid;
  int status;            // as waitpid gives it, once it has ended
  bool timed_out;        // ended by the time limit
  sigset_t former_mask;  // inspect-run's own before command_start
  struct sigaction former_child_action;
} command_t;

// Called about once a second while the command runs.
typedef void command_tick_t(pid_t pid, double seconds);

// Starts argv, found as execvp finds it, with `variables` (ended by a NULL name) added to the
// environment. 0, or the errno of what failed: the start of a process, or exec itself.
// From here on until command_restore, TERM, INT, HUP, QUIT and CHLD are blocked.
int command_start(command_t *command, char **argv, const command_variable_t *variables);

// Waits for the end of the command, passing signals on to it. After `limit` seconds (0: none) the
// stacks of its threads are printed, and it gets TERM, and 5 seconds later KILL.
void command_wait(command_t *command, double limit, command_tick_t *tick);

// Gives inspect-run the signal mask back that it had.
void command_restore(const command_t *command);

// The exit status of a shell for a command that ended so.
int command_exit_status(int status);

#endif
