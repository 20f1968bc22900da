// SPDX-License-Identifier: Apache-2.0
// Confines itself as argv[1] says, and becomes the program argv[2]: a filter from before its start.
// What follows, as NAME=VALUE, is set for that program only.
#include "program.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { FILTER_MOST = 64, ARGUMENT_FLAGS = 2 };
static struct sock_filter filter[FILTER_MOST];
static unsigned short used;

static void add(struct sock_filter step) {
  REQUIRE(used < FILTER_MOST);
  filter[used++] = step;
}

static void begin(void) {
  add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
}

static void answer_call(unsigned number, unsigned answer) {
  add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
  add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer));
}

static void end(void) {
  add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  struct sock_fprog program = {used, filter};
  REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  REQUIRE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

// What neither the dynamic linker nor a simple program needs.
static void confine_rest(unsigned answer) {
  static const unsigned calls[] = {
      SYS_setpgid,
      SYS_pidfd_open,
      SYS_close_range,
      SYS_fallocate,
      SYS_ftruncate,
      SYS_kill,
      SYS_sched_getaffinity,
      SYS_getsockname,
      SYS_getpeername,
      SYS_uname,
      SYS_fstatfs,
      SYS_renameat2,
      SYS_chdir,
      SYS_prctl,
      SYS_sigaltstack,
      SYS_rt_sigpending,
      SYS_ppoll,
      SYS_nanosleep,
      SYS_fstat,
      SYS_getppid,
  };
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) answer_call(calls[i], answer);
}

static void confine_children(unsigned answer) {
  static const unsigned calls[] = {SYS_clone, SYS_clone3, SYS_fork, SYS_vfork};
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) answer_call(calls[i], answer);
}

// Files may be opened, none be made. The last one: what is loaded is not the number after it.
static void confine_files(unsigned answer) {
  add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3));
  add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                   offsetof(struct seccomp_data, args) +
                                       ARGUMENT_FLAGS * sizeof(uint64_t)));
  add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_CREAT, 0, 1));
  add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer));
}

int main(int argc, char **argv) {
  REQUIRE(argc > 2);
  const char *what = argv[1];
  const unsigned refused = SECCOMP_RET_ERRNO | EPERM, deadly = SECCOMP_RET_KILL_PROCESS;
  begin();
  if (!strcmp(what, "rest-refused")) confine_rest(refused);
  if (!strcmp(what, "rest-deadly")) confine_rest(deadly);
  if (!strcmp(what, "rest-trapped")) confine_rest(SECCOMP_RET_TRAP);
  if (!strcmp(what, "children-refused")) confine_children(refused);
  if (!strcmp(what, "files-refused")) confine_files(refused);
  if (!strcmp(what, "files-deadly")) confine_files(deadly);
  for (int i = 3; i < argc; i++) REQUIRE(putenv(argv[i]) == 0);
  end();
  execv(argv[2], (char *[]){argv[2], NULL});
  REQUIRE(false);
}
