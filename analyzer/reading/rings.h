// SPDX-License-Identifier: Apache-2.0
// What is still in the rings beside a trace: the newest records of each thread, and the call it is
// in the middle of. The session file may be in use, or damaged; it is only ever read.
#ifndef ANALYZER_READING_RINGS_H
#define ANALYZER_READING_RINGS_H

#include "analyzer/reading/memory.h"
#include "formats/record.h"
#include "formats/session.h"

// The call a thread is in; `what` is TRACE_PENDING_NONE without.
typedef struct {
  uint32_t what, stack;
  uint64_t object, second, since;
} reading_pending_t;

// A copy of one ring of the process.
typedef struct {
  uint32_t lane;  // ring number + 1
  uint32_t tid, generation;
  uint64_t handle;
  bool owned;         // by a thread that has not ended
  bool quiet;         // a second look found it unchanged
  uint64_t from, to;  // positions of the words copied
  uint64_t *words;
  reading_pending_t pending;
  uint64_t waits, waited_ticks;
  uint64_t lost[TRACE_KIND_LIMIT];  // by the owner, and by a writer whose trace had stopped
  uint64_t taking;                  // where the file covers this, lost_taken[] of lost[] are in it
  uint32_t lost_taken[TRACE_KIND_LIMIT];
  uint64_t alone_ticks, alone_ns;  // a moment that its owner noted without a writer; 0: none
} reading_ring_t;

typedef struct {
  const uint8_t *map;  // the session file; NULL: none
  size_t size;
  uint32_t ring_limit;    // rings that may be looked at
  uint32_t slot;          // of the process
  reading_ring_t *rings;  // by lane, rising
  size_t count, capacity;
} reading_rings_t;

// Maps the session file. False where there is none, or (with a line in `warnings`) where it is not
// what it should be.
bool reading_rings_open(reading_rings_t *rings, const char *path, memory_lines_t *warnings);
void reading_rings_close(reading_rings_t *rings);

// Whether `slot` is the process with that pid and start time. Remembers the slot.
bool reading_rings_select(reading_rings_t *rings, uint32_t slot, uint32_t pid, uint64_t start_time);
// The slot whose trace is called `name` (without folder) is selected. False: there is none.
bool reading_rings_select_name(reading_rings_t *rings, const char *name);

const trace_process_t *reading_rings_process(const reading_rings_t *rings);
const trace_session_t *reading_rings_session(const reading_rings_t *rings);
// The writer lives, and has not completed the trace of the process yet.
bool reading_rings_writer_works(const reading_rings_t *rings);

// Copies the rings of the process. What was released to the file meanwhile is left out of the
// copy: who indexes the file afterwards has it there.
void reading_rings_copy(reading_rings_t *rings, memory_lines_t *warnings);
// The second look: marks the rings that did not change since they were copied.
void reading_rings_look_again(reading_rings_t *rings);

#endif
