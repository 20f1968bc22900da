// SPDX-License-Identifier: Apache-2.0
// Event loops: waits, turns, batches, lag and stalls of every epoll instance.
#include "analyzer/models/array.h"
#include "analyzer/models/loops_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

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

void loops_note_lost(loops_t *loops, uint64_t connections, uint64_t out) {
  tasks_note_lost(loops->tasks, connections, out);
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

loop_t *loops_find(const loops_t *loops, int32_t descriptor) {
  const uint64_t *id = address_map_get(&loops->open, key_of(descriptor));
  return id ? loops->items[*id - 1] : NULL;
}

loop_t *loops_of(loops_t *loops, int32_t descriptor, const reader_event_t *event) {
  loop_t *loop = loops_find(loops, descriptor);
  return loop ? loop : loops_begin(loops, descriptor, event);
}

void loops_end(loops_t *loops, int32_t descriptor, uint64_t time) {
  loop_t *loop = loops_find(loops, descriptor);
  if (!loop) return;
  loop->closed_ns = time;
  address_map_remove(&loops->open, key_of(descriptor), NULL);
}

static void step_create(loops_t *loops, const reader_event_t *event) {
  int32_t descriptor = (int32_t)event->arg;
  if (descriptor < 0) return;
  loops_end(loops, descriptor, event->time);
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
  if (out && out != TURN_OUT_UNKNOWN) stall.who = name_of_out(loops, (int32_t)(out - 1));
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
    loops_note_ready(loops, task, event);
  }
  ++turn->share_count;
}

static void step_ready(loops_t *loops, const reader_event_t *event) {
  turn_t *turn = &loops_thread(loops, event->thread)->turn;
  if (turn->active)
    loops_add_ready(loops, turn, loops_task_of_token(loops, turn->loop, event->words[0]), event);
}

static bool begins_turn(uint8_t kind) {
  return kind == TRACE_EPOLL_WAIT || kind == TRACE_READY || kind == TRACE_POLL ||
         kind == TRACE_READY_DESCRIPTOR;
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

// What is no call on a descriptor and begins no turn. False where it is something else.
static bool step_apart(loops_t *loops, const reader_event_t *event) {
  if (only_goes_on(event->kind))
    loops_go_on(loops, event);
  else if (event->kind == TRACE_PENDING)
    loops_pending(loops, event);
  else if (event->kind == TRACE_TRANSFER_SLOW)
    loops_slow(loops, event);
  else
    return loops_sampled_step(loops, event);
  return true;
}

void loops_step(loops_t *loops, const reader_event_t *event) {
  pools_step(loops->pools, event);
  if (step_apart(loops, event)) return;
  uint64_t from = 0;
  if (!begins_turn(event->kind)) from = loops_note_call(loops, event);
  tasks_describe(loops->tasks, event);
  switch (event->kind) {
  case TRACE_EPOLL_HELD:
    loops_hold(loops, event);
    break;
  case TRACE_EPOLL_CREATE:
    step_create(loops, event);
    break;
  case TRACE_EPOLL_CTL:
    loops_control(loops, event);
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
    loops_call(loops, event, from);
    break;
  case TRACE_CONNECT:
  case TRACE_SYNC:
  case TRACE_SHUTDOWN:
    loops_note_handling(loops, event, (int32_t)event->arg, from);
    break;
  case TRACE_POLL:
    loops_poll(loops, event);
    break;
  case TRACE_READY_DESCRIPTOR:
    loops_poll_ready(loops, event);
    break;
  case TRACE_CLOSE:
    loops_close_descriptor(loops, event);
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
