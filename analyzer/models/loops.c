// SPDX-License-Identifier: Apache-2.0
// Event loops: waits, turns, batches, lag and stalls of every epoll instance.
#include "analyzer/models/array.h"
#include "analyzer/models/loops_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <xxhash.h>

loops_t *loops_open(uint64_t stall_ns) {
  loops_t *loops = array_zeroed(1, sizeof *loops);
  loops->stall_ns = stall_ns;
  loops->tasks = tasks_open();
  loops->watcher = array_zeroed(1, sizeof *loops->watcher);
  loops->pools = pools_open();
  loops->rate = 1;
  return loops;
}

void loops_sample(loops_t *loops, double rate) {
  loops->rate = rate;
  tasks_sample(loops->tasks, rate);
}

void loops_note_lost(loops_t *loops, uint64_t connections) {
  tasks_note_lost(loops->tasks, connections);
}

double loops_rate(const loops_t *loops) { return loops->rate; }

void loops_watch(const loops_t *loops, const loops_watch_t *watch, void *context) {
  *loops->watcher = (loops_watcher_t){watch, context};
}

static void free_loop(loop_t *loop) {
  histogram_clear(&loop->batch);
  histogram_clear(&loop->turn_ns);
  histogram_clear(&loop->lag_ns);
  histogram_clear(&loop->wake_up_ns);
  histogram_clear(&loop->response_ns);
  site_table_clear(&loop->blocking);
  free(loop->threads);
  for (uint32_t at = 0; at < loop->kept_stalls; ++at) free(loop->stalls[at].who);
  free(loop->stalls);
  free(loop);
}

void loops_close(loops_t *loops) {
  if (!loops) return;
  for (uint32_t at = 0; at < loops->count; ++at) free_loop(loops->items[at]);
  for (uint32_t thread = 0; thread < loops->thread_capacity; ++thread)
    turn_free(&loops->threads[thread].turn);
  tasks_close(loops->tasks);
  pools_close(loops->pools);
  free(loops->watcher);
  address_map_clear(&loops->open);
  address_map_clear(&loops->tokens);
  address_map_clear(&loops->polls);
  free(loops->items);
  free(loops->threads);
  free(loops);
}

// ---- instances ---------------------------------------------------------------------------------

static uint64_t key_of(int32_t descriptor) { return (uint64_t)(uint32_t)descriptor + 1; }

loop_t *loops_begin(loops_t *loops, int32_t descriptor, const reader_event_t *event) {
  ARRAY_RESERVE(loops->items, loops->capacity, loops->count + 1);
  loop_t *loop = loops->items[loops->count++] = array_zeroed(1, sizeof *loop);
  loop->id = loops->count;
  loop->descriptor = descriptor;
  loop->created_ns = event->time;
  loop->closed_ns = UINT64_MAX;
  if (descriptor >= 0) *(uint64_t *)address_map_put(&loops->open, key_of(descriptor)) = loop->id;
  return loop;
}

static loop_t *find_loop(const loops_t *loops, int32_t descriptor) {
  const uint64_t *id = address_map_get(&loops->open, key_of(descriptor));
  return id ? loops->items[*id - 1] : NULL;
}

loop_t *loops_of(loops_t *loops, int32_t descriptor, const reader_event_t *event) {
  loop_t *loop = find_loop(loops, descriptor);
  return loop ? loop : loops_begin(loops, descriptor, event);
}

static void end_loop(loops_t *loops, int32_t descriptor, uint64_t time) {
  loop_t *loop = find_loop(loops, descriptor);
  if (!loop) return;
  loop->closed_ns = time;
  address_map_remove(&loops->open, key_of(descriptor), NULL);
}

static void step_create(loops_t *loops, const reader_event_t *event) {
  int32_t descriptor = (int32_t)event->arg;
  if (descriptor < 0) return;
  end_loop(loops, descriptor, event->time);
  loops_begin(loops, descriptor, event)->site = event->stack;
}

void loops_note_thread(loop_t *loop, uint32_t thread) {
  for (uint32_t at = 0; at < loop->thread_count; ++at)
    if (loop->threads[at] == thread) return;
  ARRAY_RESERVE(loop->threads, loop->thread_capacity, loop->thread_count + 1);
  loop->threads[loop->thread_count++] = thread;
}

loop_thread_t *loops_thread(loops_t *loops, uint32_t thread) {
  ARRAY_RESERVE(loops->threads, loops->thread_capacity, thread + 1);
  return &loops->threads[thread];
}

// ---- registration ------------------------------------------------------------------------------

static uint64_t token_key(uint32_t loop, uint64_t token) {
  uint64_t parts[2] = {loop, token};
  return XXH3_64bits(parts, sizeof parts) | 1;
}

static void set_token(loops_t *loops, uint32_t loop, uint64_t token, uint32_t task) {
  *(uint64_t *)address_map_put(&loops->tokens, token_key(loop, token)) = task;
}

// Only where it still means this task: another may have been registered with the same token.
static void clear_token(loops_t *loops, uint32_t loop, uint64_t token, uint32_t task) {
  uint64_t key = token_key(loop, token);
  const uint64_t *found = address_map_get(&loops->tokens, key);
  if (found && *found == task) address_map_remove(&loops->tokens, key, NULL);
}

static task_t *task_of_token(loops_t *loops, uint32_t loop, uint64_t token) {
  const uint64_t *id = address_map_get(&loops->tokens, token_key(loop, token));
  return id ? tasks_find(loops->tasks, (uint32_t)*id) : NULL;
}

static void add_descriptor(loops_t *loops, loop_t *loop, int32_t descriptor,
                           const reader_event_t *event) {
  const turn_t *turn = &loops_thread(loops, event->thread)->turn;
  task_t *task = tasks_register(loops->tasks, descriptor, loop->id, event->words[1], event->stack,
                                turn->active ? turn->from : UINT64_MAX, event->time);
  set_token(loops, loop->id, event->words[1], task->id);
  loop->registered += (uint32_t)tasks_weight(loops->tasks, task);
  if (loop->registered > loop->max_registered) loop->max_registered = loop->registered;
}

// A drawn connection counts for many.
static void count_gone(const loops_t *loops, loop_t *loop, const task_t *task) {
  uint32_t weight = (uint32_t)tasks_weight(loops->tasks, task);
  loop->registered -= weight < loop->registered ? weight : loop->registered;
}

static void modify_descriptor(loops_t *loops, loop_t *loop, int32_t descriptor,
                              const reader_event_t *event) {
  task_t *task = tasks_live(loops->tasks, descriptor);
  if (!task) {
    add_descriptor(loops, loop, descriptor, event);
    return;
  }
  if (task->loop == loop->id && task->token != event->words[1]) {
    clear_token(loops, loop->id, task->token, task->id);
    task->token = event->words[1];
  }
  set_token(loops, loop->id, event->words[1], task->id);
}

static void remove_descriptor(loops_t *loops, loop_t *loop, int32_t descriptor,
                              const reader_event_t *event) {
  task_t *task = tasks_live(loops->tasks, descriptor);
  if (!task) return;
  count_gone(loops, loop, task);
  clear_token(loops, loop->id, task->token, task->id);
  tasks_unregister(loops->tasks, task, false, event->time);
}

// In the set since before this process waited on it: a task from now on.
static void step_held(loops_t *loops, const reader_event_t *event) {
  int32_t descriptor = (int32_t)event->arg;
  loop_t *loop = loops_of(loops, (int32_t)event->words[0], event);
  if (tasks_live(loops->tasks, descriptor) && task_of_token(loops, loop->id, event->words[1]))
    return;  // registered again meanwhile
  add_descriptor(loops, loop, descriptor, event);
  tasks_live(loops->tasks, descriptor)->held = true;
}

// The first call on a descriptor in a turn whose batch it is in begins its handling.
static void note_handling(loops_t *loops, const reader_event_t *event, int32_t descriptor,
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

static void step_control(loops_t *loops, const reader_event_t *event) {
  int32_t epoll = (int32_t)(uint32_t)event->words[0];
  int32_t descriptor = (int32_t)(event->words[0] >> 32);
  note_handling(loops, event, descriptor, event->time);
  if (event->words[2] >> 32) return;
  loop_t *loop = loops_of(loops, epoll, event);
  switch (event->arg) {
  case EPOLL_CTL_ADD:
    add_descriptor(loops, loop, descriptor, event);
    break;
  case EPOLL_CTL_MOD:
    modify_descriptor(loops, loop, descriptor, event);
    break;
  case EPOLL_CTL_DEL:
    remove_descriptor(loops, loop, descriptor, event);
    break;
  default:
    break;
  }
}

// A thread that serves one connection at a time polls it until it closes it, then waits elsewhere
// for the next: with the last descriptor that its poll returned the turn is over.
static bool is_last_of_poll(loops_t *loops, uint32_t thread, const task_t *task) {
  const turn_t *turn = &loops_thread(loops, thread)->turn;
  bool is_its = turn->active && task->loop == turn->loop;
  if (!turn->active || !loops->items[turn->loop - 1]->poll) return false;
  for (uint32_t at = 0; at < turn->share_count; ++at) {
    const task_t *other = tasks_find(loops->tasks, turn->shares[at].task);
    if (other && other != task && other->registrations) return false;
    is_its |= other == task;
  }
  return is_its;
}

// Who closes the instance that his turn came from will not wait there again.
static void end_turn_of_closed(loops_t *loops, int32_t descriptor, const reader_event_t *event) {
  const loop_t *loop = find_loop(loops, descriptor);
  const turn_t *turn = &loops_thread(loops, event->thread)->turn;
  if (loop && turn->active && turn->loop == loop->id)
    loops_end_turn(loops, event->thread, event->time);
}

static void step_close(loops_t *loops, const reader_event_t *event) {
  int32_t descriptor = (int32_t)event->arg;
  note_handling(loops, event, descriptor, event->time);
  task_t *task = tasks_live(loops->tasks, descriptor);
  if (task && !tasks_stays(loops->tasks, descriptor)) {
    loop_t *loop = loops->items[task->loop - 1];
    if (!task->adopted) count_gone(loops, loop, task);
    clear_token(loops, task->loop, task->token, task->id);
  }
  bool last =
      task && !tasks_stays(loops->tasks, descriptor) && is_last_of_poll(loops, event->thread, task);
  tasks_close_descriptor(loops->tasks, descriptor, event->time);
  if (last) loops_end_turn(loops, event->thread, event->time);
  pools_close_descriptor(loops->pools, descriptor);
  end_turn_of_closed(loops, descriptor, event);
  end_loop(loops, descriptor, event->time);
}

// ---- turns -------------------------------------------------------------------------------------

static void keep_stall(loop_t *loop, const loop_stall_t *stall) {
  ++loop->stall_count;
  loop->stall_total_ns += stall->duration_ns;
  if (!loop->stalls) loop->stalls = array_zeroed(LOOP_STALLS_MAX, sizeof *loop->stalls);
  if (loop->kept_stalls < LOOP_STALLS_MAX) {
    loop->stalls[loop->kept_stalls++] = *stall;
    return;
  }
  loop_stall_t *shortest = loop->stalls;
  for (uint32_t at = 1; at < LOOP_STALLS_MAX; ++at)
    if (loop->stalls[at].duration_ns < shortest->duration_ns) shortest = &loop->stalls[at];
  const loop_stall_t *dropped = stall->duration_ns > shortest->duration_ns ? shortest : stall;
  free(dropped->who);
  if (dropped == shortest) *shortest = *stall;
}

// As a report would name its task, had it one.
static char *name_of_out(const loops_t *loops, int32_t descriptor) {
  const descriptor_t *known = tasks_descriptor(loops->tasks, descriptor);
  char *text = NULL;
  const char *kind = descriptor_kind_name(known ? known->kind : DESCRIPTOR_UNKNOWN);
  int length = known && known->name ? asprintf(&text, "%s %d (%s)", kind, descriptor, known->name)
                                    : asprintf(&text, "%s %d", kind, descriptor);
  return length < 0 ? NULL : text;
}

static void note_stall(const loops_t *loops, loop_t *loop, const turn_t *turn, uint32_t thread,
                       uint64_t duration) {
  loop_stall_t stall = {.at_ns = turn->from,
                        .duration_ns = duration,
                        .thread = thread,
                        .stack = turn->silence_stack ? turn->silence_stack : turn->wait_stack,
                        .blocked_kind = turn->blocked_kind,
                        .blocked_ns = turn->blocked_ns,
                        .open = loops->threads[thread].cut};
  memcpy(stall.blocked_on, turn->blocked_on, sizeof stall.blocked_on);
  if (turn->longest_blocked_ns >= turn->silence_ns && turn->blocked_stack)
    stall.stack = turn->blocked_stack;
  uint64_t longest = 0;
  uint32_t out = 0;
  for (uint32_t at = 0; at < turn->share_count; ++at) {
    uint64_t share = turn->shares[at].until - turn->shares[at].start;
    if (share < longest || (!turn->shares[at].task && !turn->shares[at].out)) continue;
    longest = share;
    stall.task = turn->shares[at].task;
    out = stall.task ? 0 : turn->shares[at].out;
  }
  if (out) stall.who = name_of_out(loops, (int32_t)(out - 1));
  keep_stall(loop, &stall);
}

// Where several threads have it at once, each moment counts for the turn that ends first.
static void account_times(const loops_t *loops, task_t *task, uint32_t thread,
                          const turn_share_t *share) {
  const turn_t *turn = &loops->threads[thread].turn;
  turn_span_t parts[TASK_COVERED + 1];
  unsigned count =
      tasks_cover(task, share->unasked ? share->start : turn->from, share->until, parts);
  for (unsigned at = 0; at < count; ++at) {
    turn_share_t part = {.start = parts[at].from, .until = parts[at].until};
    uint64_t waited = part.start < share->start ? share->start - part.start : 0;
    if (waited > part.until - part.start) waited = part.until - part.start;
    part.start += waited;
    uint64_t length = part.until - part.start, blocked = turn_share_blocked(turn, &part);
    if (blocked > length) blocked = length;
    task->scheduled_ns += waited;
    task->running_ns += length - blocked;
    task->blocked_ns += blocked;
    if (loops->watcher->calls && length)
      loops->watcher->calls->share(loops->watcher->context,
                                   &(loop_share_t){thread, task->id, part.start, part.until});
  }
}

// A descriptor that was closed in the turn takes no more of it.
static void account_share(loops_t *loops, uint32_t thread, turn_share_t *share) {
  const turn_t *turn = &loops->threads[thread].turn;
  task_t *task = share->task ? tasks_find(loops->tasks, share->task) : NULL;
  if (!task) return;
  if (!task->registrations && task->ended_ns < share->until) share->until = task->ended_ns;
  if (share->until < share->start) share->until = share->start;
  uint64_t length = share->until - share->start;
  uint64_t waited = share->unasked ? 0 : share->start - turn->from;
  account_times(loops, task, thread, share);
  if (waited > task->max_scheduled_ns) task->max_scheduled_ns = waited;
  if (length > task->max_poll_ns) task->max_poll_ns = length;
}

void loops_end_turn(loops_t *loops, uint32_t thread, uint64_t until) {
  turn_t *turn = &loops_thread(loops, thread)->turn;
  if (!turn->active) return;
  if (until < turn->from) until = turn->from;
  turn_end(turn, until);
  loop_t *loop = loops->items[turn->loop - 1];
  ++loop->turns;
  loop->busy_ns += until - turn->from;
  bool is_long = until - turn->from > loops->stall_ns;
  uint64_t stands = is_long && loops->rate > 0 ? 1 : turn->weight;
  if (stands) histogram_add_many(&loop->turn_ns, until - turn->from, stands);
  for (uint32_t at = 0; at < turn->share_count; ++at) {
    turn_share_t *share = &turn->shares[at];
    if (!share->unasked && turn->weight)
      histogram_add_many(&loop->lag_ns, share->start - turn->from, turn->weight);
    if (!share->known) loop->lags_estimated += turn->weight;
    account_share(loops, thread, share);
  }
  if (loops->watcher->calls)
    loops->watcher->calls->turn(loops->watcher->context,
                                &(loop_turn_t){thread, turn->loop, turn->from, until});
  if (is_long && !loop_serves_one(loop) && !loops->threads[thread].exits)
    note_stall(loops, loop, turn, thread, until - turn->from);
}

static void count_batch(loop_t *loop, int64_t ready, uint32_t asked, int64_t timeout,
                        uint64_t weight) {
  ++loop->waits;
  if (ready <= 0) {
    ++loop->empty;
    loop->spins += !ready && !timeout;
    return;
  }
  loop->events += (uint64_t)ready;
  if (weight) histogram_add_many(&loop->batch, (uint64_t)ready, weight);
  if (asked > 1 && ready >= asked) ++loop->saturated;
}

void loops_begin_turn(loops_t *loops, loop_t *loop, const reader_event_t *event, uint32_t asked) {
  uint64_t wait = event->words[1] < event->time ? event->words[1] : event->time;
  loops_end_turn(loops, event->thread, event->time - wait);
  loops_note_thread(loop, event->thread);
  loop_thread_t *thread = loops_thread(loops, event->thread);
  uint64_t weight = loops_take_weight(loops, loop, thread);
  count_batch(loop, trace_unzigzag(event->arg), asked, trace_unzigzag(event->words[2]), weight);
  loop->idle_ns += wait;
  turn_begin(&thread->turn, loop->id, event->time, event->stack);
  thread->turn.weight = weight;
}

static void step_wait(loops_t *loops, const reader_event_t *event) {
  loop_t *loop = loops_of(loops, (int32_t)(uint32_t)event->words[0], event);
  uint64_t wait = event->words[1] < event->time ? event->words[1] : event->time;
  loops_begin_turn(loops, loop, event, (uint32_t)(event->words[0] >> 32));
  pools_turn(loops->pools, event->thread, loop->id, event->time - wait, event->time,
             trace_unzigzag(event->arg) > 0);
}

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
static void note_ready(loops_t *loops, task_t *task, const reader_event_t *event) {
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

void loops_add_ready(loops_t *loops, turn_t *turn, task_t *task, const reader_event_t *event) {
  ARRAY_RESERVE(turn->shares, turn->share_capacity, turn->share_count + 1);
  turn->shares[turn->share_count] = (turn_share_t){.task = task ? task->id : 0};
  if (task) {
    ++task->polls;
    if (task->batch_thread && task->batch_thread != event->thread) task->shared = true;
    task->batch_thread = event->thread;
    task->batch_place = turn->share_count;
    task->batch_loop = turn->loop;
    if (event->arg & EPOLLERR) task->failed = true;
    if (task->kind == DESCRIPTOR_LISTENER) loops->items[turn->loop - 1]->listens = true;
    note_ready(loops, task, event);
  }
  ++turn->share_count;
}

static void step_ready(loops_t *loops, const reader_event_t *event) {
  turn_t *turn = &loops_thread(loops, event->thread)->turn;
  if (turn->active)
    loops_add_ready(loops, turn, task_of_token(loops, turn->loop, event->words[0]), event);
}

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
static void step_slow(loops_t *loops, const reader_event_t *event) {
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
static void step_pending(loops_t *loops, const reader_event_t *event) {
  loop_thread_t *thread = loops_thread(loops, event->thread);
  loop_t *loop = thread->turn.active ? loops->items[thread->turn.loop - 1] : NULL;
  if (event->arg == TRACE_PENDING_EPOLL)
    wait_begin(loops, loops_of(loops, (int32_t)event->words[0], event), event);
  else if (event->arg == TRACE_PENDING_POLL && loop && loop->poll)
    wait_begin(loops, loop, event);
  else if (loop && event->arg)
    block_begin(loops, thread, event);
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

static void step_call(loops_t *loops, const reader_event_t *event, uint64_t from) {
  if (event->kind == TRACE_ACCEPT) note_accepts(loops, event->thread);
  const task_t *task = tasks_live(loops->tasks, (int32_t)event->arg);
  if (!task) task = adopt_connection(loops, event, from);
  note_handling(loops, event, (int32_t)event->arg, from);
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

static bool begins_turn(uint8_t kind) {
  return kind == TRACE_EPOLL_WAIT || kind == TRACE_READY || kind == TRACE_POLL ||
         kind == TRACE_READY_DESCRIPTOR;
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

// What is done with memory and locks tells a loop no more than that its turn goes on, or is
// blocked.
static bool only_goes_on(unsigned kind) {
  return trace_event_kinds[kind].family == TRACE_FAMILY_HEAP ||
         trace_event_kinds[kind].family == TRACE_FAMILY_LOCK;
}

// An exit is recorded behind all its handlers; when these began is not known.
static void step_end(loops_t *loops, const reader_event_t *event) {
  if (event->kind == TRACE_EXIT)
    loops_thread(loops, event->thread)->exits = event->words[0] == TRACE_EXIT_NORMAL;
  loops_end_turn(loops, event->thread, event->time);
}

void loops_step(loops_t *loops, const reader_event_t *event) {
  pools_step(loops->pools, event);
  if (only_goes_on(event->kind)) {
    loops_go_on(loops, event);
    return;
  }
  if (event->kind == TRACE_PENDING) {
    step_pending(loops, event);
    return;
  }
  if (event->kind == TRACE_TRANSFER_SLOW) {
    step_slow(loops, event);
    return;
  }
  if (loops_sampled_step(loops, event)) return;
  uint64_t from = 0;
  if (!begins_turn(event->kind)) from = loops_note_call(loops, event);
  tasks_describe(loops->tasks, event);
  switch (event->kind) {
  case TRACE_EPOLL_HELD:
    step_held(loops, event);
    break;
  case TRACE_EPOLL_CREATE:
    step_create(loops, event);
    break;
  case TRACE_EPOLL_CTL:
    step_control(loops, event);
    break;
  case TRACE_EPOLL_WAIT:
    step_wait(loops, event);
    break;
  case TRACE_READY:
    step_ready(loops, event);
    break;
  case TRACE_READ:
  case TRACE_WRITE:
  case TRACE_ACCEPT:
    step_call(loops, event, from);
    break;
  case TRACE_CONNECT:
  case TRACE_SYNC:
  case TRACE_SHUTDOWN:
    note_handling(loops, event, (int32_t)event->arg, from);
    break;
  case TRACE_POLL:
    loops_poll(loops, event);
    break;
  case TRACE_READY_DESCRIPTOR:
    loops_poll_ready(loops, event);
    break;
  case TRACE_CLOSE:
    step_close(loops, event);
    break;
  case TRACE_EXIT:
  case TRACE_THREAD_END:
    step_end(loops, event);
    break;
  default:
    break;
  }
}

// ---- end ---------------------------------------------------------------------------------------

// Of the batch that the trace ends in: the last one seen to begin runs or is blocked (the first,
// where none was), those without a call still wait.
static void set_states(loops_t *loops, const turn_t *turn) {
  uint32_t present = 0;
  for (uint32_t at = 0; at < turn->share_count; ++at)
    if (turn->shares[at].known) present = at;
  for (uint32_t at = 0; at < turn->share_count; ++at) {
    task_t *task = tasks_find(loops->tasks, turn->shares[at].task);
    if (!task || !task->registrations) continue;
    if (at == present)
      task->state = turn->pending ? TASK_STATE_BLOCKED : TASK_STATE_RUNNING;
    else if (!turn->shares[at].known)
      task->state = TASK_STATE_SCHEDULED;
  }
}

static void finish_thread(loops_t *loops, uint32_t thread, uint64_t end_ns) {
  loop_thread_t *state = &loops->threads[thread];
  if (state->waits_in && end_ns > state->waits_since)
    loops->items[state->waits_in - 1]->idle_ns += end_ns - state->waits_since;
  if (!state->turn.active) return;
  turn_t *turn = &state->turn;
  if (turn->pending)
    turn_blocked(turn, turn->blocked_kind, state->waits_since, end_ns, turn->blocked_stack);
  state->cut = true;
  loops_end_turn(loops, thread, end_ns);
  set_states(loops, turn);
}

static int compare_stalls(const void *left, const void *right) {
  const loop_stall_t *a = left, *b = right;
  return a->at_ns < b->at_ns ? -1 : a->at_ns > b->at_ns;
}

void loops_finish(loops_t *loops, uint64_t end_ns) {
  for (uint32_t thread = 1; thread < loops->thread_capacity; ++thread)
    finish_thread(loops, thread, end_ns);
  for (uint32_t at = 0; at < loops->count; ++at) {
    loop_t *loop = loops->items[at];
    if (loop->stalls) qsort(loop->stalls, loop->kept_stalls, sizeof *loop->stalls, compare_stalls);
    site_table_sort(&loop->blocking);
  }
  tasks_finish(loops->tasks, end_ns);
  pools_finish(loops->pools, end_ns);
}

uint32_t loops_count(const loops_t *loops) { return loops->count; }

const loop_t *loops_get(const loops_t *loops, uint32_t index) { return loops->items[index]; }

const tasks_t *loops_tasks(const loops_t *loops) { return loops->tasks; }

const pools_t *loops_pools(const loops_t *loops) { return loops->pools; }

uint64_t loops_stall_ns(const loops_t *loops) { return loops->stall_ns; }
