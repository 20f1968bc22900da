// SPDX-License-Identifier: Apache-2.0
// A trace as Chrome's JSON, which ui.perfetto.dev and chrome://tracing open: a track for each
// thread (what it waited for), each thread's turns of event loops, and the first tasks (when they
// ran); arrows for wake-ups; counters of live heap bytes and of what waits for pools. Bounded in
// size: see slices.h.
#ifndef ANALYZER_EXPORTS_PERFETTO_H
#define ANALYZER_EXPORTS_PERFETTO_H

#include <stdbool.h>
#include <stddef.h>

// Reads `trace` and writes `output`. False with one line in `error`.
bool perfetto_export(const char *trace, const char *output, char *error, size_t size);

#endif
