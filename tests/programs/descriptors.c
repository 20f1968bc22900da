// SPDX-License-Identifier: Apache-2.0
// Prints what a program can see of itself: its open descriptors, threads, children, nice value,
// signal mask and handlers, umask, limits. All of it is the same recorded and not;
// unshare(CLONE_NEWUSER) says how it ended.
#include "program.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int entries(const char *path) {
  DIR *folder = opendir(path);
  REQUIRE(folder);
  int count = 0;
  while (readdir(folder)) count++;
  closedir(folder);
  return count - 2;
}

static int lowest_descriptor(void) {
  int fd = dup(0);
  close(fd);
  return fd;
}

static int handlers_set(void) {
  int count = 0;
  for (int number = 1; number < NSIG; number++) {
    struct sigaction action;
    if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL) count++;
  }
  return count;
}

static int signals_blocked(void) {
  sigset_t blocked;
  sigprocmask(SIG_SETMASK, NULL, &blocked);
  int count = 0;
  for (int number = 1; number < NSIG; number++) count += sigismember(&blocked, number) == 1;
  return count;
}

static int unshare_error(void) { return unshare(CLONE_NEWUSER) == 0 ? 0 : errno; }

int main(void) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  mode_t mask = umask(0);
  printf("{\"single_threaded\": %d, \"descriptors\": %d, \"lowest\": %d, \"threads\": %d, "
         "\"handlers\": %d, \"blocked\": %d, "
         "\"umask\": %u, \"files\": %lu, \"no_children\": %d, \"nice\": %d, \"unshare\": %d}\n",
         __libc_single_threaded, entries("/proc/self/fd") - 1, lowest_descriptor(),
         entries("/proc/self/task"), handlers_set(), signals_blocked(), mask, files.rlim_cur,
         waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, getpriority(PRIO_PROCESS, 0),
         unshare_error());
  return 0;
}
