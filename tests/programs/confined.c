// SPDX-License-Identifier: Apache-2.0
// Gives things up while it runs, as argv[1] says: its root and user, its descriptors one after the
// other, its limits, its system calls. Afterwards it works as ever: 2000 blocks and locks in two
// threads, one of them new; in one where nothing but memory may be asked for, and 40 blocks from
// ever deeper calls.
#include "program.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { ROUNDS = 1000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static NOINLINE void *confined_main(void *unused) {
  for (int i = 0; i < ROUNDS; i++) {
    void *volatile block = malloc(120);
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    free(block);
  }
  return unused;
}

static void limit(int what, rlim_t most) {
  struct rlimit both = {most, most};
  REQUIRE(setrlimit((__rlimit_resource_t)what, &both) == 0);
}

// What each of these answers when it is called, and what all others do.
static void filter_calls(const unsigned *calls, unsigned count, unsigned answer, unsigned rest) {
  struct sock_filter filter[40];
  unsigned used = 0;
  filter[used++] =
      (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (unsigned i = 0; i < count; i++) {
    filter[used++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1);
    filter[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer);
  }
  filter[used++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, rest);
  struct sock_fprog program = {(unsigned short)used, filter};
  REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  REQUIRE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void confine_calls(unsigned answer) {
  const unsigned calls[] = {SYS_openat,   SYS_open,    SYS_readlinkat,  SYS_getsockname,
                            SYS_unlinkat, SYS_socket,  SYS_getpeername, SYS_execve,
                            SYS_kill,     SYS_prctl,   SYS_pidfd_open,  SYS_rename,
                            SYS_chdir,    SYS_setpgid, SYS_renameat2};
  filter_calls(calls, sizeof calls / sizeof *calls, answer, SECCOMP_RET_ALLOW);
}

// Everything but these ends the process.
static void keep_few(unsigned count) {
  const unsigned calls[] = {SYS_write, SYS_exit_group, SYS_mmap,   SYS_munmap,
                            SYS_brk,   SYS_madvise,    SYS_mremap, SYS_futex};
  filter_calls(calls, count, SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS);
}
enum { FEW = 8, FEWEST = 7 };

static void give_up(const char *what) {
  if (!strcmp(what, "root")) {
    REQUIRE(chroot(".") == 0 && chdir("/") == 0);
    REQUIRE(setgid(65534) == 0 && setuid(65534) == 0);
    umask(0777);
  }
  if (!strcmp(what, "descriptors")) {
    int null = open("/dev/null", O_RDWR);
    for (int i = 3; i < 200; i++) REQUIRE(i == null || dup2(null, i) == i);
    REQUIRE(close_range(3, ~0u, 0) == 0);
  }
  if (!strcmp(what, "limits")) {
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_NOFILE, 3);
    limit(RLIMIT_AS, 2048ul << 20);
    limit(RLIMIT_CORE, 0);
  }
  if (!strcmp(what, "calls-refused")) confine_calls(SECCOMP_RET_ERRNO | EPERM);
  if (!strcmp(what, "calls-deadly")) confine_calls(SECCOMP_RET_KILL_PROCESS);
  if (!strcmp(what, "few")) keep_few(FEW);
  if (!strcmp(what, "fewest")) keep_few(FEWEST);
  if (!strcmp(what, "clockless")) REQUIRE(prctl(PR_SET_TSC, PR_TSC_SIGSEGV) == 0);
  if (!strcmp(what, "strict")) REQUIRE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
}

// A page of stack for each call, so that each depth reaches where no call was before.
static NOINLINE void descend(unsigned depth) {
  volatile char room[4000];
  room[0] = 1;
  if (depth > 0)
    descend(depth - 1);
  else
    free(malloc(40));
  room[1] = room[0];
}

static void work_alone(void) {
  confined_main(NULL);
  for (unsigned depth = 0; depth < 40; depth++) descend(depth);
}

static void work_in_threads(void) {
  pthread_t thread;
  REQUIRE_0(pthread_create(&thread, NULL, confined_main, NULL));
  pthread_join(thread, NULL);
}

int main(int argc, char **argv) {
  REQUIRE(argc == 2);
  confined_main(NULL);
  static char buffer[100];
  setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
  const bool strict = !strcmp(argv[1], "strict");
  const bool alone = strict || !strncmp(argv[1], "few", 3);
  give_up(argv[1]);
  if (alone)
    work_alone();
  else
    work_in_threads();
  printf("{\"blocks\": %d}\n", 2 * ROUNDS);
  fflush(stdout);
  if (strict) syscall(SYS_exit, 0);
  return 0;
}
