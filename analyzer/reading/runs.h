// SPDX-License-Identifier: Apache-2.0
// Runs: events of one lane that follow each other in the order of all lanes. Most do: an event
// without a stamp of its own is at the time of the one before it, and no other lane's comes
// between.
#ifndef ANALYZER_READING_RUNS_H
#define ANALYZER_READING_RUNS_H

#include "analyzer/reading/state.h"

// Kinds that tell the reader nothing: all but facts, those with a payload, and the lives of
// threads.
void reading_runs_init(reader_t *reader);
// Reads on, in the lane of the event before, up to `limit` events that come before all of other
// lanes. 0: the next event may be any, and is read one by one.
size_t reading_runs_take(reader_t *reader, reader_event_t *events, size_t limit);

#endif
