// SPDX-License-Identifier: Apache-2.0
// What /proc says of a process, read with plain system calls.
#include "preload/process.h"

#include "preload/naming.h"
#include "preload/system.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static void proc_path(char path[64], uint32_t pid, const char *file) {
  strcpy(path, "/proc/");
  if (pid == 0)
    strcpy(path + 6, "self");
  else
    naming_digits(path + 6, pid);
  strcat(path, file);
}

static long read_text(const char *path, char *text, size_t size) {
  const long file = system_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (system_failed(file)) return file;
  const long length = system_call(SYS_read, file, text, size - 1);
  system_call(SYS_close, file);
  if (!system_failed(length)) text[length] = 0;
  return length;
}

static long read_stat(uint32_t pid, char *text, size_t size) {
  char path[64];
  proc_path(path, pid, "/stat");
  return read_text(path, text, size);
}

// The text of field `number` (3 is the state: the first behind the name in parentheses).
static const char *stat_field(const char *text, int number) {
  const char *at = strrchr(text, ')');
  if (!at) return NULL;
  for (int i = 2; i < number && at; i++) {
    at = strchr(at + 1, ' ');
  }
  return at ? at + 1 : NULL;
}

static uint64_t stat_number(const char *text, int number) {
  const char *at = stat_field(text, number);
  uint64_t value = 0;
  for (; at && *at >= '0' && *at <= '9'; at++) value = value * 10 + (uint64_t)(*at - '0');
  return value;
}

bool process_identify(uint32_t pid, process_identity_t *identity) {
  char text[1024];
  const long length = read_stat(pid, text, sizeof text);
  if (system_failed(length)) return false;
  identity->start_time = stat_number(text, 22);
  identity->start_stack = stat_number(text, 28);
  return identity->start_time != 0;
}

// Whether it is not for want of permission that a signal may not be sent: a filter forbids it.
static bool signals_are_forbidden(void) {
  return system_call(SYS_kill, system_call(SYS_getpid), 0) == -EPERM;
}

bool process_lives(uint32_t pid, uint64_t start_time) {
  char text[1024];
  const long reached = pid == 0 ? -ESRCH : system_call(SYS_kill, pid, 0);
  if (reached == -ESRCH) return false;
  const long length = read_stat(pid, text, sizeof text);
  if (length == -ENOENT && reached == -EPERM && signals_are_forbidden()) return false;
  if (system_failed(length)) return true;  // no /proc: believe the kill
  const char *state = stat_field(text, 3);
  if (state && (*state == 'Z' || *state == 'X')) return false;
  return start_time == 0 || stat_number(text, 22) == start_time;
}

// PIDFD_GET_INFO and what it fills in, as it was first (linux/pidfd.h, since Linux 6.13; the exit
// status since 6.15, from when the process has been waited for).
typedef struct {
  uint64_t mask, cgroup;
  uint32_t pid, tgid, ppid, ids[8];
  int32_t exit_code;
} pidfd_info_t;
_Static_assert(sizeof(pidfd_info_t) == 64, "PIDFD_INFO_SIZE_VER0");
enum { PIDFD_INFO_EXIT_CODE = 1 << 3 };

static bool outcome_remembered(int pidfd, int *status) {
  pidfd_info_t info = {.mask = PIDFD_INFO_EXIT_CODE};
  if (pidfd < 0 ||
      system_failed(system_call(SYS_ioctl, pidfd, _IOWR(0xff, 11, pidfd_info_t), &info)) ||
      !(info.mask & PIDFD_INFO_EXIT_CODE))
    return false;
  *status = info.exit_code;
  return true;
}

// Field 52 is 0 for who may not know. Its own user may.
static bool outcome_is_shown(uint32_t pid) {
  char path[64];
  struct stat owner;
  proc_path(path, pid, "");
  return !system_failed(system_call(SYS_newfstatat, AT_FDCWD, path, &owner, 0)) &&
         (long)owner.st_uid == system_call(SYS_geteuid);
}

static bool outcome_of_zombie(uint32_t pid, uint64_t start_time, int *status) {
  char text[1024];
  if (system_failed(read_stat(pid, text, sizeof text)) || stat_number(text, 22) != start_time)
    return false;
  const char *state = stat_field(text, 3);
  *status = (int)stat_number(text, 52);
  return state && *state == 'Z' && (*status || outcome_is_shown(pid));
}

bool process_outcome(uint32_t pid, uint64_t start_time, int pidfd, int *status) {
  return outcome_remembered(pidfd, status) || outcome_of_zombie(pid, start_time, status) ||
         outcome_remembered(pidfd, status);  // it was waited for between the two
}

bool process_executable(uint32_t pid, char *path, size_t size) {
  char link[64];
  proc_path(link, pid, "/exe");
  const long length = system_call(SYS_readlinkat, AT_FDCWD, link, path, size - 1);
  if (system_failed(length)) return false;
  path[length] = 0;
  return true;
}

static bool same_file(const char *a, const char *b) {
  struct stat first, second;
  return !system_failed(system_call(SYS_newfstatat, AT_FDCWD, a, &first, 0)) &&
         !system_failed(system_call(SYS_newfstatat, AT_FDCWD, b, &second, 0)) &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

void process_program(char *path, size_t size) {
  if (!process_executable(0, path, size)) strcpy(path, "program");
  const char *started = (const char *)getauxval(AT_EXECFN);
  if (started && strlen(started) < size && same_file(started, path)) strcpy(path, started);
}

long process_read_task(uint32_t pid, uint32_t tid, const char *file, char *text, size_t size) {
  char path[96];
  proc_path(path, pid, "/task/");
  naming_digits(path + strlen(path), tid);
  strcat(path, "/");
  strncat(path, file, 32);
  return read_text(path, text, size);
}
