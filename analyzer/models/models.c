// SPDX-License-Identifier: Apache-2.0
// Feeds each event to the models that want it, and what one model learns to the others.
#include "analyzer/models/models.h"

#include "analyzer/models/address_map.h"
#include "analyzer/models/array.h"

#include <stdlib.h>

enum { MODULE_CHECK_EVENTS = 4096, DEFAULT_STALL_MS = 10 };

struct models {
  const reader_t *reader;
  threads_t *threads;
  heap_t *heap;
  thread_order_t *order;
  dependencies_t *dependencies;
  wakers_t *wakers;
  wakers_watch_t *watch;  // NULL: nobody does
  void *watch_context;
  critical_path_t *path;
  locks_t *locks;
  loops_t *loops;
  uint64_t kinds[TRACE_KIND_LIMIT];
  uint64_t steps, end_ns;
  // Handle -> order_message_t of its creation, until the thread starts; a process that is forked
  // goes by its pid above all handles.
  address_map_t creations;
  // Of several traces: loops are numbered by descriptors, which are each process's own.
  bool joined;
  address_map_t mains;  // pid -> its first thread
};

static void note_wakeup(void *context, const wakeup_t *wakeup) {
  const models_t *models = context;
  if (wakeup->how == WAKE_CONDITION) locks_condition_woken(models->locks, wakeup);
  critical_path_wake(models->path, wakeup);
  if (models->watch) models->watch(models->watch_context, wakeup);
}

void models_watch_wakeups(models_t *models, wakers_watch_t *watch, void *context) {
  models->watch = watch;
  models->watch_context = context;
}

models_t *models_open(const reader_t *reader) {
  models_t *models = array_zeroed(1, sizeof *models);
  double stall_ms = reader ? reader_summary(reader)->stall_ms : DEFAULT_STALL_MS;
  if (!(stall_ms > 0)) stall_ms = DEFAULT_STALL_MS;
  models->reader = reader;
  models->joined = reader && reader_part_count(reader) > 1;
  models->threads = threads_open(reader);
  models->heap = heap_open(reader ? reader_summary(reader)->sampling_bytes : 0);
  models->order = thread_order_open();
  if (reader && reader_summary(reader)->lock_rate < 1) thread_order_leave_gaps(models->order);
  models->creations = (address_map_t)ADDRESS_MAP(order_message_t);
  models->dependencies = dependencies_open(models->order);
  models->wakers = wakers_open(models->threads);
  wakers_watch(models->wakers, note_wakeup, models);
  models->path = critical_path_open(models->threads);
  models->locks =
      locks_open(reader, models->heap, models->dependencies, models->wakers, models->threads);
  locks_set_path(models->locks, models->path);
  critical_path_set_locks(models->path, models->locks);
  models->loops = loops_open((uint64_t)(stall_ms * 1e6));
  if (reader && reader_summary(reader)->task_rate < 1)
    loops_sample(models->loops, reader_summary(reader)->task_rate);
  return models;
}

void models_close(models_t *models) {
  if (!models) return;
  size_t position = 0;
  uint64_t handle;
  for (order_message_t *message;
       (message = address_map_next(&models->creations, &position, &handle));)
    order_message_drop(message);
  address_map_clear(&models->creations);
  address_map_clear(&models->mains);
  loops_close(models->loops);
  locks_close(models->locks);
  critical_path_close(models->path);
  wakers_close(models->wakers);
  dependencies_close(models->dependencies);
  thread_order_close(models->order);
  heap_close(models->heap);
  threads_close(models->threads);
  free(models);
}

// `created` 0: it has not started yet, and is known by `key` when it does.
static void note_message(models_t *models, uint32_t created, uint64_t key,
                         order_message_t *message) {
  if (created) {
    thread_order_begin(models->order, created, message);
    return;
  }
  order_message_t *waiting = address_map_put(&models->creations, key);
  order_message_drop(waiting);
  *waiting = *message;
}

static uint32_t not_begun(const models_t *models, uint32_t thread) {
  return thread && !thread_order_has_begun(models->order, thread) ? thread : 0;
}

// A creation that returned: its thread may have started, even ended, before or come later.
static void note_creation(models_t *models, const reader_event_t *event) {
  uint64_t handle = event->words[0];
  if (event->arg || !handle) return;
  uint32_t created = not_begun(models, threads_by_handle(models->threads, handle, false));
  order_message_t message = thread_order_send(models->order, event->thread);
  note_message(models, created, handle, &message);
  lock_guards_create(models->locks, event->thread, created, handle);
}

static uint64_t pid_key(uint64_t pid) { return UINT64_C(1) << 63 | pid; }

// Everything before a fork comes before everything in the child, whose record stands beside.
static void note_fork(models_t *models, const reader_event_t *event) {
  int64_t child = trace_unzigzag(event->arg);
  if (!models->joined || child <= 0) return;
  const uint64_t *main_thread = address_map_get(&models->mains, (uint64_t)child);
  order_message_t message = thread_order_send(models->order, event->thread);
  note_message(models, not_begun(models, main_thread ? (uint32_t)*main_thread : 0),
               pid_key((uint64_t)child), &message);
}

static void note_start(models_t *models, const reader_event_t *event) {
  order_message_t message;
  if (address_map_remove(&models->creations, event->words[0], &message)) {
    thread_order_begin(models->order, event->thread, &message);
    lock_guards_start(models->locks, event->thread, event->words[0]);
  }
  if (!models->joined || !reader_thread(models->reader, event->thread)->main) return;
  *(uint64_t *)address_map_put(&models->mains, event->arg) = event->thread;
  if (address_map_remove(&models->creations, pid_key(event->arg), &message))
    thread_order_begin(models->order, event->thread, &message);
}

static void note_join(models_t *models, const reader_event_t *event) {
  uint32_t joined = threads_by_handle(models->threads, event->words[0], true);
  if (!joined || event->arg) return;
  order_message_t message = thread_order_send(models->order, joined);
  thread_order_receive(models->order, event->thread, &message, ORDER_ALWAYS);
  order_message_drop(&message);
  lock_guards_join(models->locks, event->thread, joined);
}

static void step_loops(models_t *models, const reader_event_t *event) {
  if (!models->joined) loops_step(models->loops, event);
}

// An allocation, in a turn.
static void step_turn(models_t *models, const reader_event_t *event) {
  if (event->stack && !models->joined) loops_go_on(models->loops, event);
}

// What a thread does with its time, and who woke it.
static void step_work(models_t *models, const reader_event_t *event) {
  if (models->joined) return;
  wakers_step(models->wakers, event);
  loops_step(models->loops, event);
}

static void step_heap(models_t *models, const reader_event_t *event) {
  heap_block_t gone;
  if (heap_step(models->heap, event, &gone))
    locks_retire(models->locks, gone.address, gone.size, LOCK_END_FREED, event);
}

static void step_thread(models_t *models, const reader_event_t *event) {
  critical_path_step(models->path, event);
  switch (event->kind) {
  case TRACE_THREAD_START:
    note_start(models, event);
    break;
  case TRACE_THREAD_CREATE:
    note_creation(models, event);
    locks_step(models->locks, event);
    break;
  case TRACE_THREAD_JOIN:
    note_join(models, event);
    locks_step(models->locks, event);
    break;
  case TRACE_THREAD_END:
    locks_step(models->locks, event);
    break;
  default:
    break;
  }
  step_work(models, event);
}

// What is given away is on its way before the call returns.
static void step_beginning(models_t *models, const reader_event_t *event) {
  lock_descriptor_step(models->locks, event);
  if (models->joined) return;
  wakers_step(models->wakers, event);
  loops_begin_write(models->loops, event);
}

// All but what threads know of it.
static void step_others(models_t *models, const reader_event_t *event) {
  ++models->kinds[event->kind];
  if (!(++models->steps % MODULE_CHECK_EVENTS)) locks_check_modules(models->locks);
  switch (trace_event_kinds[event->kind].family) {
  case TRACE_FAMILY_HEAP:
    step_heap(models, event);
    step_turn(models, event);
    break;
  case TRACE_FAMILY_LOCK:
    if (event->kind == TRACE_LOCK_MEMORY_FREED) {
      locks_retire(models->locks, event->words[0], event->arg, LOCK_END_FREED, event);
      break;
    }
    critical_path_step(models->path, event);
    locks_step(models->locks, event);
    step_work(models, event);
    break;
  case TRACE_FAMILY_THREAD:
    step_thread(models, event);
    break;
  case TRACE_FAMILY_FACT:
    heap_step(models->heap, event, NULL);
    locks_step(models->locks, event);
    if (event->kind == TRACE_PENDING) step_loops(models, event);
    break;
  default:
    if (event->kind == TRACE_FORK) note_fork(models, event);
    critical_path_step(models->path, event);
    lock_descriptor_step(models->locks, event);
    step_work(models, event);
    break;
  }
}

void models_step(models_t *models, const reader_event_t *event) {
  if (event->kind >= TRACE_KIND_LIMIT) return;
  if (event->phase == READER_BEGINS) {
    step_beginning(models, event);
    return;
  }
  if (event->time > models->end_ns) models->end_ns = event->time;
  threads_step(models->threads, event);
  step_others(models, event);
}

// What is looked up in tables of many live blocks is in no cache: it is fetched ahead.
static void run_fetch(const models_t *models, const reader_event_t *events, size_t count) {
  heap_fetch(models->heap, events, count < HEAP_FETCH_MAX ? count : HEAP_FETCH_MAX);
  locks_fetch(models->locks, events, count);
}

// How many events at the beginning are of one thread, and no halves of a call.
static size_t run_length(const reader_event_t *events, size_t count) {
  size_t length = 0;
  while (length < count && events[length].thread == events->thread &&
         events[length].phase == READER_WHOLE)
    ++length;
  return length;
}

static bool is_of_heap(const reader_event_t *event) {
  return trace_event_kinds[event->kind].family == TRACE_FAMILY_HEAP;
}

// A lock that was taken without a wait, or released, and is not handed over with that: nobody was
// woken, and nothing else took time.
static bool is_of_lock(const reader_event_t *event) {
  return (event->kind == TRACE_LOCK_ACQUIRE || event->kind == TRACE_LOCK_RELEASE) &&
         (event->arg & TRACE_LOCK_WHAT) != TRACE_LOCK_SEMAPHORE && event->thread;
}

// All that a run of one thread's calls of the heap tells, of which a program may do little else.
static void run_heap(models_t *models, const reader_event_t *events, size_t count) {
  const bool in_turn = !models->joined && loops_thread_goes_on(models->loops, events->thread);
  models->steps += count;
  for (size_t i = 0; i < count; ++i) {
    ++models->kinds[events[i].kind];
    step_heap(models, &events[i]);
    if (in_turn && events[i].stack) loops_go_on(models->loops, &events[i]);
  }
}

static void run_locks(models_t *models, const reader_event_t *events, size_t count) {
  models->steps += count;
  for (size_t i = 0; i < count; ++i) {
    ++models->kinds[events[i].kind];
    locks_step(models->locks, &events[i]);
  }
  if (!models->joined) loops_run_locks(models->loops, events, count);
}

// How many at the beginning are of the kinds that `is_one` picks.
static size_t count_first(const reader_event_t *events, size_t count,
                          bool (*is_one)(const reader_event_t *)) {
  size_t first = 0;
  while (first < count && is_one(&events[first])) ++first;
  return first;
}

// All but what threads know of it.
static void run_others(models_t *models, const reader_event_t *events, size_t count) {
  for (size_t length; count > 0; events += length, count -= length) {
    const size_t steps_left = MODULE_CHECK_EVENTS - models->steps % MODULE_CHECK_EVENTS;
    const size_t limit = count < steps_left ? count : steps_left - 1;
    if ((length = count_first(events, limit, is_of_heap)) > 0) {
      run_heap(models, events, length);
    } else if ((length = count_first(events, limit, is_of_lock)) > 0) {
      run_locks(models, events, length);
    } else {
      step_others(models, events);
      length = 1;
    }
  }
}

void models_run(models_t *models, const reader_event_t *events, size_t count) {
  if (count > 1) run_fetch(models, events, count);
  for (size_t length; count > 0; events += length, count -= length) {
    length = run_length(events, count);
    if (length < 2) {
      models_step(models, events);
      length = 1;
      continue;
    }
    if (events[length - 1].time > models->end_ns) models->end_ns = events[length - 1].time;
    threads_run(models->threads, events, length);
    run_others(models, events, length);
  }
}

void models_finish(models_t *models) {
  models->end_ns = models_end_ns(models);
  threads_finish(models->threads, models->end_ns);
  heap_finish(models->heap);
  locks_check_modules(models->locks);
  locks_finish(models->locks, models->threads, models->end_ns);
  wakers_finish(models->wakers);
  critical_path_finish(models->path, models->end_ns);
  dependencies_finish(models->dependencies);
  if (models->reader)
    loops_note_lost(models->loops,
                    reader_summary(models->reader)->lost_by_kind[TRACE_DESCRIPTOR_SAMPLED],
                    reader_summary(models->reader)->connections_out);
  loops_finish(models->loops, models->end_ns);
}

const reader_t *models_reader(const models_t *models) { return models->reader; }
const threads_t *models_threads(const models_t *models) { return models->threads; }
const locks_t *models_locks(const models_t *models) { return models->locks; }
const wakers_t *models_wakers(const models_t *models) { return models->wakers; }
const critical_path_t *models_critical_path(const models_t *models) { return models->path; }
const dependencies_t *models_dependencies(const models_t *models) { return models->dependencies; }
const thread_order_t *models_order(const models_t *models) { return models->order; }
const heap_t *models_heap(const models_t *models) { return models->heap; }
const loops_t *models_loops(const models_t *models) { return models->loops; }
const tasks_t *models_tasks(const models_t *models) { return loops_tasks(models->loops); }

uint64_t models_kind_count(const models_t *models, unsigned kind) {
  return kind < TRACE_KIND_LIMIT ? models->kinds[kind] : 0;
}

uint64_t models_event_count(const models_t *models) {
  uint64_t count = 0;
  for (unsigned kind = 0; kind < TRACE_KIND_LIMIT; ++kind)
    if (kind != TRACE_PENDING && kind != TRACE_LOST && kind != TRACE_THREAD_SCHEDULED)
      count += models->kinds[kind];
  return count;
}

uint64_t models_family_count(const models_t *models, unsigned family) {
  uint64_t count = 0;
  for (unsigned kind = 0; kind < TRACE_KIND_LIMIT; ++kind)
    if (trace_event_kinds[kind].name && (unsigned)trace_event_kinds[kind].family == family)
      count += models->kinds[kind];
  return count;
}

uint64_t models_end_ns(const models_t *models) {
  uint64_t end = models->reader ? reader_summary(models->reader)->duration_ns : 0;
  return end > models->end_ns ? end : models->end_ns;
}
