// SPDX-License-Identifier: Apache-2.0
// The critical path of the run: the one chain of work and waits that made it last as long as it
// did. Seen backwards it begins at the end of the last thread and follows that thread; where a wait
// of it was ended by another thread it goes on in that one, from the moment of the act (release,
// signal, post, write, creation, end). What is not on the path could have been quicker without any
// gain.
//
//   the path has no gaps: sum over PATH_THREAD = total_ns, and what of it was not running is in
//   PATH_WAIT (waits that nobody ended) or PATH_WAKE (from the act to the woken thread's going on)
//   PATH_LOCK: part of it during which the thread on the path held the lock. Locks held together
//   each count, so these do not add up to anything. Of locks for which somebody waited; what they
//   were held before the first wait counts where it took PATH_HOLD_LEAST_NS.
//
// After the critical path of Yang and Miller (ICDCS 1988), and a lock's share of it as in Chen and
// Stenstrom, "Critical Lock Analysis" (SC 2012). Those walk back through a stored graph. Here every
// thread carries the sums of the path that would end with it now; a wake-up gives the woken thread
// those of its waker. They are kept as a tree that threads share: what only one of them can still
// refer to is added up into one node, so that memory grows with threads and locks, not with time.
#ifndef ANALYZER_MODELS_CRITICAL_PATH_H
#define ANALYZER_MODELS_CRITICAL_PATH_H

#include "analyzer/models/locks.h"
#include "analyzer/models/wakers.h"

typedef enum {
  PATH_THREAD,     // id: thread; count: how often the path came to it
  PATH_LOCK,       // id: lock; count: holds
  PATH_WAIT,       // id: thread_state_t; count: waits
  PATH_WAKE,       // id: wake_how_t; count: wake-ups that the path goes through
  PATH_WAKE_LOCK,  // id: lock; the part of PATH_WAKE that are releases of this one
  PATH_KIND_COUNT
} path_kind_t;

typedef struct {
  path_kind_t kind;
  uint32_t id;
  uint64_t ns, count;
} path_row_t;

#define PATH_HOLD_LEAST_NS UINT64_C(1000)

typedef struct critical_path critical_path_t;

// `threads` outlives it.
critical_path_t *critical_path_open(const threads_t *threads);
void critical_path_close(critical_path_t *path);
// Whose holds the lock model knows that are not over: set before the first event.
void critical_path_set_locks(critical_path_t *path, const locks_t *locks);
// Any event of a thread, after threads_step and before the models that find wake-ups.
void critical_path_step(critical_path_t *path, const reader_event_t *event);
// The thread held the lock from..until, and has released it.
void critical_path_hold(critical_path_t *path, uint32_t thread, uint32_t lock, uint64_t from,
                        uint64_t until);
void critical_path_wake(critical_path_t *path, const wakeup_t *wakeup);
// Lock `gone` was merged into lock `into`.
void critical_path_merge(critical_path_t *path, uint32_t gone, uint32_t into);
// After the last event, and threads_finish.
void critical_path_finish(critical_path_t *path, uint64_t end_ns);

// The path begins in one thread and ends in another, or the same.
typedef struct {
  uint64_t total_ns, running_ns;  // 0: no thread was seen
  uint64_t from_ns, until_ns;
  uint32_t first_thread, last_thread;
  uint64_t wakeups;     // that the path goes through
  uint64_t unresolved;  // wake-ups of the run whose waker's past was not kept any more
} path_summary_t;
const path_summary_t *critical_path_summary(const critical_path_t *path);
// By kind, then falling ns. 0 .. *count - 1.
const path_row_t *critical_path_rows(const critical_path_t *path, uint32_t *count);
// The row, NULL where there is none: it is not on the path.
const path_row_t *critical_path_row(const critical_path_t *path, path_kind_t kind, uint32_t id);
// Parts of paths that are kept now, for a test of the bound.
size_t critical_path_size(const critical_path_t *path);

#endif
