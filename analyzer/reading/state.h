// SPDX-License-Identifier: Apache-2.0
// The inside of a reader. For this folder only.
#ifndef ANALYZER_READING_STATE_H
#define ANALYZER_READING_STATE_H

#include "analyzer/reading/clock.h"
#include "analyzer/reading/join.h"
#include "analyzer/reading/lanes.h"
#include "analyzer/reading/reader.h"
#include "analyzer/reading/threads.h"

// Property that `recover` adds: the file stands for itself, whatever is found beside it.
#define READING_RECOVERED_KEY "recovered"

struct reader {
  reading_join_t *join;  // NULL: it reads one trace itself, else all else is empty
  reader_options_t options;
  reader_summary_t summary;
  memory_lines_t properties, warnings, arguments;
  reading_files_t files;
  reading_rings_t rings;
  reading_clock_t clock;
  // Of the session, of what its threads did without a writer, and of now where the process runs.
  reading_moment_t own_moments[3];
  size_t own_moment_count;
  reading_stacks_t stacks;
  reading_modules_t modules;
  reading_threads_t threads;

  reading_lane_t *lanes[TRACE_RINGS_MAX + 1];  // by number, NULL: nothing is known of it
  reading_lane_t **heap;  // lanes whose next record is ready, the earliest first
  size_t heap_count;
  uint64_t last_time;       // of the event before
  reading_lane_t *current;  // gave the event before; its record is used up
  reading_lane_t *chosen;   // has the next event, NULL: not looked for yet

  // From properties.
  char *rings_name;
  uint32_t slot;
  uint64_t start_time, start_ticks;
  bool clock_is_monotonic;
  uint64_t now_ticks;  // of a running process: when it was looked at
  bool restated;       // properties that follow have been given before

  uint64_t unknown_stacks;  // events that name a stack that no lane defined
  uint64_t malformed_facts;
  bool ended;                             // reader_next has returned 0
  bool notable[TRACE_KIND_LIMIT];         // reading_facts_note_event has something to do
  bool plain[TRACE_KIND_LIMIT];           // may stand in a run: see runs.h
  uint8_t ticks_words[TRACE_KIND_LIMIT];  // bit i: word i is TICKS
};

// Facts that must be known before times can be: all of lane 0's, except where they stand in time.
void reading_facts_note_early(reader_t *reader, const trace_record_t *record);
// A fact of any lane, where it stands. Sets what the lane knows.
void reading_facts_note(reader_t *reader, reading_lane_t *lane, uint64_t time);
// An event that is about to be given out: threads begin, end and are named.
void reading_facts_note_event(reader_t *reader, reading_lane_t *lane);
// The thread that has the lane at its end was quiet, or not.
void reading_facts_note_quiet(reader_t *reader, reading_lane_t *lane);
// The summary's strings, once the properties are known.
void reading_facts_summarize(reader_t *reader);

// The value of the first property with that key, NULL without.
const char *reading_facts_property(const reader_t *reader, const char *key);

// Copies of the rings, files and their index, whether the process lives. False with `error`.
bool reading_look(reader_t *reader, const char *path, char *error, size_t size);

#endif
