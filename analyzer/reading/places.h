// SPDX-License-Identifier: Apache-2.0
// The file behind an address of a process that still runs, where its writer has not looked yet.
#ifndef ANALYZER_READING_PLACES_H
#define ANALYZER_READING_PLACES_H

#include "analyzer/reading/reader.h"

// Fills in a LOCK_SHARED_AT of process `pid` from /proc/PID/maps, as the writer would.
void reading_place_fill(reader_event_t *event, uint32_t pid);

#endif
