// SPDX-License-Identifier: Apache-2.0
// Who woke whom: for each wait that somebody else ended, the thread that did, how, from where, and
// how long the woken one then took to go on.
//
// A wait of [from, until] was ended by the act (a signal, a post, a write, an end of a thread) that
// was the first of those in this span which had not woken somebody else. Waits that nobody ended
// (sleeps, time-outs, what comes from outside the process) are not here.
//
// Memory: the pairs of threads that met, at most WAKERS_ROWS_MAX; by object the newest acts, at
// most WAKERS_ACTS_MAX, and at most WAKERS_OBJECTS_MAX objects.
#ifndef ANALYZER_MODELS_WAKERS_H
#define ANALYZER_MODELS_WAKERS_H

#include "analyzer/models/threads.h"

// How, the key in reports, and what the waker did.
#define WAKE_TABLE(WAKE)                                                                           \
  WAKE(LOCK, "lock", "released a lock")                                                            \
  WAKE(SEMAPHORE, "semaphore", "posted a semaphore")                                               \
  WAKE(CONDITION, "condition", "signalled a condition")                                            \
  WAKE(BARRIER, "barrier", "came last to a barrier")                                               \
  WAKE(JOIN, "join", "ended")                                                                      \
  WAKE(CREATE, "create", "created it")                                                             \
  WAKE(DESCRIPTOR, "descriptor", "wrote to a descriptor")                                          \
  WAKE(FUTEX, "futex", "woke a futex")
typedef enum {
#define WAKE(name, key, text) WAKE_##name,
  WAKE_TABLE(WAKE)
#undef WAKE
      WAKE_COUNT
} wake_how_t;
const char *wake_how_name(wake_how_t how);
const char *wake_how_text(wake_how_t how);

enum { WAKERS_ROWS_MAX = 1 << 16, WAKERS_ACTS_MAX = 64, WAKERS_OBJECTS_MAX = 1 << 16 };

// One wake-up. from <= woke <= until.
typedef struct {
  wake_how_t how;
  uint32_t waker, woken;
  uint32_t stack;   // of the act; LOCK: of the acquire whose hold ended; 0 not known
  uint64_t object;  // address of what was waited for; descriptor; handle of a thread
  uint32_t lock;    // LOCK: its id
  uint64_t from, woke, until;
} wakeup_t;

// All wake-ups of one kind from one place in one thread to another thread.
typedef struct {
  wake_how_t how;
  uint32_t waker, woken, stack;
  uint64_t count;
  uint64_t waited_ns;                   // until the act
  uint64_t latency_ns, latency_max_ns;  // from the act until the woken one went on
} waker_row_t;

typedef struct wakers wakers_t;

// Sees every wake-up as it is found, which may be some events after the woken thread went on.
typedef void wakers_watch_t(void *context, const wakeup_t *wakeup);

// `threads` outlives it.
wakers_t *wakers_open(const threads_t *threads);
void wakers_close(wakers_t *wakers);
void wakers_watch(wakers_t *wakers, wakers_watch_t *watch, void *context);
// Events of threads, locks and descriptors. Call after threads_step.
void wakers_step(wakers_t *wakers, const reader_event_t *event);
// A wake-up that another model found.
void wakers_add(wakers_t *wakers, const wakeup_t *wakeup);
// Sorts the rows: by falling waited_ns + latency_ns.
void wakers_finish(wakers_t *wakers);

uint32_t wakers_count(const wakers_t *wakers);
const waker_row_t *wakers_row(const wakers_t *wakers, uint32_t index);  // 0 .. count - 1
// Wake-ups in all, and of these in no row because there were too many.
uint64_t wakers_total(const wakers_t *wakers);
uint64_t wakers_dropped(const wakers_t *wakers);

// Signals of a condition that no wait can be said to have ended by; and waits that returned without
// one (spurious). Both are figures of this run as far as it was recorded.
typedef struct {
  uint64_t signals_without_effect, waits_without_signal;
} wakers_condition_t;
wakers_condition_t wakers_condition(const wakers_t *wakers, uint64_t condition);

#endif
