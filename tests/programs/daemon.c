// SPDX-License-Identifier: Apache-2.0
// Becomes a daemon in the old way: forks twice, changes directory to /, closes every descriptor up
// to the limit, opens its own file as 0, 1 and 2; there it works, and writes its truth to argv[1].
#include "program.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static NOINLINE void daemon_work(void) {
  for (int i = 0; i < 500; i++) {
    void *volatile block = malloc(96);
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    free(block);
  }
}

static void fork_and_leave(void) {
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child > 0) _exit(0);
}

int main(int argc, char **argv) {
  REQUIRE(argc == 2 && argv[1][0] == '/');
  fork_and_leave();
  setsid();
  fork_and_leave();
  umask(0);
  if (chdir("/") != 0) _exit(98);
  for (int fd = (int)sysconf(_SC_OPEN_MAX) - 1; fd >= 0; fd--) close(fd);
  // 0 must be the first free descriptor: nothing of the recorder's may sit below
  if (open("/dev/null", O_RDWR) != 0 || dup(0) != 1 || dup(0) != 2) _exit(97);
  daemon_work();
  char temporary[4096];
  snprintf(temporary, sizeof temporary, "%s.new", argv[1]);
  int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (fd != 3) _exit(96);
  dprintf(fd, "{\"pid\": %d, \"blocks\": 500}\n", getpid());
  close(fd);
  return rename(temporary, argv[1]) != 0;
}
