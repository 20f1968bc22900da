// SPDX-License-Identifier: Apache-2.0
// Event loops: what a turn's calls tell: what is handled from when on, what blocks, who wakes whom.
#include "analyzer/models/array.h"
#include "analyzer/models/loops_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

// ---- wake-ups and work -------------------------------------------------------------------------

// Thread `by` wrote at `from` what another end's wait returned with at `until`.
static void count_wake_up(loops_t *loops, task_t *task, uint32_t by, uint64_t from,
                          uint64_t until) {
  uint64_t latency = until > from ? until - from : 0;
  if (by == task->batch_thread) {
    ++task->self_wakes;
  } else {
    histogram_add(&loops->items[task->batch_loop - 1]->wake_up_ns, latency);
    pools_queued(loops->pools, task->batch_loop, latency);
  }
  if (loops->watcher->calls)
    loops->watcher->calls->wake_up(loops->watcher->context,
                                   &(loop_wake_up_t){by, task->batch_thread, from, until});
}

// Written at the other end before this wait returned, and not seen until now.
void loops_note_ready(loops_t *loops, task_t *task, const reader_event_t *event) {
  task->ready_ns = event->time;
  if (!task->woken_ns || task->woken_ns > event->time) return;
  count_wake_up(loops, task, task->woken_by, task->woken_ns, event->time);
  task->woken_ns = 0;
}

// What is written here makes the other end ready: of a pipe, a pair, or an eventfd itself. A write
// is recorded as it returns; the thread that it woke may have been faster.
static void note_written(loops_t *loops, const reader_event_t *event, int32_t other,
                         uint64_t from) {
  task_t *woken = tasks_live(loops->tasks, other);
  if (!woken || woken->woken_ns) return;
  if (woken->ready_ns && woken->ready_ns >= from) {
    count_wake_up(loops, woken, event->thread, from, woken->ready_ns);
    woken->ready_ns = 0;
    return;
  }
  woken->woken_ns = from;
  woken->woken_by = event->thread;
}

static bool is_queue(descriptor_kind_t kind) {
  return kind == DESCRIPTOR_PIPE || kind == DESCRIPTOR_PAIR || kind == DESCRIPTOR_WAKE_UP;
}

// Outside of a turn a read from a queue fetches work.
static void note_transfer(loops_t *loops, const reader_event_t *event, const descriptor_t *known,
                          uint64_t from) {
  int64_t result = trace_unzigzag(event->words[0]);
  bool writes = event->kind == TRACE_WRITE;
  pool_transfer_t transfer = {.thread = event->thread,
                              .descriptor = writes ? known->other : (int32_t)event->arg,
                              .kind = known->kind,
                              .bytes = result > 0 ? (uint64_t)result : 0,
                              .from = from,
                              .until = event->time};
  if (!is_queue(known->kind) || (writes && (known->other < 0 || result <= 0))) return;
  if (writes) {
    if (event->phase == READER_ENDS) return;
    pools_give(loops->pools, &transfer);
    note_written(loops, event, known->other, from);
  } else if (!loops_thread(loops, event->thread)->turn.active) {
    pools_fetch(loops->pools, &transfer);
  }
}

// ---- calls that last ----------------------------------------------------------------------------

// Kinds that carry how long their call took: in which word, and from when it counts as blocked.
static const struct {
  uint8_t word;  // 0: none; else one more
  uint32_t least_ns;
} durations[TRACE_KIND_LIMIT] = {
    [TRACE_LOCK_WAIT] = {1 + 1, 1},
    [TRACE_LOCK_FAIL] = {1 + 1, 10000},
    [TRACE_COND_WAIT] = {2 + 1, 1},
    [TRACE_THREAD_JOIN] = {1 + 1, 10000},
    [TRACE_BARRIER_WAIT] = {1 + 1, 1},
    [TRACE_FUTEX_WAIT] = {1 + 1, 1},
    [TRACE_SLEEP] = {0 + 1, 1},
    [TRACE_SYNC] = {1 + 1, 1},
    [TRACE_RESOLVE] = {0 + 1, LOOP_RESOLVING_NS},
    [TRACE_POLL] = {1 + 1, 10000},
    [TRACE_READ] = {1 + 1, LOOP_BLOCKING_NS},
    [TRACE_WRITE] = {1 + 1, LOOP_BLOCKING_NS},
    [TRACE_ACCEPT] = {1 + 1, LOOP_BLOCKING_NS},
    [TRACE_CONNECT] = {1 + 1, LOOP_BLOCKING_NS},
};

// A transfer that takes long on a descriptor that does not block has lost the processor.
static bool cannot_block(const loops_t *loops, const loop_thread_t *thread,
                         const reader_event_t *event) {
  if (event->kind == TRACE_CONNECT) return trace_unzigzag(event->words[0]) == -EINPROGRESS;
  if (event->kind != TRACE_READ && event->kind != TRACE_WRITE && event->kind != TRACE_ACCEPT)
    return false;
  if (thread->slow) return thread->nonblocking;
  const task_t *task = tasks_live(loops->tasks, (int32_t)event->arg);
  return task && task->nonblocking;
}

// What the longest call that blocked was on.
static void note_blocked_on(const loops_t *loops, turn_t *turn, uint32_t kind, int32_t descriptor) {
  bool transfers =
      kind == TRACE_READ || kind == TRACE_WRITE || kind == TRACE_ACCEPT || kind == TRACE_CONNECT;
  turn->blocked_on[0] = 0;
  if (!transfers) return;
  const descriptor_t *known = tasks_descriptor(loops->tasks, descriptor);
  const char *name = known && known->name ? known->name : "";
  snprintf(turn->blocked_on, sizeof turn->blocked_on, "%s %" PRId32 "%s%s%s",
           descriptor_kind_name(known ? known->kind : DESCRIPTOR_UNKNOWN), descriptor,
           *name ? " (" : "", name, *name ? ")" : "");
}

uint64_t loops_note_call(loops_t *loops, const reader_event_t *event) {
  unsigned word = durations[event->kind].word;
  uint64_t duration = word ? event->words[word - 1] : 0;
  uint64_t from = duration < event->time ? event->time - duration : 0;
  if (event->thread >= loops->thread_capacity) return from;
  loop_thread_t *thread = &loops->threads[event->thread];
  turn_t *turn = &thread->turn;
  bool blocked =
      word && duration >= durations[event->kind].least_ns && !cannot_block(loops, thread, event);
  uint32_t stack = thread->slow ? thread->slow_stack : event->stack;
  thread->slow = false;
  if (!turn->active) return from;
  turn_call(turn, from, event->time, stack);
  if (!blocked) return from;
  uint64_t longest = turn->longest_blocked_ns;
  turn_blocked(turn, event->kind, from, event->time, stack);
  if (turn->longest_blocked_ns > longest)
    note_blocked_on(loops, turn, event->kind, (int32_t)event->arg);
  site_table_add(&loops->items[turn->loop - 1]->blocking, event->kind, stack, duration);
  return from;
}

// Tells of the transfer that follows in its thread.
void loops_slow(loops_t *loops, const reader_event_t *event) {
  loop_thread_t *thread = loops_thread(loops, event->thread);
  thread->slow = true;
  thread->nonblocking = event->words[0];
  thread->slow_stack = event->stack;
}

static const uint8_t pending_kinds[] = {
    [TRACE_PENDING_LOCK] = TRACE_LOCK_WAIT,   [TRACE_PENDING_CONDITION] = TRACE_COND_WAIT,
    [TRACE_PENDING_JOIN] = TRACE_THREAD_JOIN, [TRACE_PENDING_EPOLL] = TRACE_EPOLL_WAIT,
    [TRACE_PENDING_READ] = TRACE_READ,        [TRACE_PENDING_WRITE] = TRACE_WRITE,
    [TRACE_PENDING_ACCEPT] = TRACE_ACCEPT,    [TRACE_PENDING_BARRIER] = TRACE_BARRIER_WAIT,
    [TRACE_PENDING_SLEEP] = TRACE_SLEEP,      [TRACE_PENDING_FUTEX] = TRACE_FUTEX_WAIT,
    [TRACE_PENDING_CONNECT] = TRACE_CONNECT,  [TRACE_PENDING_POLL] = TRACE_POLL,
    [TRACE_PENDING_SYNC] = TRACE_SYNC,        [TRACE_PENDING_RESOLVE] = TRACE_RESOLVE,
};

static void wait_begin(loops_t *loops, loop_t *loop, const reader_event_t *event) {
  uint64_t since = event->words[2];
  loops_end_turn(loops, event->thread, since);
  loops_note_thread(loop, event->thread);
  loop_thread_t *thread = loops_thread(loops, event->thread);
  thread->waits_in = loop->id;
  thread->waits_since = since;
  if (!loop->poll) pools_wait_at_end(loops->pools, event->thread, loop->id, since);
}

static void block_begin(const loops_t *loops, loop_thread_t *thread, const reader_event_t *event) {
  uint64_t since = event->words[2];
  uint32_t kind = event->arg < sizeof pending_kinds ? pending_kinds[event->arg] : 0;
  thread->turn.pending = true;
  turn_call(&thread->turn, since, since, event->stack);
  thread->turn.blocked_kind = kind;
  thread->turn.blocked_stack = event->stack;
  note_blocked_on(loops, &thread->turn, kind, (int32_t)event->words[0]);
  thread->waits_since = since;
}

// The record of the thread ends in a call: in its next wait, or in one that blocks its turn.
void loops_pending(loops_t *loops, const reader_event_t *event) {
  loop_thread_t *thread = loops_thread(loops, event->thread);
  loop_t *loop = thread->turn.active ? loops->items[thread->turn.loop - 1] : NULL;
  if (event->arg == TRACE_PENDING_EPOLL)
    wait_begin(loops, loops_of(loops, (int32_t)event->words[0], event), event);
  else if (event->arg == TRACE_PENDING_POLL && loop && loop->poll)
    wait_begin(loops, loop, event);
  else if (loop && event->arg)
    block_begin(loops, thread, event);
}

// ---- calls on descriptors -----------------------------------------------------------------------

// The first call on a descriptor in a turn whose batch it is in begins its handling.
void loops_note_handling(loops_t *loops, const reader_event_t *event, int32_t descriptor,
                         uint64_t from) {
  turn_t *turn = &loops_thread(loops, event->thread)->turn;
  const task_t *task = turn->active ? tasks_live(loops->tasks, descriptor) : NULL;
  if (!task || task->batch_thread != event->thread || task->batch_place >= turn->share_count)
    return;
  turn_share_t *share = &turn->shares[task->batch_place];
  if (share->task != task->id || share->known) return;
  share->known = true;
  share->start = from > turn->from ? from : turn->from;
}

// A connection that its loop serves before it asks for it: it has a share of the turn without
// having waited for one.
static task_t *adopt_connection(loops_t *loops, const reader_event_t *event, uint64_t from) {
  turn_t *turn = &loops_thread(loops, event->thread)->turn;
  if (!turn->active || event->kind == TRACE_ACCEPT) return NULL;
  if (from < turn->from) from = turn->from;
  task_t *task = tasks_adopt(loops->tasks, (int32_t)event->arg, turn->loop, from);
  if (!task) return NULL;
  ARRAY_RESERVE(turn->shares, turn->share_capacity, turn->share_count + 1);
  turn->shares[turn->share_count++] =
      (turn_share_t){.task = task->id, .known = true, .unasked = true, .start = from};
  return task;
}

static void note_accepts(loops_t *loops, uint32_t thread) {
  const turn_t *turn = &loops_thread(loops, thread)->turn;
  if (turn->active) loops->items[turn->loop - 1]->listens = true;
}

void loops_call(loops_t *loops, const reader_event_t *event, uint64_t from) {
  if (event->kind == TRACE_ACCEPT) note_accepts(loops, event->thread);
  const task_t *task = tasks_live(loops->tasks, (int32_t)event->arg);
  if (!task) task = adopt_connection(loops, event, from);
  loops_note_handling(loops, event, (int32_t)event->arg, from);
  const descriptor_t *known = tasks_descriptor(loops->tasks, (int32_t)event->arg);
  if (known && event->kind != TRACE_ACCEPT) note_transfer(loops, event, known, from);
  uint64_t response = tasks_call(loops->tasks, event);
  if (response && task)
    histogram_add_many(&loops->items[task->loop - 1]->response_ns, response,
                       tasks_weight(loops->tasks, task));
}

void loops_begin_write(loops_t *loops, const reader_event_t *event) {
  const descriptor_t *known = tasks_descriptor(loops->tasks, (int32_t)event->arg);
  if (known) note_transfer(loops, event, known, event->time);
}

bool loops_thread_goes_on(const loops_t *loops, uint32_t thread) {
  if (thread >= loops->thread_capacity) return false;
  const loop_thread_t *state = &loops->threads[thread];
  return state->turn.active || state->slow;
}

void loops_go_on(loops_t *loops, const reader_event_t *event) {
  if (loops_thread_goes_on(loops, event->thread)) loops_note_call(loops, event);
}

void loops_run_locks(loops_t *loops, const reader_event_t *events, size_t count) {
  pools_run_locks(loops->pools, events, count);
  if (!loops_thread_goes_on(loops, events->thread)) return;
  for (size_t i = 0; i < count; ++i) loops_go_on(loops, &events[i]);
}
