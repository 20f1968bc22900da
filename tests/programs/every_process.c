// SPDX-License-Identifier: Apache-2.0
// Children that libc makes, names by prctl, memory that is mapped, and what is bound to processors;
// then, with an argument, the process becomes a daemon by daemon(3), which writes to that file.
#include "program.h"

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { PAGE = 4096 };

static pid_t children(void) {
  char *arguments[] = {"true", NULL}, *environment[] = {NULL};
  pid_t child, found;
  int status;
  REQUIRE_0(posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environment));
  REQUIRE(waitpid(child, &status, 0) == child && status == 0);
  REQUIRE_0(posix_spawnp(&found, "true", NULL, NULL, arguments, environment));
  REQUIRE(waitpid(found, &status, 0) == found && status == 0);
  REQUIRE(posix_spawn(&found, "/nonexistent", NULL, NULL, arguments, environment) == ENOENT);
  REQUIRE(system(NULL) != 0);
  REQUIRE(WEXITSTATUS(system("exit 5")) == 5);
  FILE *output = popen("echo said", "r");
  char line[16];
  REQUIRE(output && fgets(line, sizeof line, output) && strcmp(line, "said\n") == 0);
  REQUIRE(pclose(output) == 0);
  return child;
}

static NOINLINE void mappings(void) {
  char *first = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(first != MAP_FAILED);
  first[0] = 'a';
  char *moved = mremap(first, 4 * PAGE, 1024 * PAGE, MREMAP_MAYMOVE);
  REQUIRE(moved != MAP_FAILED && moved[0] == 'a');
  char *place = mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(mremap(moved, 1024 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place);
  REQUIRE(place[0] == 'a');
  REQUIRE(munmap(place, 8 * PAGE) == 0);
  errno = 0;
  REQUIRE(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
          errno == EINVAL);
  REQUIRE(munmap((void *)1, PAGE) == -1 && errno == EINVAL);
}

static void names(void) {
  char name[16];
  REQUIRE(prctl(PR_SET_NAME, "renamed") == 0);
  REQUIRE(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "renamed") == 0);
  REQUIRE(prctl(PR_SET_PDEATHSIG, 0UL, 0UL, 0UL, 0UL) == 0);
  errno = 0;
  REQUIRE(prctl(-1, 0, 0, 0, 0) == -1 && errno == EINVAL);
  cpu_set_t set;
  REQUIRE(sched_getaffinity(0, sizeof set, &set) == 0);
  REQUIRE(sched_setaffinity(0, sizeof set, &set) == 0);
  REQUIRE_0(pthread_setaffinity_np(pthread_self(), sizeof set, &set));
}

int main(int argc, char **argv) {
  const pid_t child = children();
  mappings();
  names();
  printf("{\"child\": %d}\n", (int)child);
  fflush(stdout);
  if (argc < 2) return 0;
  REQUIRE(daemon(0, 0) == 0);
  char folder[64];
  const int file = open(argv[1], O_WRONLY | O_CREAT | O_EXCL, 0600);
  REQUIRE(file > 2 && getsid(0) == getpid() && getcwd(folder, sizeof folder));
  dprintf(file, "%s %d\n", folder, fcntl(0, F_GETFL) & O_ACCMODE);
  return 3;
}
