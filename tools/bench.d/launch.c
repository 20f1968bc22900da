// SPDX-License-Identifier: Apache-2.0
// Starts a command so many times and prints what that cost, without the weight of an interpreter:
// a process inherits the peak memory of the one that starts it.
//
//     launch RESULT TIMES [NAME=VALUE...] COMMAND [ARGUMENT...]
//
// RESULT becomes one JSON object: exit status of the last run (128+N after signal N), wall time in
// all and of the median run, CPU of the command and of the children it waited for, peak memory.
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RUNS_MOST = 10000 };
static uint64_t walls[RUNS_MOST];

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t time_ns(struct timeval time) {
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

// The part of the arguments that is the command; what stands before it becomes environment.
static char **environment_take(char **arguments) {
  for (; *arguments && strchr(*arguments, '='); arguments++) putenv(*arguments);
  return arguments;
}

static void command_start(char **arguments) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  char **command = environment_take(arguments);
  if (*command) execvp(*command, command);
  fprintf(stderr, "launch: %s: %s\n", *command ? *command : "no command", strerror(errno));
  _exit(127);
}

// Runs once; gives the exit status and adds what it used.
static int command_run(char **arguments, uint64_t *wall, struct rusage *used) {
  uint64_t start = now_ns();
  pid_t pid = fork();
  if (pid == 0) command_start(arguments);
  int status;
  if (pid < 0 || wait4(pid, &status, 0, used) < 0) return 125;
  *wall = now_ns() - start;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int wall_compare(const void *left, const void *right) {
  uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
  return (a > b) - (a < b);
}

int main(int argc, char **argv) {
  int times = argc > 3 ? atoi(argv[2]) : 0;
  if (times < 1 || times > RUNS_MOST) {
    fprintf(stderr, "usage: launch RESULT TIMES [NAME=VALUE...] COMMAND [ARGUMENT...]\n");
    return 2;
  }
  uint64_t wall = 0, user = 0, system = 0;
  long peak = 0;
  int status = 0;
  for (int i = 0; i < times && status == 0; i++) {
    struct rusage used = {0};
    status = command_run(argv + 3, &walls[i], &used);
    wall += walls[i];
    user += time_ns(used.ru_utime);
    system += time_ns(used.ru_stime);
    if (used.ru_maxrss > peak) peak = used.ru_maxrss;
  }
  qsort(walls, (size_t)times, sizeof *walls, wall_compare);
  FILE *result = fopen(argv[1], "w");
  if (!result) return 125;
  fprintf(result,
          "{\"status\": %d, \"wall_ns\": %lu, \"median_ns\": %lu, \"user_ns\": %lu, "
          "\"system_ns\": %lu, \"peak_kib\": %ld}\n",
          status, wall, walls[times / 2], user, system, peak);
  return fclose(result) == 0 ? status : 125;
}
