// SPDX-License-Identifier: Apache-2.0
// The beginning of a recording: the constructor. It runs before every other (the library is linked
// with -z initfirst), so that what other constructors do is seen.
#include "formats/sampling.h"
#include "preload/clock.h"
#include "preload/confinement.h"
#include "preload/hooks/descriptor.h"
#include "preload/hooks/operators.h"
#include "preload/lanes.h"
#include "preload/life.h"
#include "preload/lock_memory.h"
#include "preload/lock_sample.h"
#include "preload/loop_sample.h"
#include "preload/message.h"
#include "preload/naming.h"
#include "preload/process.h"
#include "preload/real.h"
#include "preload/sampled_blocks.h"
#include "preload/session.h"
#include "preload/settings.h"
#include "preload/system.h"
#include "preload/writer/writer.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

recorder_families_t recorder_families;
trace_session_t *recorder_session;
bool recorder_backtraces;
bool recorder_may_wait;
uint64_t recorder_wait_ticks;
uint64_t recorder_heap_distance;
uint64_t recorder_allocator_start, recorder_allocator_size;

// "PATH: what: why; recording is off", in one line.
static void start_failed(const char *path, const char *what, int result) {
  const char *why = strerrordesc_np(-result);
  message_say(6, path, 300, ": ", -1, what, -1, ": ", -1, why ? why : "unknown error", -1,
              "; recording is off", -1);
}

static bool start_path(session_files_t *files) {
  process_program(files->program, sizeof files->program);
  return naming_expand(files->trace_path, sizeof files->trace_path - 32,
                       settings.output ? settings.output : "inspect.%e.%p.zst",
                       (uint32_t)system_call(SYS_getpid), naming_base(files->program),
                       clock_realtime());
}

// Why there is no path: the working directory may have been removed.
static int start_path_fault(session_files_t *files) {
  const long result = system_call(SYS_getcwd, files->trace_path, sizeof files->trace_path);
  return system_failed(result) && result != -ERANGE ? (int)result : -ENAMETOOLONG;
}

// Whether orphans below this process become its children: it is the first of its pid namespace, or
// asked for them before its exec.
static bool start_collects_orphans(void) {
  int collects = 0;
  system_call(SYS_prctl, PR_GET_CHILD_SUBREAPER, &collects);
  return collects || system_call(SYS_getpid) == 1;
}

// What the start has come to.
typedef struct {
  session_files_t files;  // the writer keeps a copy; too large for a small stack
  const char *what;       // that failed, and how
  int result;
  long writer;  // its pid, or -errno
} beginning_t;

// Makes the files and then the writer: a child without an exit signal, whom only a wait with __WALL
// or __WCLONE sees.
static void start_files(beginning_t *beginning, long flags) {
  session_files_t *files = &beginning->files;
  beginning->result = session_create(files, &beginning->what);
  if (beginning->result) return;
  beginning->writer = system_call(SYS_clone, flags, 0, 0, 0, 0);
  if (beginning->writer == 0) writer_run(files);
}

// The same by a child between, which runs as one of vfork, in this memory and on this stack while
// we wait. Who kills the program does not kill it: so there are no files, or there is a writer to
// see to them. It ends at once, and the writer goes to init, where no wait of the program sees it.
// A program that collects orphans would be given it back with an exit signal: there the writer is
// its child from the start.
static __attribute__((noinline)) bool start_between(beginning_t *beginning) {
  const long flags = start_collects_orphans() ? CLONE_PARENT : 0;
  const long between = system_call(SYS_clone, CLONE_VM | CLONE_VFORK, 0, 0, 0, 0);
  if (between == 0) {
    start_files(beginning, flags);
    for (;;) system_call(SYS_exit_group, 0);
  }
  if (system_failed(between)) return false;
  system_call(SYS_wait4, between, NULL, __WALL, NULL);
  return true;
}

// Where no process can be made: the files alone, with the facts of the run.
static void start_alone(beginning_t *beginning) {
  session_files_t *files = &beginning->files;
  if (files->session) {  // opened by the child between, whose descriptors went with it
    files->trace_fd =
        (int)system_call(SYS_openat, AT_FDCWD, files->trace_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  } else {
    beginning->result = session_create(files, &beginning->what);
    if (beginning->result) return;
    system_call(SYS_close, files->rings_fd);
  }
  atomic_store(&files->session->writer_life, FUTEX_OWNER_DIED);
  writer_write_facts_only(files);
  if (files->trace_fd >= 0) system_call(SYS_close, files->trace_fd);
  message_say(1, "the writer could not be started: only the newest events are kept", -1);
}

// Signals are blocked around it, so that the writer is born with all of them blocked.
static bool start_session(beginning_t *beginning) {
  const uint64_t all = ~UINT64_C(0);
  uint64_t before;
  beginning->writer = -EAGAIN;
  system_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
  const bool made = start_between(beginning);
  system_call(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
  if (!made || (!beginning->result && system_failed(beginning->writer))) start_alone(beginning);
  if (!beginning->result && !system_failed(beginning->writer))
    atomic_store(&beginning->files.session->writer_pid, (uint32_t)beginning->writer);
  return beginning->result == 0;
}

// Finds the module of the real malloc, unless that is libc itself.
static void start_allocator(void) {
  struct dl_find_object allocator, libc;
  if (_dl_find_object((void *)real_malloc, &allocator) != 0 ||
      _dl_find_object((void *)on_exit, &libc) != 0 ||
      allocator.dlfo_map_start == libc.dlfo_map_start)
    return;
  recorder_allocator_start = (uint64_t)allocator.dlfo_map_start;
  recorder_allocator_size = (uint64_t)allocator.dlfo_map_end - recorder_allocator_start;
}

// At the rate 0 no block is in the sample. Where the set of sampled blocks cannot be had, memory is
// not recorded.
static unsigned start_blocks(void) {
  if (!settings.allocations || settings.sampling <= 0) return RECORDER_HEAP_OFF;
  recorder_heap_distance = trace_sampling_distance(settings.sampling);
  if (!recorder_heap_distance) return RECORDER_HEAP_ALL;
  if (sampled_blocks_reserve()) return RECORDER_HEAP_SAMPLED;
  message_say(1, "memory is not recorded: no address space for the sample", -1);
  return RECORDER_HEAP_OFF;
}

static void start_heap(void) {
  unsigned mode = start_blocks();
  recorder_families.mapping = mode != RECORDER_HEAP_OFF;
  if (mode != RECORDER_HEAP_ALL && lock_memory_start() && mode == RECORDER_HEAP_OFF)
    mode = RECORDER_HEAP_LOCKS;
  lock_sample_looks = recorder_is_sampled || lock_memory_kept;
  recorder_families.heap = (uint8_t)mode;
}

static void start_families(void) {
  start_heap();
  recorder_families.lock = recorder_families.thread = true;
  recorder_families.descriptor = recorder_families.process = true;
}

// The main thread's lane, and what code is mapped.
static void start_main_lane(void) {
  lane_t *lane = lanes_claim(0);
  if (!lane) return;
  lane->guard = UINTPTR_MAX;
  const stacks_sink_t sink = lane_sink(lane);
  stacks_modules_announce(&sink);
  lanes_give_stacks(lane);
  lane_leave(lane);
}

static void at_exit(int status, void *unused) {
  (void)unused;
  recorder_finish(status, TRACE_EXIT_NORMAL);
}

// Ticks in so many milliseconds, as far as is known: the rate of the counter is taken from CPUID
// (leaf 15H, or the hypervisor's 40000010H), else as 2.5 GHz. Good enough for a threshold; times in
// reports are fitted to the clocks.
static uint64_t start_ticks_of(double milliseconds) {
  const double ticks_in_ms = clock_is_tsc ? clock_khz() : 1e6;
  return (uint64_t)(milliseconds * ticks_in_ms);
}

static void start_recording(char *const arguments[]) {
  static beginning_t beginning;
  session_files_t *files = &beginning.files;
  files->arguments = arguments;
  if (!start_path(files)) {
    start_failed("INSPECT_OUTPUT", "not to be made an absolute path", start_path_fault(files));
    return;
  }
  session_prepare(files);
  recorder_is_sampled = settings.sampling < 1;
  if (!life_reserve() || !lanes_reserve(files->rings_max)) {
    start_failed(files->trace_path, "no address space for the recorder", -ENOMEM);
    return;
  }
  life_begin(0);
  if (!start_session(&beginning)) {
    start_failed(files->trace_path, beginning.what, beginning.result);
    return;
  }
  recorder_backtraces = settings.backtraces;
  recorder_wait_ticks = start_ticks_of(settings.wait_ms);
  recorder_stall_ticks = start_ticks_of(settings.stall_ms);
  recorder_told_ticks = start_ticks_of(LOOP_TOLD_MS);
  recorder_may_wait = settings.mode != SETTINGS_PRODUCTION;
  recorder_session = files->session;
  thread_key_create();
  start_main_lane();
  start_allocator();
  operators_start();
  descriptor_start();
  on_exit(at_exit, NULL);  // the first to be registered: the last to run
  start_families();
}

__attribute__((constructor(101))) static void start(int count, char **arguments,
                                                    char **environment) {
  (void)count;
  message_open();
  real_resolve();
  operators_resolve();
  if (!settings_read(&settings, environment) || !settings.enabled) return;
  confinement_inherited();
  clock_choose();
  start_recording(arguments);
}
