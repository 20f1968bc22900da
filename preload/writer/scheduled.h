// SPDX-License-Identifier: Apache-2.0
// What the kernel counts of a process's threads: time on a processor, and runnable but on none.
#ifndef PRELOAD_WRITER_SCHEDULED_H
#define PRELOAD_WRITER_SCHEDULED_H

#include "preload/writer/stream.h"

// Asked of so many threads in one round, at about 4 us each. The others have their turn in the
// rounds that follow.
enum { SCHEDULED_THREADS_MAX = 64 };

// Whether a round is due `now` (monotonic ns): one a second; in a run of over 1,000 s one in each
// thousandth of it, so that these facts grow with the logarithm of its length.
bool scheduled_is_due(const stream_t *stream, uint64_t now);
// Adds a THREAD_SCHEDULED fact for the thread, unless it has not run since `*ran_told`, which is
// what was told of it last. False where the kernel does not tell (no /proc, no such counters).
bool scheduled_note(stream_t *stream, uint32_t tid, uint64_t *ran_told);

#endif
