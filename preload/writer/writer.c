// SPDX-License-Identifier: Apache-2.0
// The writer's life: it sleeps until a ring should be half full or something happened, looks at
// every process and every ring, and ends when all its processes have.
#include "preload/writer/writer.h"

#include "formats/trace.h"
#include "preload/clock.h"
#include "preload/naming.h"
#include "preload/settings.h"
#include "preload/system.h"
#include "preload/writer/descriptors.h"
#include "preload/writer/drain.h"
#include "preload/writer/scheduled.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

enum {
  // Pauses: the shortest; while much comes; the longest, which is reached by doubling while little
  // comes. The first of two is that where everything is kept, the second that where it is sampled.
  // A round costs 10 to 40 us, most of it for waking up.
  WRITER_PAUSE_LEAST_NS = 20 * 1000,
  WRITER_PAUSE_NS = 5 * 1000 * 1000,
  WRITER_PAUSE_SAMPLED_NS = 20 * 1000 * 1000,
  WRITER_PAUSE_MOST_NS = 40 * 1000 * 1000,
  WRITER_PAUSE_MOST_SAMPLED_NS = 80 * 1000 * 1000,
  WRITER_SLACK_NS = 5 * 1000,  // how late the kernel may end one
  WRITER_MUCH = 64,            // words in WRITER_PAUSE_NS
  // A ring is taken in from TAKE on. The writer wakes by itself when it expects DUE; an owner rings
  // the bell a good deal later, if that expectation was wrong.
  WRITER_TAKE = TRACE_RING_WORDS * 7 / 16,
  WRITER_DUE = TRACE_RING_WORDS / 2,
  WRITER_SPARE_RINGS = 3,
  // So many at once, at most: on a tmpfs each is zeroed as it is made, and threads wait meanwhile.
  WRITER_RINGS_STEP = 64,
  WRITER_LINGERS = 750,  // a minute
};
static const uint64_t WRITER_FLUSH_NS = 1000000000;  // nothing stays in a ring for longer

typedef struct {
  session_files_t files;
  trace_session_t *session;
  stream_memory_t memory;
  stream_t *streams[TRACE_PROCESSES_MAX];
  drain_state_t *rings;  // one for each
  uint32_t rings_wanted_seen;
  uint32_t scheduled_next;  // ring whose owner is asked for first
  uint32_t unrecorded_noted[2];
  uint64_t flushed_at;
  uint64_t round_at, elapsed;  // monotonic ns: this round, and since the one before
  uint64_t pause;              // ns: the last one, as far as no ring was expected to fill
  uint64_t due;                // ns from this round on until the first ring will be half full
  bool much;                   // came in this round
  bool grown_out;              // no space for more rings
} writer_t;

static writer_t *writer;  // in mapped memory

// The robust futex list of this process: one entry, session->writer_life. When the writer dies the
// kernel marks it (robust_futexes.rst, get_robust_list(2)).
static struct { struct robust_list_head head; } writer_robust;

static trace_ring_t *writer_ring(uint32_t index) {
  return (trace_ring_t *)((uint8_t *)writer->session + TRACE_SESSION_SIZE +
                          (size_t)index * TRACE_RING_STRIDE);
}

static uint32_t writer_rings_ready(void) {
  return atomic_load_explicit(&writer->session->rings_ready, memory_order_relaxed);
}

// ---- becoming a process of its own -----------------------------------------------------------

// Opens the rings anew and lets go of the mapping it was born with, so that whoever still has that
// one can be told (see family_has_gone).
static void remap_rings(void) {
  const size_t size = TRACE_SESSION_SIZE + (size_t)writer->files.rings_max * TRACE_RING_STRIDE;
  const long file =
      system_call(SYS_openat, AT_FDCWD, writer->files.rings_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (system_failed(file)) return;
  const long memory =
      system_call(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (system_failed(memory)) {
    system_call(SYS_close, file);
    return;
  }
  system_call(SYS_madvise, memory, size, MADV_RANDOM);
  system_call(SYS_munmap, writer->session, size);
  system_call(SYS_close, writer->files.rings_fd);
  writer->session = writer->files.session = (trace_session_t *)memory;
  writer->files.rings_fd = (int)file;
}

// True where no other process has the rings mapped: then, and only then, the kernel grants a write
// lease (fcntl(2), F_SETLEASE). A child forked behind our back, by daemon(3) say, may live and yet
// have called nothing that would have made it known.
static bool family_has_gone(void) {
  const long result = system_call(SYS_fcntl, writer->files.rings_fd, F_SETLEASE, F_WRLCK);
  return result != -EAGAIN;
}

static void stand_apart(void) {
  system_call(SYS_setpgid, 0, 0);  // what ends the program's group need not end its record
  system_call(SYS_prctl, PR_SET_NAME, "inspect-writer", 0, 0, 0);
  system_call(SYS_prctl, PR_SET_TIMERSLACK, WRITER_SLACK_NS, 0, 0, 0);
  system_call(SYS_chdir, "/");  // holds no folder of the program
  const uint32_t tid = (uint32_t)system_call(SYS_gettid);
  // The entry's address plus futex_offset is the futex; a list of one that ends where it began.
  struct robust_list *entry = (struct robust_list *)&writer->session->writer_life_link;
  writer_robust.head.list.next = entry;
  writer_robust.head.futex_offset = (long)offsetof(trace_session_t, writer_life) -
                                    (long)offsetof(trace_session_t, writer_life_link);
  writer_robust.head.list_op_pending = NULL;
  entry->next = &writer_robust.head.list;
  atomic_store(&writer->session->writer_life, tid);
  system_call(SYS_set_robust_list, &writer_robust.head, sizeof writer_robust.head);
}

static bool writer_make(const session_files_t *files) {
  writer = system_map(sizeof *writer);
  if (!writer) return false;
  writer->files = *files;
  writer->session = files->session;
  writer->memory.scratch = system_map(trace_block_scratch(TRACE_RING_WORDS));
  writer->memory.content = system_map(trace_block_bound(TRACE_RING_WORDS));
  writer->memory.facts = system_map(TRACE_RING_WORDS * sizeof(uint64_t));
  writer->memory.events = system_map(TRACE_RING_WORDS * sizeof(uint64_t));
  writer->rings = system_map(files->rings_max * sizeof *writer->rings);
  return writer->memory.scratch && writer->memory.content && writer->memory.facts &&
         writer->memory.events && writer->rings &&
         trace_writer_prepare(&writer->memory.compressor, trace_block_bound(TRACE_RING_WORDS),
                              STREAM_LEVEL) == 0;
}

// ---- processes -------------------------------------------------------------------------------

static void process_refuse(trace_process_t *process) {
  atomic_store(&process->stopped, 1);
  atomic_fetch_add(&writer->session->processes_unrecorded, 1);
  atomic_store(&process->state, TRACE_PROCESS_REFUSED);
}

static void process_register(uint32_t slot) {
  trace_process_t *process = &writer->session->processes[slot];
  const int fd = slot == 0 ? writer->files.trace_fd : -1;
  stream_t *stream = system_map(sizeof *stream);
  if (!stream) {
    process_refuse(process);
    return;
  }
  writer->streams[slot] = stream;
  if (!stream_open(stream, &writer->files, slot, fd, &writer->memory)) {
    process_refuse(process);
    return;
  }
  uint64_t from_nothing = 0;  // an image that an exec began goes on counting
  scheduled_note(stream, stream->pid, &from_nothing);
  atomic_store_explicit(&process->state, TRACE_PROCESS_ACTIVE, memory_order_release);
}

static bool process_has_died(const stream_t *stream) {
  if (stream->pidfd < 0) return !process_lives(stream->pid, stream->identity.start_time);
  struct pollfd waited = {.fd = stream->pidfd, .events = POLLIN};
  const struct timespec now = {0, 0};
  return system_call(SYS_ppoll, &waited, 1, &now, NULL, 0) > 0;
}

// Another image runs in the process: its new recorder said so, or its stack is another.
static bool process_has_exec(const stream_t *stream, bool look) {
  const uint32_t pending = atomic_load(&stream->process->exec_pending);
  if (pending == UINT32_MAX) return true;
  if (pending == 0 && !look) return false;
  process_identity_t now;
  return stream->identity.start_stack && process_identify(stream->pid, &now) && now.start_stack &&
         now.start_stack != stream->identity.start_stack;
}

static uint64_t process_cpu_ns(void) {
  struct timespec used;
  system_call(SYS_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, &used);
  return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

// When the ring will be half full, if it goes on filling at its pace.
static void ring_pace(const trace_ring_t *ring, drain_state_t *state, uint64_t head) {
  const uint64_t grown = head - state->head_seen;
  const uint64_t waiting = atomic_load_explicit(&ring->head, memory_order_relaxed) -
                           atomic_load_explicit(&ring->tail, memory_order_relaxed);
  state->head_seen = head;
  if (grown * WRITER_PAUSE_NS > WRITER_MUCH * writer->elapsed) writer->much = true;
  if (grown == 0 || waiting > TRACE_RING_WORDS) return;
  const uint64_t left = waiting < WRITER_DUE ? WRITER_DUE - waiting : 0;
  const uint64_t due = left * writer->elapsed / grown;
  if (due < writer->due) writer->due = due;
}

// Takes in all rings of a process; with `all` false only those that are filled well.
static uint64_t process_drain(uint32_t slot, bool all) {
  stream_t *stream = writer->streams[slot];
  uint64_t words = 0;
  const uint64_t before = slot == 0 ? 0 : process_cpu_ns();
  for (uint32_t i = 0; i < writer_rings_ready(); i++) {
    trace_ring_t *ring = writer_ring(i);
    const uint32_t state = atomic_load_explicit(&ring->state, memory_order_acquire);
    if (state != TRACE_RING_OWNED && state != TRACE_RING_RELEASED) continue;
    if (atomic_load_explicit(&ring->process, memory_order_relaxed) != slot) continue;
    const uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    const uint64_t waiting = head - atomic_load_explicit(&ring->tail, memory_order_relaxed);
    // Pairs with the owner's release: that far, its records are below the head.
    const uint32_t places = atomic_load_explicit(&ring->places_wanted, memory_order_acquire);
    const uint32_t found = atomic_load_explicit(&ring->places_found, memory_order_relaxed);
    if (all || places != found || waiting >= WRITER_TAKE)
      words += drain_ring(stream, ring, i + 1, &writer->rings[i], &writer->memory);
    if (places != found) atomic_store(&ring->places_found, places);
    ring_pace(ring, &writer->rings[i], head);
  }
  if (slot > 0 && words > 0) stream->cpu_ns += process_cpu_ns() - before;
  return words;
}

// The next owner counts from zero.
static void ring_free(trace_ring_t *ring) {
  for (int kind = 0; kind < TRACE_KIND_LIMIT; kind++) {
    atomic_store(&ring->lost[kind], 0);
    atomic_store(&ring->discarded[kind], 0);
  }
  atomic_store(&ring->discarded_total, 0);
  atomic_store(&ring->lost_total, 0);
  atomic_store(&ring->waits, 0);
  atomic_store(&ring->waited_ticks, 0);
  atomic_store(&ring->pending_what, TRACE_PENDING_NONE);
  atomic_store(&ring->places_found, atomic_load(&ring->places_wanted));
  atomic_store(&ring->tail, atomic_load(&ring->head));
  atomic_store_explicit(&ring->state, TRACE_RING_FREE, memory_order_release);
}

// How long its threads have run and waited for a processor; some of them where there are many.
static void process_note_scheduled(uint32_t slot) {
  stream_t *stream = writer->streams[slot];
  const uint32_t count = writer_rings_ready();
  unsigned left = SCHEDULED_THREADS_MAX;
  stream->scheduled_at = clock_monotonic();
  for (uint32_t i = 0; i < count && left > 0; i++) {
    const uint32_t index = (writer->scheduled_next + i) % count;
    const trace_ring_t *ring = writer_ring(index);
    if (atomic_load_explicit(&ring->state, memory_order_acquire) != TRACE_RING_OWNED ||
        atomic_load_explicit(&ring->process, memory_order_relaxed) != slot)
      continue;
    scheduled_note(stream, ring->tid, &writer->rings[index].ran_ns);
    if (--left == 0) writer->scheduled_next = index + 1;
  }
}

// What its threads have dropped. A stopped stream is told only here, at its end.
static void process_note_losses(uint32_t slot) {
  for (uint32_t i = 0; i < writer_rings_ready(); i++) {
    const trace_ring_t *ring = writer_ring(i);
    const uint32_t state = atomic_load(&ring->state);
    if ((state == TRACE_RING_OWNED || state == TRACE_RING_RELEASED) &&
        atomic_load(&ring->process) == slot)
      drain_losses(writer->streams[slot], ring, i + 1, &writer->rings[i], true, &writer->memory);
  }
}

// What its threads are in the middle of, told once: as the process asks for its trace to be
// completed, or when it is gone.
static void process_note_pending(uint32_t slot) {
  stream_t *stream = writer->streams[slot];
  if (stream->pending_noted) return;
  stream->pending_noted = true;
  for (uint32_t i = 0; i < writer_rings_ready(); i++) {
    trace_ring_t *ring = writer_ring(i);
    if (atomic_load(&ring->state) == TRACE_RING_OWNED && atomic_load(&ring->process) == slot)
      drain_pending(stream, ring, i + 1, &writer->memory);
  }
}

// What this session could not record at all, for the trace of its first process.
static void process_note_unrecorded(uint32_t slot) {
  const uint32_t counts[] = {atomic_load(&writer->session->calls_unrecorded),
                             atomic_load(&writer->session->processes_unrecorded)};
  static const char *const texts[] = {" calls of threads that found no ring are missing",
                                      " child processes were not recorded"};
  for (int i = 0; i < 2 && slot == 0; i++) {
    if (counts[i] == writer->unrecorded_noted[i]) continue;
    char text[128];
    naming_digits(text, counts[i]);
    strcat(text, texts[i]);
    stream_fact_text(writer->streams[slot], TRACE_KEY_WARNING, text);
    const uint64_t words[] = {counts[i] - writer->unrecorded_noted[i], TRACE_LOST_NO_RING};
    if (i == 0) stream_fact(writer->streams[slot], TRACE_LOST, 0, 2, words);
    writer->unrecorded_noted[i] = counts[i];
  }
}

// How a process that is gone has ended. One that died with an exec under way did so as another
// image (a failed exec takes its announcement back).
static stream_end_t end_of(const trace_process_t *process, bool replaced) {
  if (replaced || atomic_load(&process->exec_pending)) return (stream_end_t){TRACE_END_EXEC, -1};
  if (!atomic_load(&process->exit_known)) return (stream_end_t){TRACE_END_DIED, -1};
  return (stream_end_t){TRACE_END_EXIT, atomic_load(&process->exit_status)};
}

// Of one that ended without a word the kernel may tell how: by a signal, or by a system call that
// went past the recorder.
static void end_ask(const stream_t *stream, stream_end_t *end) {
  int status;
  if (end->how != TRACE_END_DIED ||
      !process_outcome(stream->pid, stream->identity.start_time, stream->pidfd, &status))
    return;
  if (WIFEXITED(status))
    *end = (stream_end_t){TRACE_END_EXIT, WEXITSTATUS(status)};
  else
    end->status = TRACE_END_SIGNAL + WTERMSIG(status);
}

// The process is gone: everything it left goes into its trace, its rings and its slot are free.
static void process_end(uint32_t slot, bool replaced) {
  stream_t *stream = writer->streams[slot];
  stream_end_t end = end_of(stream->process, replaced);
  end_ask(stream, &end);
  process_drain(slot, true);
  process_note_losses(slot);
  process_note_pending(slot);
  for (uint32_t i = 0; i < writer_rings_ready(); i++) {
    trace_ring_t *ring = writer_ring(i);
    const uint32_t state = atomic_load(&ring->state);
    if (state == TRACE_RING_FREE || atomic_load(&ring->process) != slot) continue;
    memset(&writer->rings[i], 0, sizeof writer->rings[i]);
    ring_free(ring);
  }
  process_note_unrecorded(slot);
  stream_finish(stream, end, true, &writer->memory);
  system_call(SYS_munmap, stream, sizeof *stream);
  writer->streams[slot] = NULL;
  trace_process_t *process = &writer->session->processes[slot];
  atomic_store(&process->exit_known, 0);
  atomic_store(&process->exec_pending, 0);
  atomic_store(&process->stopped, 0);
  // Slot 0 keeps its place: its name is what the children's are made from.
  atomic_store(&process->state, slot == 0 ? TRACE_PROCESS_ENDED : TRACE_PROCESS_FREE);
}

// Everything is in the traces: the rings have done their work.
static void rings_remove(void) { system_call(SYS_unlinkat, AT_FDCWD, writer->files.rings_path, 0); }

// The first process of a pid namespace takes every other with it when it ends, this one included:
// what is to be done then has to be done before.
static bool ends_with(uint32_t slot) {
  if (atomic_load(&writer->session->processes[slot].pid) != 1) return false;
  for (uint32_t i = 0; i < TRACE_PROCESSES_MAX; i++) {
    const uint32_t state = atomic_load(&writer->session->processes[i].state);
    if (i != slot && state != TRACE_PROCESS_FREE && state != TRACE_PROCESS_ENDED) return false;
  }
  return true;
}

static void answer_finish(uint32_t slot) {
  trace_process_t *process = &writer->session->processes[slot];
  const uint32_t wanted = atomic_load_explicit(&process->finish_wanted, memory_order_acquire);
  if (wanted == atomic_load(&process->finish_done)) return;
  process_drain(slot, true);
  process_note_scheduled(slot);
  process_note_losses(slot);
  process_note_pending(slot);
  process_note_unrecorded(slot);
  stream_finish(writer->streams[slot], end_of(process, false), false, &writer->memory);
  if (ends_with(slot)) rings_remove();
  atomic_store_explicit(&process->finish_done, wanted, memory_order_release);
  system_call(SYS_futex, &process->finish_done, FUTEX_WAKE, INT32_MAX);
}

// Looks at one slot; adds the words it took. True while the process lives.
static bool process_visit(uint32_t slot, bool flush, uint64_t *words) {
  trace_process_t *process = &writer->session->processes[slot];
  uint32_t state = atomic_load_explicit(&process->state, memory_order_acquire);
  if (state == TRACE_PROCESS_NEW) {
    process_register(slot);
    state = atomic_load(&process->state);
  }
  if (state == TRACE_PROCESS_REFUSED)
    return process_lives(atomic_load(&process->pid), atomic_load(&process->start_time));
  if (state != TRACE_PROCESS_ACTIVE) return state == TRACE_PROCESS_CLAIMING;
  stream_t *stream = writer->streams[slot];
  // Asked before the rings are looked at: what it wrote until it died is below their heads now.
  const bool died = process_has_died(stream), replaced = !died && process_has_exec(stream, flush);
  if (died || replaced) {
    process_end(slot, replaced);
    return false;
  }
  const uint64_t taken = process_drain(slot, flush);
  *words += taken;
  if (flush && !stream->finished && !stream->stopped &&
      scheduled_is_due(stream, writer->flushed_at))
    process_note_scheduled(slot);
  if (flush && taken > 0 && !stream->stopped) stream_note_costs(stream);
  if (flush && !stream->finished) stream_flush_facts(stream, &writer->memory);
  answer_finish(slot);
  return true;
}

// ---- rings -----------------------------------------------------------------------------------

static uint32_t rings_free(void) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < writer_rings_ready(); i++)
    count += atomic_load_explicit(&writer_ring(i)->state, memory_order_relaxed) == TRACE_RING_FREE;
  return count;
}

// Keeps rings ready ahead, so that no thread has to do without.
static void keep_spare_rings(void) {
  const uint32_t wanted = atomic_load(&writer->session->rings_wanted);
  if (writer->grown_out || wanted == writer->rings_wanted_seen) return;
  writer->rings_wanted_seen = wanted;
  if (rings_free() >= WRITER_SPARE_RINGS) return;
  const uint32_t ready = writer_rings_ready();
  uint32_t count = ready < 8 ? 16 : ready * 2;
  if (count > ready + WRITER_RINGS_STEP) count = ready + WRITER_RINGS_STEP;
  if (count > writer->session->rings_max) count = writer->session->rings_max;
  if (count == ready || session_grow(writer->files.rings_fd, count) != 0) {
    writer->grown_out = true;
    return;
  }
  atomic_store_explicit(&writer->session->rings_ready, count, memory_order_release);
}

// ---- the loop --------------------------------------------------------------------------------

// How long to sleep: less where much has come, and longer from round to round where little has.
static uint64_t writer_pause(void) {
  const bool sampled = settings.sampling < 1;
  const uint64_t pause = sampled ? WRITER_PAUSE_SAMPLED_NS : WRITER_PAUSE_NS;
  const uint64_t most = sampled ? WRITER_PAUSE_MOST_SAMPLED_NS : WRITER_PAUSE_MOST_NS;
  writer->pause = writer->much || !writer->pause ? pause : 2 * writer->pause;
  if (writer->pause > most) writer->pause = most;
  if (writer->due > writer->pause) return writer->pause;
  return writer->due > WRITER_PAUSE_LEAST_NS ? writer->due : WRITER_PAUSE_LEAST_NS;
}

static void writer_sleep(uint32_t bell) {
  const struct timespec pause = {0, (long)writer_pause()};
  // Pairs with recorder_ring_bell: it changes the bell, then looks at writer_asleep.
  atomic_store(&writer->session->writer_asleep, 1);
  system_call(SYS_futex, &writer->session->doorbell, FUTEX_WAIT, bell, &pause);
  atomic_store(&writer->session->writer_asleep, 0);
}

// One round over everything. False when no process is left.
static bool writer_round(void) {
  atomic_fetch_add_explicit(&writer->session->beat, 1, memory_order_relaxed);
  const uint64_t now = clock_monotonic();
  const bool flush = now - writer->flushed_at >= WRITER_FLUSH_NS;
  if (flush) writer->flushed_at = now;
  writer->elapsed = writer->round_at ? now - writer->round_at : 0;
  writer->round_at = now;
  writer->due = UINT64_MAX;
  writer->much = false;
  uint64_t words = 0;
  bool lives = false;
  const uint32_t used = atomic_load(&writer->session->processes_used);
  // The first process last: when it ends, what its children have left is done.
  for (uint32_t slot = used < TRACE_PROCESSES_MAX ? used : TRACE_PROCESSES_MAX; slot-- > 0;) {
    // At every step: in a burst of forks a round takes long, and threads wait for rings meanwhile.
    keep_spare_rings();
    lives |= process_visit(slot, flush, &words);
  }
  return lives;
}

_Noreturn void writer_run(session_files_t *files) {
  if (!writer_make(files)) system_call(SYS_exit_group, 1);
  remap_rings();
  // A pipe of the program held open here would hang its reader.
  descriptors_close_but(writer->files.trace_fd, writer->files.rings_fd);
  stand_apart();
  for (unsigned lingers = 0; lingers < WRITER_LINGERS;) {
    const uint32_t bell = atomic_load(&writer->session->doorbell);
    if (writer_round())
      lingers = 0;
    else if (family_has_gone())
      break;
    else
      lingers++;
    writer_sleep(bell);
  }
  rings_remove();
  for (;;) system_call(SYS_exit_group, 0);
}

void writer_write_facts_only(session_files_t *files) {
  if (!writer_make(files)) return;
  stream_t *stream = system_map(sizeof *stream);
  if (!stream || !stream_open(stream, files, 0, files->trace_fd, &writer->memory)) return;
  stream_fact_text(stream, "warning",
                   "the writer could not be started: only the newest events are kept");
  stream_flush_facts(stream, &writer->memory);
  trace_writer_close(&stream->segments[0].out);
  if (stream->pidfd >= 0) system_call(SYS_close, stream->pidfd);
}
