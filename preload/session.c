// SPDX-License-Identifier: Apache-2.0
// The shared mapping, made with disk space behind every page that a hook may write.
#include "preload/session.h"

#include "preload/clock.h"
#include "preload/naming.h"
#include "preload/process.h"
#include "preload/settings.h"
#include "preload/system.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/vfs.h>

enum { SESSION_RINGS_FIRST = 8, SESSION_RINGS_USUAL = 1024, SESSION_RINGS_TIGHT = 16 };

static uint64_t session_size(uint32_t rings) {
  return TRACE_SESSION_SIZE + (uint64_t)rings * TRACE_RING_STRIDE;
}

// fallocate that leaves no page without a block behind it: a store to a hole on a full disk is a
// SIGBUS. Where the file system has no fallocate, or a filter forbids it, zeros are written.
static int file_reserve(int file, uint64_t from, uint64_t to) {
  static const uint8_t zeros[4096];
  long result;
  do result = system_call(SYS_fallocate, file, 0, from, to - from);
  while (result == -EINTR);
  if (result != -EOPNOTSUPP && result != -ENOSYS && result != -EPERM) return (int)result;
  for (uint64_t at = from; at < to; at += sizeof zeros) {
    result = system_call(SYS_pwrite64, file, zeros, sizeof zeros, at);
    if (system_failed(result)) return (int)result;
    if (result != sizeof zeros) return -ENOSPC;
  }
  return 0;
}

int session_grow(int rings_fd, uint32_t count) {
  struct statfs disk;
  if (!system_failed(system_call(SYS_fstatfs, rings_fd, &disk)) &&
      disk.f_bavail * (uint64_t)disk.f_bsize < (uint64_t)4 << 20)
    return -ENOSPC;
  const long size = system_call(SYS_lseek, rings_fd, 0, SEEK_END);
  if (system_failed(size)) return (int)size;
  const uint64_t wanted = session_size(count);
  return (uint64_t)size >= wanted ? 0 : file_reserve(rings_fd, (uint64_t)size, wanted);
}

// A limit on file size would turn growing the rings into a SIGXFSZ of the program.
static bool session_fits_limits(uint32_t rings) {
  struct rlimit limit;
  if (system_failed(system_call(SYS_getrlimit, RLIMIT_FSIZE, &limit))) return true;
  return limit.rlim_cur == RLIM_INFINITY || session_size(rings) <= limit.rlim_cur;
}

static uint32_t session_rings_max(void) {
  struct rlimit limit;
  if (system_failed(system_call(SYS_getrlimit, RLIMIT_AS, &limit)) ||
      limit.rlim_cur == RLIM_INFINITY)
    return SESSION_RINGS_USUAL;
  return SESSION_RINGS_TIGHT;
}

static void session_fill(session_files_t *files) {
  trace_session_t *session = files->session;
  session->version = TRACE_SESSION_VERSION;
  session->header_size = TRACE_SESSION_SIZE;
  session->ring_stride = TRACE_RING_STRIDE;
  session->ring_header = TRACE_RING_HEADER;
  session->rings_max = files->rings_max;
  session->processes_max = TRACE_PROCESSES_MAX;
  atomic_store(&session->processes_used, 1);
  session->clock_is_tsc = clock_is_tsc;
  session->ticks = clock_ticks();
  session->monotonic_ns = clock_monotonic();
  session->realtime_ns = clock_realtime();
  trace_process_t *first = &session->processes[0];
  atomic_store(&first->pid, files->pid);
  atomic_store(&first->start_time, files->identity.start_time);
  atomic_store(&first->start_ticks, session->ticks);
  strcpy(first->trace_path, files->trace_path);
  atomic_store(&session->rings_ready, SESSION_RINGS_FIRST);
  atomic_store(&first->state, TRACE_PROCESS_NEW);
  session->magic = TRACE_SESSION_MAGIC;
}

// TRACE.rings, or TRACE.PID.rings, TRACE.PID.1.rings ... where writers of images before this one
// still have those.
static long session_open_rings(session_files_t *files) {
  char stem[TRACE_PATH_MAX], other[TRACE_PATH_MAX];
  const int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  strcpy(other, files->trace_path);
  for (uint64_t n = 0; n < 64; n++) {
    if (!naming_append(files->rings_path, TRACE_PATH_MAX, other, SESSION_RINGS_SUFFIX)) break;
    const long file = system_call(SYS_openat, AT_FDCWD, files->rings_path, flags, 0600);
    if (file != -EEXIST) return file;
    if (n == 0) {
      if (!naming_insert(stem, sizeof stem, other, files->pid)) break;
      strcpy(other, stem);
    } else if (!naming_insert(other, sizeof other, stem, n)) {
      break;
    }
  }
  return -EEXIST;
}

static int session_make_rings(session_files_t *files) {
  const long file = session_open_rings(files);
  if (system_failed(file)) return (int)file;
  int result = session_grow((int)file, SESSION_RINGS_FIRST);
  const long memory = result ? result
                             : system_call(SYS_mmap, NULL, session_size(files->rings_max),
                                           PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (system_failed(memory)) {
    system_call(SYS_close, file);
    system_call(SYS_unlinkat, AT_FDCWD, files->rings_path, 0);
    return (int)memory;
  }
  files->rings_fd = (int)file;
  files->session = (trace_session_t *)memory;
  system_call(SYS_madvise, memory, session_size(files->rings_max), MADV_DONTDUMP);
  // Pages are asked for one by one: to read ahead would be to clear what is never looked at.
  system_call(SYS_madvise, memory, session_size(files->rings_max), MADV_RANDOM);
  return 0;
}

void session_prepare(session_files_t *files) {
  files->pid = (uint32_t)system_call(SYS_getpid);
  process_identify(0, &files->identity);
  files->trace_fd = files->rings_fd = -1;
  files->session = NULL;
  files->rings_max = session_rings_max();
}

int session_create(session_files_t *files, const char **what) {
  *what = "cannot create the trace";
  if (!session_fits_limits(SESSION_RINGS_FIRST)) return -EFBIG;
  files->trace_fd = session_claim_name(files);
  if (files->trace_fd < 0) return files->trace_fd;
  *what = "cannot make the rings beside the trace";
  const int result = session_make_rings(files);
  if (result) {
    system_call(SYS_close, files->trace_fd);
    system_call(SYS_unlinkat, AT_FDCWD, files->trace_path, 0);  // made just now
    return result;
  }
  session_fill(files);
  return 0;
}
