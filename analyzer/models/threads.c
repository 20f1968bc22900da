// SPDX-License-Identifier: Apache-2.0
// Time by state of every thread, from the events that carry how long their call took.
#include "analyzer/models/threads.h"

#include "analyzer/models/address_map.h"
#include "analyzer/models/array.h"
#include "analyzer/models/thread_timeline.h"

#include <stdlib.h>
#include <string.h>

// Who has a handle now, and who had it last and ended.
typedef struct {
  uint32_t current, ended;
  bool detached;  // the thread that was created with it, and has not begun yet
} handle_t;

typedef struct {
  uint64_t ran, runnable;
} counters_t;

struct threads {
  const reader_t *reader;
  address_map_t tids;    // kernel id -> the newest thread that has it
  address_map_t unseen;  // kernel id -> counters_t of a thread that has no event yet
  counters_t before;     // what the main thread had when the image began
  bool before_is_known;
  thread_account_t *accounts;  // by thread index
  uint32_t limit, capacity;
  address_map_t handles;
};

static const char *const state_texts[] = {
#define STATE(name, text) text,
    THREAD_STATE_TABLE(STATE)
#undef STATE
};

const char *thread_state_text(thread_state_t state) { return state_texts[state]; }

// Kinds that carry a duration: the state it counts for, and the word it stands in.
static const struct {
  uint8_t state, word;
} waits[TRACE_KIND_LIMIT] = {
    [TRACE_LOCK_WAIT] = {THREAD_STATE_LOCK, 1},
    [TRACE_LOCK_FAIL] = {THREAD_STATE_LOCK, 1},
    [TRACE_COND_WAIT] = {THREAD_STATE_CONDITION, 2},
    [TRACE_EPOLL_WAIT] = {THREAD_STATE_EPOLL, 1},
    [TRACE_THREAD_JOIN] = {THREAD_STATE_JOIN, 1},
    [TRACE_READ] = {THREAD_STATE_READ, 1},
    [TRACE_WRITE] = {THREAD_STATE_WRITE, 1},
    [TRACE_ACCEPT] = {THREAD_STATE_ACCEPT, 1},
    [TRACE_BARRIER_WAIT] = {THREAD_STATE_BARRIER, 1},
    [TRACE_SLEEP] = {THREAD_STATE_SLEEP, 0},
    [TRACE_POLL] = {THREAD_STATE_POLL, 1},
    [TRACE_FUTEX_WAIT] = {THREAD_STATE_FUTEX, 1},
    [TRACE_CONNECT] = {THREAD_STATE_CONNECT, 1},
    [TRACE_SYNC] = {THREAD_STATE_SYNC, 1},
    [TRACE_RESOLVE] = {THREAD_STATE_RESOLVE, 0},
};

static const uint8_t pending_states[] = {
    [TRACE_PENDING_NONE] = THREAD_STATE_RUNNING,
    [TRACE_PENDING_LOCK] = THREAD_STATE_LOCK,
    [TRACE_PENDING_CONDITION] = THREAD_STATE_CONDITION,
    [TRACE_PENDING_JOIN] = THREAD_STATE_JOIN,
    [TRACE_PENDING_EPOLL] = THREAD_STATE_EPOLL,
    [TRACE_PENDING_READ] = THREAD_STATE_READ,
    [TRACE_PENDING_WRITE] = THREAD_STATE_WRITE,
    [TRACE_PENDING_ACCEPT] = THREAD_STATE_ACCEPT,
    [TRACE_PENDING_BARRIER] = THREAD_STATE_BARRIER,
    [TRACE_PENDING_SLEEP] = THREAD_STATE_SLEEP,
    [TRACE_PENDING_FUTEX] = THREAD_STATE_FUTEX,
    [TRACE_PENDING_CONNECT] = THREAD_STATE_CONNECT,
    [TRACE_PENDING_POLL] = THREAD_STATE_POLL,
    [TRACE_PENDING_SYNC] = THREAD_STATE_SYNC,
    [TRACE_PENDING_RESOLVE] = THREAD_STATE_RESOLVE,
};

threads_t *threads_open(const reader_t *reader) {
  threads_t *threads = array_zeroed(1, sizeof *threads);
  threads->reader = reader;
  threads->handles = (address_map_t)ADDRESS_MAP(handle_t);
  threads->unseen = (address_map_t)ADDRESS_MAP(counters_t);
  threads->limit = 1;
  return threads;
}

void threads_close(threads_t *threads) {
  if (!threads) return;
  address_map_clear(&threads->handles);
  address_map_clear(&threads->tids);
  address_map_clear(&threads->unseen);
  for (uint32_t thread = 1; threads->accounts && thread < threads->limit; ++thread)
    free(threads->accounts[thread].timeline);
  free(threads->accounts);
  free(threads);
}

static void set_handle(threads_t *threads, uint32_t thread, uint64_t handle) {
  if (!handle) return;
  handle_t *known = address_map_put(&threads->handles, handle);
  threads->accounts[thread].handle = handle;
  threads->accounts[thread].detached |= known->detached;
  known->current = thread;
  known->detached = false;
}

// First sight of a thread: from its THREAD_START, or later where that was not recorded.
static void begin_life(threads_t *threads, uint32_t thread, const reader_event_t *event) {
  thread_account_t *account = &threads->accounts[thread];
  uint32_t tid = event->kind == TRACE_THREAD_START ? (uint32_t)event->arg : 0;
  account->seen = true;
  if (thread <= THREAD_TIMELINES_MAX)
    account->timeline = array_zeroed(1, sizeof *account->timeline);
  account->started_ns = event->time;
  if (threads->reader && thread < reader_thread_count(threads->reader)) {
    const reader_thread_t *life = reader_thread(threads->reader, thread);
    if (life->started < event->time) account->started_ns = life->started;
    set_handle(threads, thread, life->handle);
    tid = life->tid;
  }
  if (tid) *(uint64_t *)address_map_put(&threads->tids, tid) = thread;
  counters_t before = {0};
  // The begin of its life is missing: what the kernel had counted until here is not of this record.
  if (tid && address_map_remove(&threads->unseen, tid, &before) &&
      event->kind != TRACE_THREAD_START) {
    account->ran_before_ns = before.ran;
    account->runnable_before_ns = before.runnable;
  }
  account->counted_ns = account->started_ns;
}

static thread_account_t *account_of(threads_t *threads, const reader_event_t *event) {
  uint32_t thread = event->thread;
  ARRAY_RESERVE(threads->accounts, threads->capacity, thread + 1);
  if (thread >= threads->limit) threads->limit = thread + 1;
  thread_account_t *account = &threads->accounts[thread];
  if (!account->seen) begin_life(threads, thread, event);
  return account;
}

static void count_span(thread_account_t *account, thread_state_t state, uint64_t from,
                       uint64_t until) {
  if (from >= until) return;
  account->time_ns[state] += until - from;
  if (account->timeline) thread_timeline_wait(account->timeline, state, from, until);
}

// Keeps [from, until], which has taken in those that began later. The oldest makes room.
static void keep_span(thread_account_t *account, uint64_t from, uint64_t until) {
  uint64_t(*spans)[2] = account->spans;
  while (account->span_count > 0 && spans[account->span_count - 1][0] >= from)
    --account->span_count;
  if (account->span_count == THREAD_SPANS) {
    account->counted_ns = spans[0][1];
    memmove(spans, spans + 1, sizeof *spans * --account->span_count);
  }
  spans[account->span_count][0] = from;
  spans[account->span_count++][1] = until;
}

// Counts [until - duration, until] for a state, without what is counted already: a call that a
// thread was cancelled in is told of after those that the way out of it made.
static void account_wait(thread_account_t *account, thread_state_t state, uint64_t until,
                         uint64_t duration) {
  uint64_t from = duration < until ? until - duration : 0;
  if (from < account->counted_ns) from = account->counted_ns;
  ++account->waits[state];
  if (duration > account->longest_ns[state]) account->longest_ns[state] = duration;
  if (until <= from) return;
  uint64_t begin = from, end = until;
  for (uint32_t at = 0; at < account->span_count; ++at) {
    const uint64_t *span = account->spans[at];
    if (span[1] > end) end = span[1];
    if (span[1] <= begin || span[0] >= until) continue;
    count_span(account, state, begin, span[0]);
    if (span[0] < from) from = span[0];
    begin = span[1];
  }
  count_span(account, state, begin, until);
  keep_span(account, from, end);
}

// Whether it had run before its record begins, and nobody said for how long.
static bool counts_from_unknown(const threads_t *threads, uint32_t thread) {
  return threads->reader && thread < reader_thread_count(threads->reader) &&
         reader_thread(threads->reader, thread)->assumed &&
         threads->accounts[thread].ran_before_ns == 0;
}

// What the main thread had run before an exec, or any before its record begins, where that is
// known.
static counters_t counted_before(const threads_t *threads, const thread_account_t *account,
                                 uint64_t tid) {
  counters_t early = {account->ran_before_ns, account->runnable_before_ns};
  if (early.ran) return early;
  bool main = threads->reader && tid == reader_summary(threads->reader)->pid;
  return main && threads->before_is_known ? threads->before : (counters_t){0};
}

static uint64_t tid_of(const threads_t *threads, uint32_t thread) {
  if (!threads->reader || thread >= reader_thread_count(threads->reader)) return 0;
  return reader_thread(threads->reader, thread)->tid;
}

static void end_life(threads_t *threads, const reader_event_t *event) {
  thread_account_t *account = &threads->accounts[event->thread];
  account->ended = true;
  account->ended_ns = event->time;
  if (event->arg && !counts_from_unknown(threads, event->thread)) {
    uint64_t before = counted_before(threads, account, tid_of(threads, event->thread)).ran;
    account->ran_ns = event->arg > before ? event->arg - before : 0;
    account->ran_known = true;
  }
  handle_t *handle = address_map_get(&threads->handles, account->handle);
  if (!handle || handle->current != event->thread) return;
  *handle = (handle_t){.ended = event->thread};
}

static thread_account_t *by_handle(threads_t *threads, uint64_t handle, bool ended) {
  uint32_t thread = threads_by_handle(threads, handle, ended);
  return thread ? &threads->accounts[thread] : NULL;
}

static void note_join(threads_t *threads, const reader_event_t *event) {
  thread_account_t *joined = by_handle(threads, event->words[0], true);
  if (event->arg || !joined) return;
  joined->joined_by = event->thread;
  joined->joined_ns = event->time;
}

// Python detaches a thread as soon as it is created: that may be before its first event, or after
// its last one. (While a thread is neither joined nor detached no other has its handle.)
static void note_detach(threads_t *threads, const reader_event_t *event) {
  if (event->arg || !event->words[0]) return;
  handle_t *handle = address_map_put(&threads->handles, event->words[0]);
  uint32_t thread = handle->current ? handle->current : handle->ended;
  thread_account_t *account = &threads->accounts[thread];
  if (thread && !account->joined_by && !account->detached)
    account->detached = true;
  else
    handle->detached = true;
}

static void note_pending(thread_account_t *account, const reader_event_t *event) {
  bool may_be_timed = event->arg == TRACE_PENDING_CONDITION || event->arg == TRACE_PENDING_JOIN;
  account->pending =
      (thread_pending_t){.what = (uint32_t)event->arg,
                         .stack = event->stack,
                         .object = event->words[0],
                         .second = event->words[1],
                         .since_ns = event->words[2],
                         .timed = may_be_timed && event->words[1] & TRACE_PENDING_TIMED};
  if (may_be_timed) account->pending.second &= ~TRACE_PENDING_TIMED;
}

thread_state_t threads_wait(const reader_event_t *event, uint64_t *duration) {
  thread_state_t state = (thread_state_t)waits[event->kind].state;
  *duration = state ? event->words[waits[event->kind].word] : 0;
  bool again = state == THREAD_STATE_LOCK && event->arg & TRACE_LOCK_BY_CONDITION;
  return again ? THREAD_STATE_CONDITION : state;
}

// Waits that were only counted, or are told of late.
static void account_passed(thread_account_t *account, const reader_event_t *event) {
  bool one = event->kind == TRACE_TURN_LATE;
  if (!one && event->kind != TRACE_TURNS_PASSED) return;
  account->waits[THREAD_STATE_EPOLL] += one ? 1 : (uint32_t)event->words[0];
  account->time_ns[THREAD_STATE_EPOLL] += event->words[2];
}

static void account_event(thread_account_t *account, const reader_event_t *event) {
  uint64_t duration;
  thread_state_t state = threads_wait(event, &duration);
  ++account->events;
  if (event->time > account->last_event_ns) account->last_event_ns = event->time;
  if (state) account_wait(account, state, event->time, duration);
}

// The kernel's counters of a thread so far. An exec does not reset them: the first that are told
// of the main thread were there when the image began.
static void note_scheduled(threads_t *threads, const reader_event_t *event) {
  counters_t now = {event->words[0], event->words[1]};
  if (threads->reader && event->arg == reader_summary(threads->reader)->pid &&
      !threads->before_is_known) {
    threads->before = now;
    threads->before_is_known = true;
  }
  const uint64_t *thread = event->arg ? address_map_get(&threads->tids, event->arg) : NULL;
  if (!thread && event->arg) *(counters_t *)address_map_put(&threads->unseen, event->arg) = now;
  if (!thread || threads->accounts[*thread].ended) return;
  thread_account_t *account = &threads->accounts[*thread];
  account->scheduled_ns = event->time;
  if (counts_from_unknown(threads, (uint32_t)*thread)) {
    account->ran_before_ns = now.ran;
    account->runnable_before_ns = now.runnable;
    return;
  }
  counters_t before = counted_before(threads, account, event->arg);
  account->ran_ns = now.ran > before.ran ? now.ran - before.ran : 0;
  account->runnable_ns = now.runnable > before.runnable ? now.runnable - before.runnable : 0;
  account->ran_known = true;
}

void threads_step(threads_t *threads, const reader_event_t *event) {
  if (event->kind == TRACE_THREAD_SCHEDULED) note_scheduled(threads, event);
  if (!event->thread || event->kind == TRACE_THREAD_SCHEDULED) return;
  thread_account_t *account = account_of(threads, event);
  switch (event->kind) {
  case TRACE_LOST:
    if (event->arg != TRACE_CONNECTION_OUT) account->lost += event->words[0];
    return;
  case TRACE_PENDING:
    note_pending(account, event);
    return;
  case TRACE_THREAD_START:
    set_handle(threads, event->thread, event->words[0]);
    break;
  case TRACE_THREAD_END:
    end_life(threads, event);
    break;
  case TRACE_THREAD_JOIN:
    note_join(threads, event);
    break;
  case TRACE_THREAD_DETACH:
    note_detach(threads, event);
    break;
  default:
    break;
  }
  account_passed(account, event);
  account_event(account, event);
}

// Kinds of which a thread keeps more than that there was one, and when.
static bool says_more(unsigned kind) {
  return waits[kind].state || trace_event_kinds[kind].family == TRACE_FAMILY_THREAD ||
         kind == TRACE_TURN_LATE || kind == TRACE_TURNS_PASSED;
}

void threads_run(threads_t *threads, const reader_event_t *events, size_t count) {
  thread_account_t *account = account_of(threads, events);
  size_t others = 0;
  for (size_t i = 0; i < count; ++i) {
    if (says_more(events[i].kind)) {
      threads_step(threads, &events[i]);
      ++others;
    }
  }
  account->events += count - others;
  if (events[count - 1].time > account->last_event_ns)
    account->last_event_ns = events[count - 1].time;
}

// The call it was in counts for its state up to the end; the rest of the life is running.
static void finish_life(thread_account_t *account, uint64_t end_ns) {
  uint32_t what = account->pending.what;
  if (!account->ended) {
    account->ended_ns = end_ns > account->last_event_ns ? end_ns : account->last_event_ns;
    account->state = what < sizeof pending_states ? pending_states[what] : THREAD_STATE_RUNNING;
    if (account->state && account->ended_ns >= account->pending.since_ns)
      account_wait(account, account->state, account->ended_ns,
                   account->ended_ns - account->pending.since_ns);
  }
  uint64_t waited = 0;
  for (unsigned state = 1; state < THREAD_STATE_COUNT; ++state) waited += account->time_ns[state];
  uint64_t life = account->ended_ns - account->started_ns;
  account->time_ns[THREAD_STATE_RUNNING] = life > waited ? life - waited : 0;
}

void threads_finish(threads_t *threads, uint64_t end_ns) {
  for (uint32_t thread = 1; thread < threads->limit; ++thread) {
    thread_account_t *account = &threads->accounts[thread];
    if (!account->seen) continue;
    if (threads->reader && thread < reader_thread_count(threads->reader))
      account->quiet = reader_thread(threads->reader, thread)->quiet;
    finish_life(account, end_ns);
  }
}

uint32_t threads_limit(const threads_t *threads) { return threads->limit; }

const thread_account_t *threads_get(const threads_t *threads, uint32_t thread) {
  static const thread_account_t nobody;
  return thread < threads->limit && threads->accounts ? &threads->accounts[thread] : &nobody;
}

uint32_t threads_by_handle(const threads_t *threads, uint64_t handle, bool ended) {
  const handle_t *found = address_map_get(&threads->handles, handle);
  if (!found) return 0;
  if (ended) return found->ended ? found->ended : found->current;
  return found->current ? found->current : found->ended;
}
