// SPDX-License-Identifier: Apache-2.0
// What the second file of a bounded trace begins with: the facts of the first that still matter.
#ifndef PRELOAD_WRITER_CARRY_H
#define PRELOAD_WRITER_CARRY_H

#include "preload/writer/stream.h"

// Copies from the trace `from` (its file) what stands in blocks that cover no positions: all but
// what newer facts have replaced, and stacks whose numbers are not used any more (the newest
// STACKS_WINDOW of a lane may be). So what is carried does not grow with the age of a trace. Uses
// memory->scratch, ->content and ->facts; maps memory of its own for the time it takes.
void carry_facts(trace_writer_t *to, int from, const stream_memory_t *memory);

// Says in `to` who has the lanes of the process now (THREAD_START among the facts, and the names of
// those that have one of their own), for their beginnings will have gone when `to` is the older
// file.
void carry_lanes(trace_writer_t *to, const stream_t *stream, const stream_memory_t *memory);

#endif
