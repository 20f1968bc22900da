// SPDX-License-Identifier: Apache-2.0
// Other ways in which a process ends, leaves its terminal, or changes what it may do.
#include "preload/confinement.h"
#include "preload/hooks/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

// ---- quick_exit ----------------------------------------------------------------------------

// The program's handlers run first: ours is registered before any of them.
static int quick_status;

static void at_quick_end(void) {
  if (process_is_recorded()) recorder_finish(quick_status, TRACE_EXIT_QUICK);
}

__attribute__((constructor(102))) static void register_quick_end(void) {
  if (recorder_session) at_quick_exit(at_quick_end);
}

HOOK_EXPORT void quick_exit(int status) {
  quick_status = status;
  REAL_OR_FIRST(quick_exit)(status);
  __builtin_unreachable();
}

// ---- abort ---------------------------------------------------------------------------------

// A handler of SIGABRT may still go on with the program: the trace is not ended, only told. What is
// in the rings is taken from there.
HOOK_EXPORT void abort(void) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  if (recorder_families.process && process_is_recorded()) {
    lane_t *lane = lane_enter(&origin, TRACE_EXIT);
    if (lane) {
      lane_record1(lane, TRACE_EXIT, 0, trace_zigzag(-SIGABRT), TRACE_EXIT_ABORT);
      lane_leave(lane);
      recorder_ring_bell();
    }
  }
  REAL_OR_FIRST(abort)();
  __builtin_unreachable();
}

// ---- daemon --------------------------------------------------------------------------------

// glibc's, which forks and ends the parent inside libc, where no hook would see it.
static bool null_device_opens(int *descriptor) {
  struct stat file;
  *descriptor = open("/dev/null", O_RDWR);
  if (*descriptor < 0 || fstat(*descriptor, &file) != 0) return false;
  if (S_ISCHR(file.st_mode) && file.st_rdev == makedev(1, 3)) return true;
  errno = ENODEV;
  return false;
}

static int take_null_device(void) {
  int null;
  if (!null_device_opens(&null)) {
    const int error = errno;
    if (null >= 0) close(null);
    errno = error;
    return -1;
  }
  for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++) dup2(null, i);
  if (null > STDERR_FILENO) close(null);
  return 0;
}

HOOK(process, int, daemon, (int keep_folder, int keep_descriptors),
     (keep_folder, keep_descriptors)) {
  const pid_t child = fork();
  if (child < 0) return -1;
  if (child > 0) _exit(0);
  if (setsid() == -1) return -1;
  if (!keep_folder) (void)!chdir("/");
  return keep_descriptors ? 0 : take_null_device();
}

// ---- prctl ---------------------------------------------------------------------------------

HOOK_UNPROTOTYPED(process, int, prctl,
                  (int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d),
                  (option, a, b, c, d)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  if ((option == PR_SET_SECCOMP && a == SECCOMP_MODE_STRICT) ||
      (option == PR_SET_TSC && a == PR_TSC_SIGSEGV))
    confinement_end();
  if (option == PR_SET_SECCOMP && a == SECCOMP_MODE_FILTER) confinement_filter((const void *)b);
  const int result = real_prctl(option, a, b, c, d);
  if (option != PR_SET_NAME || result != 0) return result;
  lane_t *lane = lane_enter(&origin, TRACE_THREAD_NAME);
  if (!lane) return result;
  const char *name = (const char *)a;
  lane_record_text(lane, TRACE_THREAD_NAME, 0, lane->handle, name, strnlen(name, 15));
  lane_leave(lane);
  return result;
}
