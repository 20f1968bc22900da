// SPDX-License-Identifier: Apache-2.0
// The trace of one process: facts, blocks, limits, the end.
#include "preload/writer/stream.h"

#include "formats/sampling.h"
#include "formats/trace.h"
#include "preload/clock.h"
#include "preload/naming.h"
#include "preload/settings.h"
#include "preload/system.h"
#include "preload/writer/carry.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>

enum {
  STREAM_RESERVE = 256 << 10,    // disk space held for the end of the trace
  STREAM_CHECK_BYTES = 8 << 20,  // free space is looked at again after that much
  STREAM_DISK_SHARE = 20,        // recording stops below 1/20 of the disk,
};
static const uint64_t STREAM_FORGET_NS = 1000000000;
static const uint64_t STREAM_DISK_LEAST = (uint64_t)256 << 20;  // or below this

static stream_segment_t *segment_now(stream_t *stream) {
  return &stream->segments[stream->current];
}

// Holds disk space behind the end of the file for `size` bytes more and what has to be said when
// the disk is full. Asked before each block: one that did not fit would have used up what is held,
// and cutting it off again, as a seek table, gives all of it back. 0, or -errno.
static int segment_hold(stream_segment_t *segment, uint64_t size) {
  if (trace_writer_trim(&segment->out)) segment->held = 0;
  const uint64_t end = segment->out.offset + size + STREAM_RESERVE;
  if (end <= segment->held) return 0;
  const uint64_t to = end + STREAM_RESERVE;
  const int result = (int)system_call(SYS_fallocate, segment->fd, FALLOC_FL_KEEP_SIZE,
                                      segment->out.offset, to - segment->out.offset);
  if (result == 0) segment->held = to;
  return result;
}

// ---- facts of lane 0 -------------------------------------------------------------------------

void stream_fact(stream_t *stream, unsigned kind, uint64_t arg, int count, const uint64_t *words) {
  const size_t size = (size_t)count + 2;
  if (stream->facts_used + size > STREAM_FACTS_MAX) return;
  uint64_t *to = stream->facts + stream->facts_used;
  to[0] = trace_header(kind, true, 0, (uint32_t)arg);
  memcpy(to + 1, words, (size_t)count * sizeof *words);
  to[size - 1] = clock_ticks();
  stream->facts_used += size;
}

void stream_fact_text(stream_t *stream, const char *key, const char *value) {
  char text[TRACE_PATH_MAX + 128];
  uint64_t payload[(sizeof text + 7) / 8 + 2];
  size_t key_length = strlen(key), value_length = strlen(value);
  if (key_length > 100) key_length = 100;
  if (value_length > sizeof text - key_length - 1) value_length = sizeof text - key_length - 1;
  memcpy(text, key, key_length);
  text[key_length] = '=';
  memcpy(text + key_length + 1, value, value_length);
  const size_t words =
      trace_text_pack(payload, sizeof payload / 8, 0, text, key_length + 1 + value_length);
  stream_fact(stream, TRACE_PROPERTY, words, (int)words, payload);
}

static void fact_number(stream_t *stream, const char *key, uint64_t number) {
  char digits[21];
  naming_digits(digits, number);
  stream_fact_text(stream, key, digits);
}

// A number from 0 to a few thousands with four places, as settings have them, or up to nine where
// there is more behind.
static void fact_decimal(stream_t *stream, const char *key, double number) {
  char text[48];
  const uint64_t scaled = (uint64_t)(number * 1e9 + 0.5);
  size_t used = naming_digits(text, scaled / 1000000000);
  text[used++] = '.';
  uint64_t rest = scaled % 1000000000;
  for (uint64_t place = 100000000; place >= 100000 || rest > 0; rest %= place, place /= 10)
    text[used++] = (char)('0' + rest / place);
  text[used] = 0;
  stream_fact_text(stream, key, text);
}

void stream_flush_facts(stream_t *stream, const stream_memory_t *memory) {
  if (stream->facts_used == 0 || !stream->open) return;
  const uint64_t identity = trace_process_identity(stream->pid, stream->identity.start_time);
  trace_block_t block = {.lane = 0, .from = identity, .to = identity};
  const size_t size = trace_block_encode(stream->facts, stream->facts_used, memory->scratch,
                                         memory->content, &block);
  stream->facts_used = 0;
  if (size == 0) return;
  segment_hold(segment_now(stream), 0);
  trace_writer_append(&segment_now(stream)->out, &block, memory->content, size);
}

static uint64_t own_cpu_ns(void) {
  struct timespec used;
  if (system_failed(system_call(SYS_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, &used))) return 0;
  return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

// What the process has met by now that goes past the recorder.
static void fact_unseen(stream_t *stream) {
  static const struct {
    uint32_t bit;
    const char *text;
  } unseen[] = {
      {TRACE_UNSEEN_MALLOC,
       "heap: malloc is the program's own, or that of a library preloaded before this one"},
      {TRACE_UNSEEN_IO_URING, "io_uring: what the program hands to it is in no call"},
      {TRACE_UNSEEN_CONFINED, "the rest of the run: the program gave up all calls but four, or the "
                              "processor's clock (prctl)"},
  };
  const uint32_t met = atomic_load_explicit(&stream->process->unseen, memory_order_relaxed);
  for (size_t i = 0; i < sizeof unseen / sizeof *unseen; i++)
    if (met & ~stream->unseen_noted & unseen[i].bit)
      stream_fact_text(stream, TRACE_KEY_NOT_SEEN, unseen[i].text);
  stream->unseen_noted = met;
}

void stream_note_costs(stream_t *stream) {
  fact_unseen(stream);
  const uint64_t clocks[] = {clock_ticks(), clock_monotonic(), clock_realtime()};
  stream_fact(stream, TRACE_CLOCK, 0, 3, clocks);
  const uint64_t cpu = stream->slot == 0 ? own_cpu_ns() : stream->cpu_ns;
  const uint64_t costs[] = {cpu, stream->waits, stream->waited_ticks};
  stream_fact(stream, TRACE_OVERHEAD, 0, 3, costs);
}

// Its hash as "#" and 16 digits: the same text gives the same name.
static void redact(char name[18], const char *text) {
  const uint64_t hash = naming_hash(text, strlen(text));
  name[0] = '#';
  for (int i = 0; i < 16; i++) name[1 + i] = "0123456789abcdef"[hash >> (60 - 4 * i) & 15];
  name[17] = 0;
}

static void fact_argument(stream_t *stream, size_t index, const char *argument) {
  char name[18];
  redact(name, argument);
  stream_fact_text(stream, TRACE_KEY_ARGUMENT, settings.redact && index > 0 ? name : argument);
}

// A forked child may have given itself another title: /proc/PID/cmdline has its arguments, each
// ended by a zero. False where that is gone with the child.
static bool facts_of_title(stream_t *stream) {
  char path[64] = "/proc/", text[4096];
  naming_digits(path + 6, stream->pid);
  strcat(path, "/cmdline");
  const long file = system_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (system_failed(file)) return false;
  const long length = system_call(SYS_read, file, text, sizeof text - 1);
  system_call(SYS_close, file);
  if (length <= 0) return false;
  text[length] = 0;
  for (long at = 0; at < length; at += (long)strlen(text + at) + 1)
    fact_argument(stream, (size_t)at, text + at);
  return true;
}

static void facts_of_arguments(stream_t *stream, const session_files_t *files) {
  if (stream->slot > 0 && facts_of_title(stream)) return;
  for (size_t i = 0; files->arguments[i]; i++) fact_argument(stream, i, files->arguments[i]);
}

static void facts_of_host(stream_t *stream) {
  struct utsname names;
  if (system_failed(system_call(SYS_uname, &names))) return;
  stream_fact_text(stream, TRACE_KEY_HOST, names.nodename);
  stream_fact_text(stream, TRACE_KEY_KERNEL, names.release);
}

// The writer may use those that the program could when it began.
static void facts_of_processors(stream_t *stream) {
  uint64_t mask[128], count = 0;  // 8192 processors, as many as Linux can have
  const long size = system_call(SYS_sched_getaffinity, 0, sizeof mask, mask);
  for (long i = 0; i < size / (long)sizeof *mask; i++)
    count += (unsigned)__builtin_popcountll(mask[i]);
  if (count > 0) fact_number(stream, TRACE_KEY_PROCESSORS, count);
}

static void facts_of_heap(stream_t *stream) {
  if (!settings.allocations)
    stream_fact_text(stream, TRACE_KEY_NOT_SEEN, "heap: INSPECT_ALLOCATIONS=0");
  else if (settings.sampling <= 0)
    stream_fact_text(stream, TRACE_KEY_NOT_SEEN, "heap: INSPECT_SAMPLING=0");
  else if (settings.sampling < 1)
    fact_number(stream, TRACE_KEY_SAMPLING_BYTES, trace_sampling_distance(settings.sampling));
}

static void facts_of_run(stream_t *stream, const session_files_t *files) {
  fact_number(stream, TRACE_KEY_VERSION, TRACE_VERSION);
  stream_fact_text(stream, TRACE_KEY_RECORDER, INSPECT_VERSION);
  stream_fact_text(stream, TRACE_KEY_PROGRAM, files->program);
  facts_of_arguments(stream, files);
  fact_number(stream, TRACE_KEY_PID, stream->pid);
  const uint32_t parent = atomic_load(&stream->process->parent);
  if (parent) fact_number(stream, TRACE_KEY_PARENT, parent);
  stream_fact_text(stream, TRACE_KEY_MODE, settings_mode_name(settings.mode));
  fact_decimal(stream, TRACE_KEY_SAMPLING, settings.sampling);
  if (settings.sampling < 1) {
    fact_decimal(stream, TRACE_KEY_SAMPLING_LOCKS, settings.sampling);
    fact_decimal(stream, TRACE_KEY_SAMPLING_TASKS, settings.sampling);
  }
  facts_of_heap(stream);
  stream_fact_text(stream, TRACE_KEY_CLOCK, clock_is_tsc ? "tsc" : "monotonic");
  stream_fact_text(stream, TRACE_KEY_RINGS, naming_base(files->rings_path));
  fact_number(stream, TRACE_KEY_SLOT, stream->slot);
  fact_number(stream, TRACE_KEY_START_TIME, stream->identity.start_time);
  fact_number(stream, TRACE_KEY_START_TICKS, atomic_load(&stream->process->start_ticks));
  fact_decimal(stream, TRACE_KEY_STALL_MS, settings.stall_ms);
  fact_decimal(stream, TRACE_KEY_WAIT_MS, settings.wait_ms);
  if (!settings.backtraces)
    stream_fact_text(stream, TRACE_KEY_NOT_SEEN, "stacks: INSPECT_BACKTRACES=0");
  stream->unseen_noted = 0;
  facts_of_host(stream);
  facts_of_processors(stream);
  const trace_session_t *session = files->session;
  const uint64_t clocks[] = {session->ticks, session->monotonic_ns, session->realtime_ns};
  stream_fact(stream, TRACE_CLOCK, 0, 3, clocks);
}

// ---- opening ---------------------------------------------------------------------------------

static bool segment_open(stream_segment_t *segment, int fd, const stream_memory_t *memory) {
  memset(segment, 0, sizeof *segment);
  segment->fd = fd;
  return fd >= 0 && trace_writer_open_beside(&segment->out, fd, &memory->compressor) == 0;
}

static void segment_close(stream_segment_t *segment) {
  trace_writer_close(&segment->out);
  if (segment->fd >= 0) system_call(SYS_close, segment->fd);
  segment->fd = -1;
}

// The name of a forked child's trace: that of the first process with .PID; another .N where a
// trace of that name is there already (an earlier child with the same pid).
static int child_file(stream_t *stream, const session_files_t *files) {
  char stem[TRACE_PATH_MAX];
  if (!naming_insert(stem, sizeof stem, files->trace_path, stream->pid)) return -ENAMETOOLONG;
  strcpy(stream->path, stem);
  for (uint64_t n = 1;; n++) {
    const long file = system_call(SYS_openat, AT_FDCWD, stream->path,
                                  O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file != -EEXIST || n > 1000) return (int)file;
    if (!naming_insert(stream->path, sizeof stream->path, stem, n)) return -ENAMETOOLONG;
  }
}

bool stream_open(stream_t *stream, const session_files_t *files, uint32_t slot, int fd,
                 const stream_memory_t *memory) {
  memset(stream, 0, sizeof *stream);
  stream->slot = slot;
  stream->session = files->session;
  stream->process = &files->session->processes[slot];
  stream->pid = atomic_load(&stream->process->pid);
  stream->segments[1].fd = -1;
  if (fd < 0)
    fd = child_file(stream, files);
  else
    strcpy(stream->path, files->trace_path);
  if (!segment_open(&stream->segments[0], fd, memory)) {
    if (fd >= 0) segment_close(&stream->segments[0]);
    return false;
  }
  strcpy(stream->process->trace_path, stream->path);
  stream->pidfd = (int)system_call(SYS_pidfd_open, stream->pid, 0);
  if (slot == 0)
    stream->identity = files->identity;  // from before any exec
  else
    process_identify(stream->pid, &stream->identity);
  if (stream->identity.start_time == 0)  // gone, but it may have left word
    stream->identity.start_time = atomic_load(&stream->process->start_time);
  else if (!atomic_load(&stream->process->start_time))
    atomic_store(&stream->process->start_time, stream->identity.start_time);
  stream->open = true;
  stream->opened_at = clock_monotonic();
  segment_hold(&stream->segments[0], 0);
  facts_of_run(stream, files);
  stream_flush_facts(stream, memory);
  return true;
}

// ---- limits ----------------------------------------------------------------------------------

static bool disk_is_low(int fd) {
  struct statfs disk;
  if (system_failed(system_call(SYS_fstatfs, fd, &disk))) return false;
  const uint64_t free_bytes = disk.f_bavail * (uint64_t)disk.f_bsize;
  const uint64_t all_bytes = disk.f_blocks * (uint64_t)disk.f_bsize;
  const uint64_t share = all_bytes / STREAM_DISK_SHARE;
  return free_bytes < (share > STREAM_DISK_LEAST ? share : STREAM_DISK_LEAST);
}

void stream_stop(stream_t *stream, const char *why, const stream_memory_t *memory) {
  if (stream->stopped) return;
  stream->stopped = true;
  atomic_store(&stream->process->stopped, 1);
  stream_fact_text(stream, TRACE_KEY_WARNING, why);
  stream_flush_facts(stream, memory);
}

// What was carried over counts too, but a file gets at least a quarter of the limit besides: where
// little is allowed and there are many stacks, each block would begin a new file else.
static bool limit_half_used(const stream_segment_t *segment) {
  const uint64_t half = settings.max_size / 2, most = segment->carried + half / 2;
  return (settings.max_size && segment->out.offset >= (most > half ? most : half)) ||
         (settings.max_events && segment->events >= settings.max_events / 2);
}

// Lets the recorder record lock orders anew, for the file that has them will be dropped: not more
// often than once a second, so that what is met again and again does not fill one file after the
// other.
static void forget_orders(stream_t *stream) {
  const uint64_t now = clock_monotonic();
  if (now - stream->forgot_at < STREAM_FORGET_NS) return;
  stream->forgot_at = now;
  atomic_fetch_add(&stream->process->forget_orders, 1);
}

// Starts the second file, beginning with what is needed of the first once that has gone.
static bool segment_begin_new(stream_t *stream, const stream_memory_t *memory) {
  char path[TRACE_PATH_MAX + 8];
  naming_append(path, sizeof path, stream->path, SESSION_NEW_SUFFIX);
  const long file = system_call(SYS_openat, AT_FDCWD, path,
                                O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (system_failed(file)) return false;
  if (!segment_open(&stream->segments[1], (int)file, memory)) return false;
  segment_hold(&stream->segments[1], 0);
  carry_facts(&stream->segments[1].out, stream->segments[0].fd, memory);
  carry_lanes(&stream->segments[1].out, stream, memory);
  stream->segments[1].carried = stream->segments[1].out.offset;
  stream->current = 1;
  forget_orders(stream);
  return true;
}

// The counts so far: a LOST that is found twice, because facts are copied, still counts once.
static void report_dropped(stream_t *stream) {
  for (uint64_t kind = 0; kind < TRACE_KIND_LIMIT; kind++) {
    if (stream->dropped[kind] == stream->dropped_told[kind]) continue;
    const uint64_t words[] = {stream->dropped[kind], TRACE_LOST_LIMIT};
    stream_fact(stream, TRACE_LOST, kind, 2, words);
    stream->dropped_told[kind] = stream->dropped[kind];
  }
}

// The older file goes, the newer takes its name.
static void segment_drop_old(stream_t *stream) {
  char path[TRACE_PATH_MAX + 8];
  for (int kind = 0; kind < TRACE_KIND_LIMIT; kind++)
    stream->dropped[kind] += stream->segments[0].counts[kind];
  naming_append(path, sizeof path, stream->path, SESSION_NEW_SUFFIX);
  system_call(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, stream->path, 0);
  segment_close(&stream->segments[0]);
  stream->segments[0] = stream->segments[1];
  stream->segments[1].fd = -1;
  stream->current = 0;
  report_dropped(stream);
}

static void follow_rename(stream_t *stream) {
  if (strcmp(stream->path, stream->process->trace_path) == 0) return;
  memcpy(stream->path, stream->process->trace_path, sizeof stream->path);
  stream->path[sizeof stream->path - 1] = 0;
}

// Keeps the trace within its limits; called after each block.
static void keep_limits(stream_t *stream, const stream_memory_t *memory) {
  stream_segment_t *segment = segment_now(stream);
  if (limit_half_used(segment)) {
    follow_rename(stream);
    if (stream->current == 1) {
      segment_drop_old(stream);
      stream_flush_facts(stream, memory);
    }
    if (!segment_begin_new(stream, memory))
      stream_stop(stream, "recording stopped: no second file could be made", memory);
  }
  segment = segment_now(stream);
  if (segment->out.offset < stream->checked_bytes + STREAM_CHECK_BYTES &&
      segment->out.offset >= stream->checked_bytes)
    return;
  stream->checked_bytes = segment->out.offset;
  if (disk_is_low(segment->fd))
    stream_stop(stream, "recording stopped: less than 5 % of the disk or 256 MiB is free", memory);
}

bool stream_append(stream_t *stream, const trace_block_t *block, const uint8_t *content,
                   size_t size, const uint32_t *counts, const stream_memory_t *memory) {
  stream_segment_t *segment = segment_now(stream);
  int result = segment_hold(segment, trace_writer_bound(size));
  stream->finished = false;
  // What is said of a stopped stream goes where space is held for it.
  if ((result != -ENOSPC && result != -EDQUOT) || stream->stopped)
    result = trace_writer_append(&segment->out, block, content, size);
  if (result) {
    stream_stop(stream,
                result == -ENOSPC  ? "recording stopped: no space left on the disk"
                : result == -EFBIG ? "recording stopped: the limit on the size of files was reached"
                                   : "recording stopped: the trace could not be written",
                memory);
    return false;
  }
  if (counts) {
    segment->events += block->records;
    for (int kind = 0; kind < TRACE_KIND_LIMIT; kind++) segment->counts[kind] += counts[kind];
  }
  keep_limits(stream, memory);
  return true;
}

// ---- the end ---------------------------------------------------------------------------------

static bool copy_block(stream_segment_t *to, int from, const trace_block_place_t *place,
                       const stream_memory_t *memory) {
  const uint64_t size = TRACE_BLOCK_HEADER_SIZE + (uint64_t)place->compressed_size;
  if (size > trace_block_bound(TRACE_RING_WORDS)) return false;
  return system_call(SYS_pread64, from, memory->content, size, place->offset) == (long)size &&
         trace_writer_append_raw(&to->out, memory->content, size, place->content_size) == 0;
}

// Appends the newer file's blocks to the older one, so that one complete file is left.
static void segments_join(stream_t *stream, const stream_memory_t *memory) {
  char path[TRACE_PATH_MAX + 8];
  stream_segment_t *to = &stream->segments[0], *from = &stream->segments[1];
  uint64_t offset = 0;
  bool complete;
  trace_block_place_t place;
  while (trace_block_find(from->fd, &offset, &place, &complete) == TRACE_ERROR_NONE) {
    if (!copy_block(to, from->fd, &place, memory)) return;  // a reader takes both files together
  }
  naming_append(path, sizeof path, stream->path, SESSION_NEW_SUFFIX);
  system_call(SYS_unlinkat, AT_FDCWD, path, 0);
  segment_close(from);
  stream->current = 0;
}

void stream_finish(stream_t *stream, stream_end_t end, bool last, const stream_memory_t *memory) {
  if (!stream->open) return;
  follow_rename(stream);
  if (!stream->finished) {
    const uint64_t status = trace_zigzag(end.status);
    stream_note_costs(stream);
    stream_fact(stream, TRACE_END, (uint64_t)end.how, 1, &status);
    stream_flush_facts(stream, memory);
    if (!last || stream->current == 0) trace_writer_finish(&segment_now(stream)->out);
    stream->finished = true;
  }
  if (last && stream->current == 1) {
    segments_join(stream, memory);
    trace_writer_finish(&segment_now(stream)->out);
  }
  if (!last) return;
  // Gives back what segment_reserve held behind the end.
  const long size = system_call(SYS_lseek, stream->segments[0].fd, 0, SEEK_END);
  if (!system_failed(size)) system_call(SYS_ftruncate, stream->segments[0].fd, size);
  segment_close(&stream->segments[0]);
  if (stream->segments[1].fd >= 0) segment_close(&stream->segments[1]);
  if (stream->pidfd >= 0) system_call(SYS_close, stream->pidfd);
  stream->open = false;
}
