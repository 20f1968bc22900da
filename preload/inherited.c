// SPDX-License-Identifier: Apache-2.0
// A seccomp filter from before the exec, which cannot be read: what it does to the recorder's calls
// is tried out by children, who may end of it.
#include "preload/confinement.h"

#include "preload/system.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

// Each in the way in which the recorder makes it, but so that it has no effect: on nothing, with an
// address that cannot be read, on a descriptor that nobody has.
typedef struct {
  uint16_t number;
  uintptr_t arguments[5];
} trial_t;
enum { NOWHERE = 1, NO_PROCESS = INT32_MAX };
#define NO_FILE (uintptr_t)(-1)
#define HERE (uintptr_t) AT_FDCWD
static uint64_t zeros[64];  // also where answers go that nobody looks at
#define ZEROS (uintptr_t) zeros

static const trial_t trials[] = {
    {SYS_wait4, {NO_PROCESS, 0, WNOHANG | __WALL}},  // first: who tries needs it
    {SYS_getpid, {0}},
    {SYS_getppid, {0}},
    {SYS_gettid, {0}},
    {SYS_geteuid, {0}},
    {SYS_futex, {ZEROS, FUTEX_WAIT, 1}},
    {SYS_futex, {ZEROS, FUTEX_WAKE, 1}},
    {SYS_futex, {ZEROS, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 0, 0, ZEROS}},
    {SYS_nanosleep, {NOWHERE}},
    {SYS_clock_gettime, {CLOCK_MONOTONIC, NOWHERE}},
    {SYS_clock_gettime, {CLOCK_REALTIME, NOWHERE}},
    {SYS_clock_gettime, {CLOCK_BOOTTIME, NOWHERE}},
    {SYS_clock_gettime, {CLOCK_THREAD_CPUTIME_ID, NOWHERE}},
    {SYS_clock_gettime, {CLOCK_PROCESS_CPUTIME_ID, NOWHERE}},
    {SYS_rt_sigprocmask, {SIG_BLOCK, NOWHERE, 0, 8}},
    {SYS_rt_sigprocmask, {SIG_SETMASK, NOWHERE, 0, 8}},
    {SYS_rt_sigprocmask, {UINT64_MAX, ZEROS, 0, 8}},
    {SYS_rt_sigpending, {NOWHERE, 8}},
    {SYS_rt_sigtimedwait, {NOWHERE, 0, 0, 8}},
    {SYS_sigaltstack, {0, NOWHERE}},
    {SYS_fcntl, {NO_FILE, F_GETFL}},
    {SYS_fcntl, {NO_FILE, F_SETLEASE, F_WRLCK}},
    {SYS_getsockname, {NO_FILE}},
    {SYS_getpeername, {NO_FILE}},
    {SYS_getsockopt, {NO_FILE, SOL_SOCKET}},
    {SYS_readlinkat, {HERE, NOWHERE, NOWHERE, 1}},
    {SYS_newfstatat, {HERE, NOWHERE, NOWHERE}},
    {SYS_newfstatat, {2, NOWHERE, NOWHERE, AT_EMPTY_PATH}},
    {SYS_ppoll, {NOWHERE, 1}},
    {SYS_write, {2, NOWHERE, 1}},
    {SYS_openat, {HERE, NOWHERE, O_RDONLY | O_CLOEXEC}},
    {SYS_openat, {HERE, NOWHERE, O_RDONLY | O_DIRECTORY | O_CLOEXEC}},
    {SYS_openat, {HERE, NOWHERE, O_RDONLY | O_CLOEXEC | O_NONBLOCK}},
    {SYS_openat, {HERE, NOWHERE, O_RDWR | O_CLOEXEC | O_NOFOLLOW}},
    {SYS_openat, {HERE, NOWHERE, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600}},
    {SYS_openat, {HERE, NOWHERE, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600}},
    {SYS_close, {NO_FILE}},
    {SYS_read, {NO_FILE, NOWHERE, 1}},
    {SYS_pread64, {NO_FILE, NOWHERE, 1}},
    {SYS_pwrite64, {NO_FILE, NOWHERE, 1}},
    {SYS_lseek, {NO_FILE, 0, SEEK_END}},
    {SYS_ftruncate, {NO_FILE}},
    {SYS_fallocate, {NO_FILE, 0, 0, 1}},
    {SYS_fstatfs, {NO_FILE, NOWHERE}},
    {SYS_ioctl, {NO_FILE}},
    {SYS_getdents64, {NO_FILE, NOWHERE, 1}},
    {SYS_unlinkat, {HERE, NOWHERE}},
    {SYS_renameat2, {HERE, NOWHERE, HERE, NOWHERE}},
    {SYS_chdir, {NOWHERE}},
    {SYS_getcwd, {NOWHERE, 0}},
    {SYS_uname, {NOWHERE}},
    {SYS_getrlimit, {RLIMIT_AS, NOWHERE}},
    {SYS_mmap, {0, 0, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, NO_FILE}},
    {SYS_mmap, {0, 0, PROT_READ | PROT_WRITE, MAP_SHARED, NO_FILE}},
    {SYS_munmap, {0, 0}},
    {SYS_mremap, {0, 0, 0}},
    {SYS_madvise, {0, 0, MADV_WIPEONFORK}},
    {SYS_madvise, {0, 0, MADV_DONTDUMP}},
    {SYS_prctl, {PR_GET_TSC, NOWHERE}},
    {SYS_prctl, {PR_GET_CHILD_SUBREAPER, NOWHERE}},
    {SYS_prctl, {PR_SET_NAME, NOWHERE}},
    {SYS_setpgid, {0, UINT32_MAX}},
    {SYS_sched_getaffinity, {0, 0, NOWHERE}},
    {SYS_set_robust_list, {0, 0}},
    {SYS_kill, {NO_PROCESS, 0}},
    {SYS_pidfd_open, {UINT32_MAX, 0}},
    {SYS_close_range, {1, 0}},
    {SYS_clone, {CLONE_THREAD}},
    {SYS_exit_group, {0}},  // the last one: nobody comes back from it
};
enum { TRIALS = sizeof trials / sizeof *trials };

// Only with calls that the dynamic linker has just made itself, and so may be made.
static bool has_filter(void) {
  static const char key[] = "\nSeccomp:\t";
  char text[4096];
  const long file = system_call(SYS_openat, AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (system_failed(file)) return false;
  const long length = system_call(SYS_read, file, text, sizeof text - 1);
  system_call(SYS_close, file);
  if (length <= 0) return false;
  text[length] = 0;
  const char *at = strstr(text, key);
  return at && at[sizeof key - 1] != '0';
}

// In this memory, on this stack, while we wait; ends of the first call that is deadly. A limit of 1
// leaves no core behind, nor asks a program to take it (core(5), fs/coredump.c).
static __attribute__((noinline)) void try_from(volatile unsigned *next, volatile bool *survived) {
  static const struct rlimit no_core = {1, 1};
  const long child = system_call(SYS_clone, CLONE_VM | CLONE_VFORK, 0, 0, 0, 0);
  if (child == 0) {
    system_call(SYS_prlimit64, 0, RLIMIT_CORE, &no_core, NULL);
    for (; *next < TRIALS; *next += 1) {
      const trial_t *trial = &trials[*next];
      const uintptr_t *arguments = trial->arguments;
      // None returns from exit_group: it has survived.
      survived[*next] = trial->number == SYS_exit_group;
      system_call6(trial->number, (long)arguments[0], (long)arguments[1], (long)arguments[2],
                   (long)arguments[3], (long)arguments[4], 0);
      survived[*next] = true;
    }
  }
  if (system_failed(child))
    *next = TRIALS;
  else if (survived[0])
    system_call(SYS_wait4, child, NULL, __WALL, NULL);
}

bool confinement_inherited(void) {
  volatile bool survived[TRIALS];
  system_verdict_t verdicts[TRIALS];
  volatile unsigned next = 0;
  bool deadly = false;
  if (!has_filter()) return false;
  for (unsigned i = 0; i < TRIALS; i++) survived[i] = true;
  while (next < TRIALS) {
    try_from(&next, survived);
    if (next < TRIALS) next += 1;  // it has ended of that one
  }
  for (unsigned i = 0; i < TRIALS; i++) {
    verdicts[i] = (system_verdict_t){trials[i].number, survived[i]};
    deadly |= !survived[i];
  }
  if (deadly) system_confine(verdicts, TRIALS);
  return deadly;
}
