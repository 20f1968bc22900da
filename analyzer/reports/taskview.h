// SPDX-License-Identifier: Apache-2.0
// A thread or a descriptor as a task, in the terms that both share: for JSON, tasks.csv and its
// readers.
#ifndef ANALYZER_REPORTS_TASKVIEW_H
#define ANALYZER_REPORTS_TASKVIEW_H

#include "analyzer/reports/analysis.h"

// Where a descriptor was registered that was in its epoll set before the record began.
#define TASKVIEW_HELD "(inherited)"

typedef struct {
  uint64_t id, parent;       // parent 0: none known
  const char *kind;          // "thread", "descriptor"
  const char *what;          // "thread", "listener", "connection", ...
  const task_t *descriptor;  // NULL for a thread
  const char *name, *state;
  const char *site;  // where it was made, "" not known
  uint32_t stack;
  uint64_t created_ns, ended_ns;
  bool ended;
  uint64_t polls;  // a thread's: times it waited
  uint64_t running_ns, scheduled_ns, idle_ns, blocked_ns;
  uint64_t max_poll_ns;  // 0 for a thread: not known
} taskview_t;

// Visits threads, then descriptors. *position starts at 0. False at the end.
bool taskview_next(const analysis_t *analysis, uint64_t *position, taskview_t *view);
// "running", "lock", "condition", ...: a thread's state as a key.
const char *taskview_state_key(thread_state_t state);

#endif
