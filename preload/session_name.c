// SPDX-License-Identifier: Apache-2.0
// Which name a trace may have: who wrote what stands there, and does anybody still write.
#include "preload/session.h"

#include "formats/container.h"
#include "preload/clock.h"
#include "preload/naming.h"
#include "preload/process.h"
#include "preload/system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

// A trace that ended this long after the kernel says we started still counts as ended before: the
// start is known to 10 ms only.
enum { NAME_SLACK_NS = 20 * 1000 * 1000, NAME_TRIES = 64, NAME_MOMENTS = 250 };

typedef enum {
  NAME_IN_USE,  // its process or a relative of it still writes, or it ended after we began
  NAME_OURS,    // this very process wrote it, before an exec
  NAME_FREE,    // ended; may be replaced
} name_state_t;

typedef struct {
  const char *path;  // the name in question
  uint32_t pid;
  process_identity_t self;
  name_state_t state;
} name_search_t;

static bool session_is_sound(const trace_session_t *session) {
  return session->magic == TRACE_SESSION_MAGIC && session->version == TRACE_SESSION_VERSION &&
         session->processes_max == TRACE_PROCESSES_MAX;
}

static bool process_writes(const trace_process_t *process) {
  const uint32_t state = atomic_load(&process->state);
  return (state == TRACE_PROCESS_NEW || state == TRACE_PROCESS_ACTIVE) &&
         process_lives(atomic_load(&process->pid), atomic_load(&process->start_time));
}

// `path` with .PID in it, as a process has it that does not stand alone. A name that has it already
// is left as it is.
static bool name_with_pid(char stem[TRACE_PATH_MAX], const char *path, uint32_t pid) {
  char ending[32] = ".";
  naming_digits(ending + 1, pid);
  strcat(ending, ".zst");
  const size_t length = strlen(path), size = strlen(ending);
  if (length > size && strcmp(path + length - size, ending) == 0) {
    strcpy(stem, path);
    return true;
  }
  return naming_insert(stem, TRACE_PATH_MAX, path, pid);
}

// Moves the trace that this process wrote before its exec out of the way: NAME.PID.N. Tells its
// writer (`before`, NULL where that has ended) where it is now.
static void name_move_aside(trace_process_t *before, const char *path, uint32_t pid) {
  char stem[TRACE_PATH_MAX], target[TRACE_PATH_MAX];
  if (!name_with_pid(stem, path, pid)) return;
  for (uint64_t n = 1; n < NAME_TRIES; n++) {
    if (!naming_insert(target, sizeof target, stem, n)) return;
    if (system_failed(
            system_call(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, target, RENAME_NOREPLACE)))
      continue;
    if (before) strcpy(before->trace_path, target);
    char from[TRACE_PATH_MAX], to[TRACE_PATH_MAX];
    if (naming_append(from, sizeof from, path, SESSION_NEW_SUFFIX) &&
        naming_append(to, sizeof to, target, SESSION_NEW_SUFFIX))
      system_call(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
    return;
  }
}

// The first block of a trace, or nothing: a file that is not one.
static bool name_first_block(const char *path, trace_block_header_t *header) {
  const long file = system_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (system_failed(file)) return false;
  const long length = system_call(SYS_read, file, header, sizeof *header);
  system_call(SYS_close, file);
  if (length == 0) memset(header, 0, sizeof *header);
  return length == 0 || (length == sizeof *header && header->magic == TRACE_BLOCK_MAGIC &&
                         header->inner == TRACE_INNER_MAGIC);
}

// Whether it is this process's image of before its exec. When it started is filled in by its
// writer.
static bool is_own(const trace_process_t *process, const name_search_t *search) {
  const uint64_t start_time = atomic_load(&process->start_time);
  return atomic_load(&process->pid) == search->pid &&
         (start_time == search->self.start_time || start_time == 0);
}

// This process's image of before its exec has a place, but its writer is still about to open the
// trace: under which name is known, and the file not empty, when it has.
static void name_await_opening(const trace_process_t *process) {
  const struct timespec moment = {0, 200 * 1000};
  for (int i = 0; i < NAME_MOMENTS && atomic_load(&process->state) == TRACE_PROCESS_NEW; i++)
    system_call(SYS_nanosleep, &moment, NULL);
}

// Looks at one session file beside the trace.
static void name_look_at_session(name_search_t *search, const char *rings_path) {
  const long file = system_call(SYS_openat, AT_FDCWD, rings_path, O_RDWR | O_CLOEXEC);
  if (system_failed(file)) return;
  struct stat status;
  const bool sized =
      !system_failed(system_call(SYS_newfstatat, file, "", &status, AT_EMPTY_PATH)) &&
      status.st_size >= (off_t)sizeof(trace_session_t);
  const long memory = sized ? system_call(SYS_mmap, NULL, sizeof(trace_session_t),
                                          PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
                            : -EINVAL;
  system_call(SYS_close, file);
  if (system_failed(memory)) return;
  trace_session_t *session = (trace_session_t *)memory;
  for (uint32_t i = 0; session_is_sound(session) && i < TRACE_PROCESSES_MAX; i++) {
    trace_process_t *process = &session->processes[i];
    process->trace_path[TRACE_PATH_MAX - 1] = 0;
    if (!process_writes(process)) continue;
    if (is_own(process, search)) {
      name_await_opening(process);
      atomic_store(&process->exec_pending, UINT32_MAX);  // tells its writer that the exec happened
      if (strcmp(process->trace_path, search->path) == 0) {
        name_move_aside(process, search->path, search->pid);
        search->state = NAME_OURS;
      }
    } else if (search->state == NAME_FREE) {
      search->state = NAME_IN_USE;
    }
  }
  system_call(SYS_munmap, memory, sizeof(trace_session_t));
}

// Whether `file` is the rings of `base` or of a relative: same stem, ends in .zst.rings.
static bool is_relative(const char *file, const char *base) {
  const size_t length = strlen(file), suffix = strlen(SESSION_RINGS_SUFFIX);
  size_t stem = strlen(base);
  if (stem > 4 && strcmp(base + stem - 4, ".zst") == 0) stem -= 4;
  return length > suffix && strcmp(file + length - suffix, SESSION_RINGS_SUFFIX) == 0 &&
         strncmp(file, base, stem) == 0 && (file[stem] == '.' || file[stem] == 0);
}

// Walks over the folder of the trace with getdents64: opendir would allocate.
static void name_look_around(name_search_t *search) {
  char folder[TRACE_PATH_MAX], entry_path[TRACE_PATH_MAX + 256];
  char buffer[2048] __attribute__((aligned(8)));
  const char *base = naming_base(search->path);
  const size_t length = (size_t)(base - search->path);
  memcpy(folder, search->path, length);
  folder[length] = 0;
  const long file = system_call(SYS_openat, AT_FDCWD, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (system_failed(file)) return;
  long size;
  while ((size = system_call(SYS_getdents64, file, buffer, sizeof buffer)) > 0) {
    for (long at = 0; at < size;) {
      const struct dirent64 *entry = (const struct dirent64 *)(buffer + at);
      at += entry->d_reclen;
      if (!is_relative(entry->d_name, base)) continue;
      memcpy(entry_path, folder, length);
      strcpy(entry_path + length, entry->d_name);
      name_look_at_session(search, entry_path);
    }
  }
  system_call(SYS_close, file);
}

// When this process started, in ns since 1970, from ticks after boot.
static uint64_t started_at(const process_identity_t *self) {
  struct timespec boot;
  if (system_failed(system_call(SYS_clock_gettime, CLOCK_BOOTTIME, &boot))) return 0;
  const uint64_t now = (uint64_t)boot.tv_sec * 1000000000 + (uint64_t)boot.tv_nsec;
  const uint64_t started = self->start_time * (1000000000 / 100);  // USER_HZ is 100
  return clock_realtime() - (now > started ? now - started : 0);
}

static bool ended_before(const char *path, const process_identity_t *self) {
  struct stat status;
  if (system_failed(system_call(SYS_newfstatat, AT_FDCWD, path, &status, AT_SYMLINK_NOFOLLOW)))
    return true;
  const uint64_t ended =
      (uint64_t)status.st_mtim.tv_sec * 1000000000 + (uint64_t)status.st_mtim.tv_nsec;
  return S_ISREG(status.st_mode) && ended < started_at(self) + NAME_SLACK_NS;
}

static void name_remove(const char *path) {
  char beside[TRACE_PATH_MAX];
  system_call(SYS_unlinkat, AT_FDCWD, path, 0);
  if (naming_append(beside, sizeof beside, path, SESSION_RINGS_SUFFIX))
    system_call(SYS_unlinkat, AT_FDCWD, beside, 0);
  if (naming_append(beside, sizeof beside, path, SESSION_NEW_SUFFIX))
    system_call(SYS_unlinkat, AT_FDCWD, beside, 0);
}

int session_claim_name(session_files_t *files) {
  char *path = files->trace_path;
  name_search_t search = {.path = path, .pid = files->pid, .self = files->identity};
  char plain[TRACE_PATH_MAX];
  strcpy(plain, path);
  uint64_t suffix = 0;
  for (uint64_t tries = 0; tries < NAME_TRIES; tries++) {
    const long file = system_call(SYS_openat, AT_FDCWD, path,
                                  O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file != -EEXIST) return (int)file;
    search.state = NAME_FREE;
    name_look_around(&search);
    if (search.state == NAME_OURS) continue;  // it was moved aside
    trace_block_header_t first;
    const bool is_trace = name_first_block(path, &first);
    if (is_trace && first.from == trace_process_identity(search.pid, search.self.start_time)) {
      name_move_aside(NULL, path, search.pid);  // its writer has ended already
      continue;
    }
    if (is_trace && search.state == NAME_FREE && ended_before(path, &search.self)) {
      name_remove(path);
      continue;
    }
    // In use: NAME.PID, then NAME.PID.1 ...
    if (suffix == 0 ? !name_with_pid(path, plain, search.pid)
                    : !naming_insert(path, TRACE_PATH_MAX, plain, suffix))
      return -ENAMETOOLONG;
    if (suffix++ == 0) strcpy(plain, path);
  }
  return -EEXIST;
}
