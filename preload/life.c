// SPDX-License-Identifier: Apache-2.0
// The process's place in the session: from its start or its fork, over an exec, to its exit.
#include "preload/life.h"

#include "preload/lane.h"
#include "preload/loop_sample.h"
#include "preload/message.h"
#include "preload/process.h"
#include "preload/system.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

enum {
  LIFE_EXIT_WAIT_NS = 50 * 1000 * 1000,
  LIFE_EXIT_WAIT_SHORT_NS = 4 * 1000 * 1000,
  LIFE_MOMENT_NS = 200 * 1000,
  LIFE_RINGS_SPARE = 2,
  LIFE_PAGE = 4096
};

// In a page of its own (MADV_WIPEONFORK). A vfork child shares it with its parent, as it does
// everything else.
typedef struct {
  int known;  // place + 1; 0: not registered yet, -1: there is no place
  uint32_t pid;
} life_t;
static life_t *life;
static uint64_t life_first_namespace;

// The place that this thread took for the child it is forking, + 1; 0: none. In the child it is
// still there, and counts from its first hook on: handlers of pthread_atfork may call some.
static __thread int fork_place __attribute__((tls_model("initial-exec")));

// The pid namespace as a number; 0 where /proc does not say.
static uint64_t life_namespace(void) {
  struct stat status;
  return system_failed(system_call(SYS_newfstatat, AT_FDCWD, "/proc/self/ns/pid", &status, 0))
             ? 0
             : (uint64_t)status.st_ino;
}

bool life_reserve(void) {
  const long result = system_call(SYS_mmap, NULL, LIFE_PAGE, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (system_failed(result)) return false;
  life = (life_t *)result;
  life_first_namespace = life_namespace();
  return !system_failed(system_call(SYS_madvise, life, LIFE_PAGE, MADV_WIPEONFORK));
}

void life_begin(int place) {
  life->pid = (uint32_t)system_call(SYS_getpid);
  life->known = place < 0 ? -1 : place + 1;
}

// ---- places ----------------------------------------------------------------------------------

// Before the place is taken, so that the writer sees every place that is.
static void place_announce(uint32_t place) {
  uint32_t used = atomic_load(&recorder_session->processes_used);
  while (used <= place &&
         !atomic_compare_exchange_weak(&recorder_session->processes_used, &used, place + 1)) {
  }
}

static int place_find(void) {
  for (int i = 1; i < TRACE_PROCESSES_MAX; i++) {
    place_announce((uint32_t)i);
    uint32_t expected = TRACE_PROCESS_FREE;
    trace_process_t *process = &recorder_session->processes[i];
    if (atomic_load_explicit(&process->state, memory_order_relaxed) != expected ||
        !atomic_compare_exchange_strong(&process->state, &expected, TRACE_PROCESS_CLAIMING))
      continue;
    atomic_store(&process->pid, 0);
    atomic_store(&process->start_time, 0);  // the writer finds it out
    atomic_store(&process->finish_wanted, 0);
    atomic_store(&process->unseen, 0);
    atomic_store(&process->finish_done, 0);
    return i;
  }
  return -1;
}

// A burst of forks may be faster than the writer frees the places of children that have ended.
static int place_take(void) {
  unsigned tries = 0;
  int place = place_find();
  while (place < 0 && recorder_wait_a_moment(&tries)) place = place_find();
  if (place < 0) atomic_fetch_add(&recorder_session->processes_unrecorded, 1);
  return place;
}

// Says whose place it is. Parent and child both do; the first one counts.
static void place_fill(int place, uint32_t pid, uint32_t parent) {
  trace_process_t *process = &recorder_session->processes[place];
  uint32_t nobody = 0;
  if (!atomic_compare_exchange_strong(&process->pid, &nobody, pid)) return;
  atomic_store(&process->parent, parent);
  atomic_store(&process->start_ticks, clock_ticks());
  atomic_store_explicit(&process->state, TRACE_PROCESS_NEW, memory_order_release);
  recorder_ring_bell();
}

int recorder_process(void) {
  if (likely(life && life->known > 0)) return life->known - 1;
  if (!recorder_session || life->known < 0) return -1;
  // A forked child; without a place where we were not called for the fork.
  const int place = fork_place ? fork_place - 1 : place_take();
  life_begin(place);
  // In a pid namespace of its own it does not know the pid that the writer knows it by: its parent
  // does.
  if (place >= 0 && !system_forbids(SYS_getpid) &&
      !(fork_place && life_namespace() != life_first_namespace))
    place_fill(place, life->pid, (uint32_t)system_call(SYS_getppid));
  return place;
}

int recorder_fork_prepare(void) {
  const int place = recorder_session ? place_take() : -1;
  fork_place = place + 1;
  return place;
}

void recorder_fork_parent(int place, pid_t child) {
  fork_place = 0;
  if (place < 0) return;
  if (child < 0)
    atomic_store(&recorder_session->processes[place].state, TRACE_PROCESS_FREE);
  else
    place_fill(place, (uint32_t)child, life->pid);
}

void recorder_fork_child(void) {
  recorder_process();
  fork_place = 0;
}

// ---- the writer --------------------------------------------------------------------------------

void recorder_ring_bell(void) {
  trace_session_t *session = recorder_session;
  atomic_fetch_add(&session->doorbell, 1);
  if (atomic_load(&session->writer_asleep))
    system_call(SYS_futex, &session->doorbell, FUTEX_WAKE, 1);
}

bool recorder_wait_a_moment(unsigned *tries) {
  const struct timespec moment = {0, LIFE_MOMENT_NS};
  if (!recorder_may_wait || !recorder_writer_lives()) return false;
  if (++*tries > LIFE_EXIT_WAIT_NS / LIFE_MOMENT_NS) return false;
  recorder_ring_bell();
  return system_call(SYS_nanosleep, &moment, NULL) != -EPERM;
}

bool recorder_writer_lives(void) {
  return !(atomic_load_explicit(&recorder_session->writer_life, memory_order_relaxed) &
           FUTEX_OWNER_DIED);
}

// ---- exec and exit -----------------------------------------------------------------------------

// Where getpid is forbidden there is no vfork either.
bool recorder_is_own(void) {
  if (!recorder_session || recorder_process() < 0) return false;
  const long pid = system_call(SYS_getpid);
  return life->pid == (uint32_t)pid || pid == -EPERM;
}

// In a vfork child the pid is another, and what it does is not its parent's end.
static trace_process_t *own_process(void) {
  return recorder_is_own() ? &recorder_session->processes[recorder_process()] : NULL;
}

void recorder_exec(bool begins) {
  trace_process_t *process = own_process();
  if (process) atomic_store(&process->exec_pending, begins ? 1 : 0);
}

// Whether the writer has to run before this process may end: it has yet to look up what is behind
// an address here, which can be told only while the process lives; or nearly all rings are in use,
// and the next child would find none.
static bool writer_is_needed(const trace_process_t *process) {
  const uint32_t slot = (uint32_t)(process - recorder_session->processes);
  const uint32_t ready = atomic_load(&recorder_session->rings_ready);
  uint32_t free_rings = 0;
  for (uint32_t i = 0; i < ready; i++) {
    const trace_ring_t *ring = (trace_ring_t *)((uint8_t *)recorder_session + TRACE_SESSION_SIZE +
                                                (size_t)i * TRACE_RING_STRIDE);
    if (atomic_load_explicit(&ring->state, memory_order_relaxed) == TRACE_RING_FREE)
      free_rings++;
    else if (atomic_load(&ring->places_wanted) != atomic_load(&ring->places_found) &&
             atomic_load_explicit(&ring->process, memory_order_relaxed) == slot)
      return true;
  }
  return free_rings < LIFE_RINGS_SPARE;
}

// How long an exit may wait for the trace to be completed. Whoever started the program is likely to
// look at it next, so it waits, but for no more than a part of its life: on a busy machine it takes
// that long until the writer runs, and a script of short commands would pay for each. What is not
// completed then is completed later, and so is what a forked child leaves.
static uint64_t exit_patience(const trace_process_t *process) {
  // The first process of a pid namespace takes the writer with it.
  if (life->pid == 1 || writer_is_needed(process)) return LIFE_EXIT_WAIT_NS;
  if (process != recorder_session->processes) return 0;
  const uint64_t lived = (clock_monotonic() - recorder_session->monotonic_ns) / 4;
  if (lived < LIFE_EXIT_WAIT_SHORT_NS) return LIFE_EXIT_WAIT_SHORT_NS;
  return lived < LIFE_EXIT_WAIT_NS ? lived : LIFE_EXIT_WAIT_NS;
}

// A child that ends before the writer has looked at it: nobody could find this out afterwards.
static void identity_leave(trace_process_t *process) {
  process_identity_t identity;
  if (process != recorder_session->processes && !atomic_load(&process->start_time) &&
      process_identify(0, &identity))
    atomic_store(&process->start_time, identity.start_time);
}

static void finish_await(trace_process_t *process, uint32_t wanted) {
  const uint64_t patience = exit_patience(process), until = clock_monotonic() + patience;
  uint32_t done;
  while (patience > 0 && (done = atomic_load(&process->finish_done)) != wanted &&
         recorder_writer_lives()) {
    const uint64_t now = clock_monotonic();
    if (now >= until) break;
    const struct timespec left = {0, (long)(until - now)};
    if (system_call(SYS_futex, &process->finish_done, FUTEX_WAIT, done, &left) == -EPERM) break;
  }
}

void recorder_finish(int status, unsigned how) {
  trace_process_t *process = recorder_families.process ? own_process() : NULL;
  if (!process) return;
  const uint64_t cfa = (uint64_t)__builtin_frame_address(0);
  const stacks_origin_t origin = {0, cfa, 0};
  lane_t *lane = lane_enter(&origin, TRACE_EXIT);
  recorder_may_wait = true;  // of the last words nothing is dropped, in no mode
  if (lane) {
    loop_sample_flush(lane);
    lane_record1(lane, TRACE_EXIT, 0, trace_zigzag(status), how);
    lane_leave(lane);
  }
  atomic_store(&process->exit_status, status);
  atomic_store(&process->exit_how, how);
  atomic_store(&process->exit_known, 1);
  identity_leave(process);
  const uint32_t wanted = atomic_fetch_add(&process->finish_wanted, 1) + 1;
  recorder_ring_bell();
  finish_await(process, wanted);
  if (atomic_load(&process->stopped))
    message_say(1, "recording stopped before the end: the trace says why", -1);
}
