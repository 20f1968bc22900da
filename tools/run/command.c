// SPDX-License-Identifier: Apache-2.0
// See command.h.
#include "tools/run/command.h"

#include "tools/run/message.h"
#include "tools/run/stacks.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const double kill_delay = 5;
static const int passed_on[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};

static double now_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void signals_block(command_t *command) {
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGCHLD);
  for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++)
    sigaddset(&blocked, passed_on[i]);
  sigprocmask(SIG_BLOCK, &blocked, &command->former_mask);
  // Where SIGCHLD is ignored, the kernel throws a child's status away.
  struct sigaction standard = {.sa_handler = SIG_DFL};
  sigaction(SIGCHLD, &standard, &command->former_child_action);
}

static void child_run(const command_t *command, char **argv, const command_variable_t *variables,
                      int report) {
  for (; variables->name; variables++) setenv(variables->name, variables->value, 1);
  sigaction(SIGCHLD, &command->former_child_action, NULL);
  sigprocmask(SIG_SETMASK, &command->former_mask, NULL);
  execvp(argv[0], argv);
  int error = errno;
  while (write(report, &error, sizeof error) < 0 && errno == EINTR) {
  }
  _exit(RUN_EXIT_FAILED);
}

// What the child says of its exec: an errno, or nothing where exec closed the pipe.
static int start_error(int report) {
  int error = 0;
  while (read(report, &error, sizeof error) < 0 && errno == EINTR) {
  }
  return error;
}

int command_start(command_t *command, char **argv, const command_variable_t *variables) {
  int report[2], error = 0;
  *command = (command_t){0};
  if (pipe2(report, O_CLOEXEC) != 0) return errno;
  signals_block(command);
  command->pid = fork();
  if (command->pid == 0) child_run(command, argv, variables, report[1]);
  if (command->pid < 0) error = errno;
  close(report[1]);
  if (!error) error = start_error(report[0]);
  close(report[0]);
  if (error) {
    if (command->pid > 0) waitpid(command->pid, NULL, 0);
    command_restore(command);
  }
  return error;
}

void command_restore(const command_t *command) {
  sigaction(SIGCHLD, &command->former_child_action, NULL);
  sigprocmask(SIG_SETMASK, &command->former_mask, NULL);
}

// A signal of the terminal went to the whole process group, which the command is in as well: a
// second one could end a program that asks "really?" on the first.
static void signal_pass(pid_t pid, const siginfo_t *signal) {
  if (signal->si_code != SI_KERNEL || getpgid(pid) != getpgrp()) kill(pid, signal->si_signo);
}

static bool command_has_ended(command_t *command) {
  return waitpid(command->pid, &command->status, WNOHANG) == command->pid;
}

// At the deadline says where every thread is and sends TERM, and KILL at the one after. Returns the
// next deadline.
static double deadline_act(command_t *command) {
  if (command->timed_out) {
    message_print("it did not end within %.0f s after TERM: sent KILL", kill_delay);
    kill(command->pid, SIGKILL);
    return INFINITY;
  }
  command->timed_out = true;
  stacks_print(command->pid);
  message_print("time is up: sent TERM to process %d", (int)command->pid);
  kill(command->pid, SIGTERM);
  kill(command->pid, SIGCONT);  // a stopped process would not see it
  return now_seconds() + kill_delay;
}

void command_wait(command_t *command, double limit, command_tick_t *tick) {
  sigset_t awaited;
  sigprocmask(SIG_BLOCK, NULL, &awaited);
  double started = now_seconds();
  double deadline = limit > 0 ? started + limit : INFINITY;
  while (!command_has_ended(command)) {
    double now = now_seconds();
    if (now >= deadline) deadline = deadline_act(command);
    double pause = fmin(1, fmax(0.001, deadline - now));
    struct timespec timeout = {(time_t)pause, (long)((pause - (time_t)pause) * 1e9)};
    siginfo_t signal;
    int number = sigtimedwait(&awaited, &signal, &timeout);
    if (number > 0 && number != SIGCHLD) signal_pass(command->pid, &signal);
    if (number < 0 && errno == EAGAIN) tick(command->pid, now_seconds() - started);
  }
}

int command_exit_status(int status) {
  return WIFSIGNALED(status) ? RUN_EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}
