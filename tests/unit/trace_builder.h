// SPDX-License-Identifier: Apache-2.0
// Makes traces for tests: records by lane, written as blocks of a file, or left in the rings beside
// it as if the process had died or still ran. Everything that fails ends the test.
#ifndef TESTS_UNIT_TRACE_BUILDER_H
#define TESTS_UNIT_TRACE_BUILDER_H

#include "formats/container.h"
#include "formats/session.h"
#include "formats/trace.h"

typedef struct trace_builder trace_builder_t;

// A trace in a new temporary folder, beginning with the version and the properties of a process
// that began at tick 0, with clock=monotonic: ticks are ns from the start of the trace.
trace_builder_t *trace_builder_new(void);
// The same without any fact but the version: for tests of the facts themselves.
trace_builder_t *trace_builder_bare(void);
// Without any record.
trace_builder_t *trace_builder_empty(void);
// Removes the folder and what is in it.
void trace_builder_free(trace_builder_t *builder);
const char *trace_builder_path(const trace_builder_t *builder);  // of the trace
const char *trace_builder_folder(const trace_builder_t *builder);

// ---- records, appended to `lane` (lane 0: the writer's facts) ----
// `stamp` in ticks; TRACE_BUILDER_UNTIMED for none.
#define TRACE_BUILDER_UNTIMED UINT64_MAX
// One of a kind with fixed words; those that the kind does not have are ignored.
void trace_builder_record(trace_builder_t *builder, uint32_t lane, int kind, uint64_t stamp,
                          uint32_t stack, uint64_t arg, uint64_t word0, uint64_t word1,
                          uint64_t word2);
void trace_builder_payload(trace_builder_t *builder, uint32_t lane, int kind, uint64_t stamp,
                           uint32_t stack, const uint64_t *payload, size_t words);
void trace_builder_text(trace_builder_t *builder, uint32_t lane, int kind, uint64_t stamp,
                        uint64_t id, const char *text);
void trace_builder_property(trace_builder_t *builder, const char *text);  // "key=value", lane 0
void trace_builder_clock(trace_builder_t *builder, uint64_t ticks, uint64_t monotonic_ns,
                         uint64_t realtime_ns);
void trace_builder_module(trace_builder_t *builder, uint32_t lane, uint64_t stamp, uint64_t bias,
                          uint64_t start, uint64_t end, const uint8_t *build_id,
                          size_t build_id_length, const char *path);
// Defines stack `number` of `lane` as the `count` addresses, innermost first.
void trace_builder_stack(trace_builder_t *builder, uint32_t lane, uint32_t number,
                         const uint64_t *frames, size_t count);
void trace_builder_thread(trace_builder_t *builder, uint32_t lane, uint64_t stamp, uint32_t tid,
                          uint64_t handle, uint64_t routine);

// ---- where they go ----
// The records that `lane` was given since its last block become a block of the file.
void trace_builder_flush(trace_builder_t *builder, uint32_t lane);
// The next block of `lane` stands that many words further on: they are in another file.
void trace_builder_skip(trace_builder_t *builder, uint32_t lane, uint64_t words);
// The next block of `lane` stands at the positions of the last one again, as no recorder writes it.
void trace_builder_repeat(trace_builder_t *builder, uint32_t lane);
// All lanes are flushed, END (TRACE_END_*, exit status) and the seek table written. The last call.
void trace_builder_finish(trace_builder_t *builder, int how, int status);
// Fills the ring of `lane` with padding up to its end, so that the next record begins it again.
void trace_builder_pad(trace_builder_t *builder, uint32_t lane);
// What was not flushed stays in a session file beside the trace, as ring lane - 1 of process slot 0
// with this pid and start time (name the file in the property "rings"; new traces do). May be
// called again after more records. Lane 0 is flushed.
void trace_builder_rings(trace_builder_t *builder, uint32_t pid, uint64_t start_time);
// The rings as written last, mapped for the test to change; lane 1 and up. Until the next call of
// trace_builder_rings.
trace_session_t *trace_builder_session(trace_builder_t *builder);
trace_ring_t *trace_builder_ring(trace_builder_t *builder, uint32_t lane);

// pid and start time that the properties of a new trace name; no live process has them.
enum { TRACE_BUILDER_PID = 4242, TRACE_BUILDER_START_TIME = 77 };

#endif
