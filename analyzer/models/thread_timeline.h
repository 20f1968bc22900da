// SPDX-License-Identifier: Apache-2.0
// What a thread did when: its states, in six parts, over the time of the run.
#ifndef ANALYZER_MODELS_THREAD_TIMELINE_H
#define ANALYZER_MODELS_THREAD_TIMELINE_H

#include "analyzer/models/threads.h"
#include "analyzer/models/timeline.h"

// PART(NAME, key, letter in drawings, what it is)
#define THREAD_PART_TABLE(PART)                                                                    \
  PART(RUNNING, "running", 'R', "running")                                                         \
  PART(LOCK, "lock", 'L', "lock")                                                                  \
  PART(CONDITION, "condition", 'c', "condition")                                                   \
  PART(LOOP, "loop", 'e', "epoll or poll")                                                         \
  PART(JOIN, "join", 'j', "join")                                                                  \
  PART(OTHER, "other", '.', "other waits")
typedef enum {
#define PART(NAME, key, letter, text) THREAD_PART_##NAME,
  THREAD_PART_TABLE(PART)
#undef PART
      THREAD_PART_COUNT
} thread_part_t;

// A timeline costs 3 KiB: threads that are met after so many have none.
enum { THREAD_TIMELINES_MAX = 4096 };

struct thread_timeline {
  timeline_t waits[THREAD_PART_COUNT];  // RUNNING is empty: it is what is left
};

thread_part_t thread_part_of(thread_state_t state);
const char *thread_part_key(thread_part_t part);
const char *thread_part_text(thread_part_t part);
char thread_part_letter(thread_part_t part);

// A wait in that state; waits of a thread do not overlap.
void thread_timeline_wait(thread_timeline_t *timeline, thread_state_t state, uint64_t from,
                          uint64_t until);
// Of [from, until): the time of each part. Their sum is what the thread lived of it. False where
// it has no timeline, or did not live then. After threads_finish.
bool thread_timeline_parts(const thread_account_t *thread, uint64_t from, uint64_t until,
                           uint64_t parts[THREAD_PART_COUNT]);

#endif
