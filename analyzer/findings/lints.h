// SPDX-License-Identifier: Apache-2.0
// What event loops, tasks and threads do that usually is a mistake. Each lint has a name, a
// threshold and a confidence; one that is sure of little is only an information.
#ifndef ANALYZER_FINDINGS_LINTS_H
#define ANALYZER_FINDINGS_LINTS_H

#include "analyzer/models/models.h"

// LINT(NAME, "name", confidence, "what is found, and from when on"). The man page has this list.
#define LINT_TABLE(LINT)                                                                           \
  LINT(LOOP_HOG, "loop-hog", HIGH, "a task ran in one turn for longer than INSPECT_STALL_MS")      \
  LINT(BLOCKING_IN_LOOP, "blocking-in-loop", HIGH, "a loop's thread waited 1 ms in one call")      \
  LINT(BUSY_POLL, "busy-poll", MEDIUM, "1000 waits, and 9 in 10, asked not to wait for nothing")   \
  LINT(SELF_WAKE, "self-wake", MEDIUM, "10 wake-ups, and every second, came from the loop itself") \
  LINT(LOST_WAKEUP, "lost-wakeup", MEDIUM, "waits for 5 s for what was signalled only before")     \
  LINT(NEVER_POLLED, "never-polled", LOW, "a connection or pipe was never ready in 10 s")          \
  LINT(STARVED_TASK, "starved-task", HIGH, "a ready task waited 100 ms for its turn in the batch") \
  LINT(STUCK_TASK, "stuck-task", HIGH, "one call or one turn that has not ended after 30 s")       \
  LINT(DESCRIPTOR_LEAK, "descriptor-leak", HIGH, "still open 5 s after the peer closed it")        \
  LINT(THREAD_LEAK, "thread-leak", MEDIUM, "3 threads ended 1 s ago, neither joined nor detached") \
  LINT(OVERSUBSCRIBED, "oversubscribed", MEDIUM, "more busy loop threads than processors for 1 s") \
  LINT(SATURATED_LOOP, "saturated-loop", HIGH,                                                     \
       "100 waits, and every second, returned all they asked for")                                 \
  LINT(LOCK_IN_LOOP, "lock-in-loop", HIGH, "a loop's thread waited 1 ms for locks")
typedef enum {
#define LINT(NAME, name, confidence, text) LINT_##NAME,
  LINT_TABLE(LINT)
#undef LINT
      LINT_COUNT
} lint_kind_t;

typedef enum { LINT_LOW, LINT_MEDIUM, LINT_HIGH } lint_confidence_t;

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

// After models_finish. `allowed`: set of 1 << lint_kind_t that are not looked for.
lints_t lints_find(const models_t *models, uint32_t allowed);
void lints_free(lints_t *lints);
// A comma-separated list of names, or "all", as a set. False: *bad is what is no name.
bool lints_parse(const char *text, uint32_t *kinds, const char **bad, size_t *length);

#endif
