// SPDX-License-Identifier: Apache-2.0
// A stream: the trace of one process as the writer writes it.
#ifndef PRELOAD_WRITER_STREAM_H
#define PRELOAD_WRITER_STREAM_H

#include "formats/container.h"
#include "preload/process.h"
#include "preload/session.h"

enum {
  STREAM_FACTS_MAX = 8192,  // words of lane-0 facts gathered for one block
  STREAM_LEVEL = 1,         // of zstd: the fastest that still compresses columns well
};

// A trace is at most two files: `path` and, once half of a limit is used, `path`.new. When the
// second half is used too, the newer file takes the older one's place, whose events are lost and
// counted: the newest are kept, at least half of what the limit allows.
typedef struct {
  int fd;
  trace_writer_t out;
  uint64_t held;     // offset; so far disk space is held for what may be written
  uint64_t carried;  // bytes it began with
  uint64_t events;   // in blocks with events
  uint64_t counts[TRACE_KIND_LIMIT];
} stream_segment_t;

typedef struct {
  const trace_session_t *session;
  trace_process_t *process;
  uint32_t slot, pid;
  int pidfd;  // -1: the process was gone when we looked
  process_identity_t identity;
  stream_segment_t segments[2];
  int current;  // index of the segment that is written to
  bool open, finished, stopped, pending_noted;
  uint32_t unseen_noted;               // bits of process->unseen that stand in this segment
  uint64_t cpu_ns;                     // of the writer, spent on this process
  uint64_t opened_at, scheduled_at;    // monotonic ns: begun; its threads were asked for last
  uint64_t forgot_at;                  // monotonic ns: lock orders were to be recorded anew last
  uint64_t waits, waited_ticks;        // of rings it had that others have now
  uint64_t dropped[TRACE_KIND_LIMIT];  // events that went with old segments, so far
  uint64_t dropped_told[TRACE_KIND_LIMIT];
  uint64_t checked_bytes;  // when the free space of the disk was looked at last
  uint64_t facts[STREAM_FACTS_MAX];
  size_t facts_used;
  char path[TRACE_PATH_MAX];
} stream_t;

// Memory that all streams share, given by writer_run.
typedef struct {
  void *scratch;             // trace_block_scratch(TRACE_RING_WORDS)
  uint8_t *content;          // trace_block_bound(TRACE_RING_WORDS)
  uint64_t *facts, *events;  // TRACE_RING_WORDS each, for a range taken apart
  trace_writer_t compressor;
} stream_memory_t;

// Opens the trace of a process: the file `fd` for the first one (already made), else a new file
// named after the first one's (fd -1). Writes the facts of the run. False where it cannot be
// opened: the process is then refused.
bool stream_open(stream_t *stream, const session_files_t *files, uint32_t slot, int fd,
                 const stream_memory_t *memory);
// Adds a fact to lane 0; it goes out with the next stream_flush_facts.
void stream_fact_text(stream_t *stream, const char *key, const char *value);
void stream_fact(stream_t *stream, unsigned kind, uint64_t arg, int count, const uint64_t *words);
void stream_flush_facts(stream_t *stream, const stream_memory_t *memory);
// The clocks now, and what recording has cost so far.
void stream_note_costs(stream_t *stream);

// Appends a block of a lane. `counts` (by kind) may be NULL for facts. False where it could not be
// written: the stream is stopped then, and says why in the trace as far as there is room.
bool stream_append(stream_t *stream, const trace_block_t *block, const uint8_t *content,
                   size_t size, const uint32_t *counts, const stream_memory_t *memory);
// Nothing more is to be written (disk full, a limit): says so. Its events are counted from here.
void stream_stop(stream_t *stream, const char *why, const stream_memory_t *memory);
// How a process has ended: TRACE_END_*, and the status of that END.
typedef struct {
  int how, status;
} stream_end_t;
// Writes END and the seek table. May be called again after more blocks. `last`: the process is
// gone, both segments become one file, and everything is closed.
void stream_finish(stream_t *stream, stream_end_t end, bool last, const stream_memory_t *memory);

#endif
