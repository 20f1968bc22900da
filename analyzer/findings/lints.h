// SPDX-License-Identifier: Apache-2.0
// What event loops, tasks and threads do that usually is a mistake. Each lint has a name, a
// threshold and a confidence; one that is sure of little is only an information.
#ifndef ANALYZER_FINDINGS_LINTS_H
#define ANALYZER_FINDINGS_LINTS_H

#include "analyzer/models/models.h"

#define LINT_MS UINT64_C(1000000)
#define LINT_S UINT64_C(1000000000)

// LINT(NAME, "name", confidence, unit, threshold, grace, "what is found, and from when on")
// threshold: ns or a number; 0: what the run says, INSPECT_STALL_MS or its processors. grace: ns
// for which it has to last, or that must have passed, apart from the threshold. --help prints this
// list, the man page has it.
#define LINT_TABLE(LINT)                                                                           \
  LINT(LOOP_HOG, "loop-hog", HIGH, TIME, 0, 0,                                                     \
       "a task ran in one turn for longer than INSPECT_STALL_MS")                                  \
  LINT(BLOCKING_IN_LOOP, "blocking-in-loop", HIGH, TIME, 1 * LINT_MS, 0,                           \
       "a loop's thread waited 1 ms in one call")                                                  \
  LINT(BUSY_POLL, "busy-poll", MEDIUM, NUMBER, 1000, 0,                                            \
       "1000 waits, and 9 in 10, asked not to wait for nothing")                                   \
  LINT(SELF_WAKE, "self-wake", MEDIUM, NUMBER, 10, 0,                                              \
       "10 wake-ups, and every second, came from the loop itself")                                 \
  LINT(LOST_WAKEUP, "lost-wakeup", MEDIUM, TIME, 5 * LINT_S, 0,                                    \
       "waits for 5 s for what was signalled only before")                                         \
  LINT(NEVER_POLLED, "never-polled", LOW, TIME, 10 * LINT_S, 0,                                    \
       "a connection or pipe was never ready in 10 s")                                             \
  LINT(STARVED_TASK, "starved-task", HIGH, TIME, 100 * LINT_MS, 0,                                 \
       "a ready task waited 100 ms for its turn in the batch")                                     \
  LINT(STUCK_TASK, "stuck-task", HIGH, TIME, 30 * LINT_S, 0,                                       \
       "one call or one turn that has not ended after 30 s")                                       \
  LINT(DESCRIPTOR_LEAK, "descriptor-leak", HIGH, TIME, 5 * LINT_S, 0,                              \
       "still open 5 s after the peer closed it")                                                  \
  LINT(THREAD_LEAK, "thread-leak", MEDIUM, NUMBER, 3, 1 * LINT_S,                                  \
       "3 threads ended 1 s ago, neither joined nor detached")                                     \
  LINT(OVERSUBSCRIBED, "oversubscribed", MEDIUM, NUMBER, 0, 1 * LINT_S,                            \
       "more busy loop threads than processors, in a run of 1 s")                                  \
  LINT(SATURATED_LOOP, "saturated-loop", HIGH, NUMBER, 100, 0,                                     \
       "100 waits, and every second, returned all they asked for")                                 \
  LINT(LOCK_IN_LOOP, "lock-in-loop", HIGH, TIME, 1 * LINT_MS, 0,                                   \
       "a loop's thread waited 1 ms for locks")
typedef enum {
#define LINT(NAME, name, confidence, unit, threshold, grace, text) LINT_##NAME,
  LINT_TABLE(LINT)
#undef LINT
      LINT_COUNT
} lint_kind_t;

typedef enum { LINT_LOW, LINT_MEDIUM, LINT_HIGH } lint_confidence_t;
typedef enum { LINT_TIME, LINT_NUMBER } lint_unit_t;

// A row of the table.
typedef struct {
  const char *name;
  lint_confidence_t confidence;
  lint_unit_t unit;
  uint64_t threshold, grace_ns;
} lint_row_t;
const lint_row_t *lint_row(lint_kind_t kind);

const char *lint_name(lint_kind_t kind);
const char *lint_confidence_name(lint_kind_t kind);
// Whether it is a warning, or an information as what it is sure of is little.
bool lint_is_warning(lint_kind_t kind);

// One finding: what it is about (0: not about one), how often, and the figure it was judged by.
typedef struct {
  lint_kind_t kind;
  uint32_t loop, task, thread;
  uint32_t stack, call;  // where; trace_kind_t of the call there
  uint64_t count;        // tasks, calls or threads of which this is the worst
  uint64_t of;           // out of so many; 0: the count says it
  uint64_t duration_ns;  // 0: the count is the figure
  bool starved;          // the loop's threads often had no processor: that may be the reason
} lint_t;

typedef struct {
  lint_t *items;  // in order of LINT_TABLE, then of loops
  uint32_t count, capacity;
} lints_t;

// What is looked for. All zero: everything, by the table.
typedef struct {
  uint32_t allowed;                 // set of 1 << lint_kind_t that are not looked for
  uint64_t thresholds[LINT_COUNT];  // in place of the table's; 0: that
} lint_settings_t;

// After models_finish.
lints_t lints_find(const models_t *models, const lint_settings_t *settings);
void lints_free(lints_t *lints);
// From when on a lint speaks of this run. 0: not known (the processors of a trace without them).
uint64_t lints_threshold(const models_t *models, const lint_settings_t *settings, lint_kind_t kind);
// A comma-separated list of names, or "all", as a set. False: *bad is what is no name.
bool lints_parse(const char *text, uint32_t *kinds, const char **bad, size_t *length);

// A comma-separated list of NAME=VALUE, a time (us, ms, s) or a number by the lint's unit, both
// above 0, into `thresholds`. What is wrong with the first that cannot be taken, and where it is;
// *kind: whose value.
typedef enum { LINT_TAKEN, LINT_NO_NAME, LINT_NO_VALUE } lint_parsed_t;
lint_parsed_t lints_parse_thresholds(const char *text, uint64_t thresholds[LINT_COUNT],
                                     const char **bad, size_t *length, lint_kind_t *kind);

#endif
