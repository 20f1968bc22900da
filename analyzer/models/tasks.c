// SPDX-License-Identifier: Apache-2.0
// Descriptor tasks: live ones by descriptor, ended ones in a ring of the newest.
#include "analyzer/models/tasks.h"

#include "analyzer/models/address_map.h"
#include "analyzer/models/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// A blocking call with a time limit of its own (SO_RCVTIMEO) says the same, but after longer.
#define AGAIN_NS UINT64_C(1000000)

struct tasks {
  uint32_t last_id;
  address_map_t live;     // descriptor + 1 -> task_t *
  address_map_t by_id;    // task_t *, live and kept
  address_map_t left;     // descriptor + 1 -> id of the task that left its loop, while it is open
  address_map_t by_file;  // of live tasks whose descriptor has copies: task_t *
  descriptors_t *descriptors;
  task_t **ended;  // ring: the newest TASKS_ENDED_MAX
  uint32_t ended_capacity;
  uint64_t ended_count, dropped;
  task_t **order;  // after tasks_finish: all kept, by id
  uint32_t count;
  double rate;          // of sampling connections
  tasks_totals_t gone;  // of those that are no longer kept
  uint64_t out, lost;   // connections out of the sample; and of which nothing is known
};

static const char *const state_names[] = {
#define STATE(name, text) text,
    TASK_STATE_TABLE(STATE)
#undef STATE
};

const char *task_state_name(task_state_t state) { return state_names[state]; }

tasks_t *tasks_open(void) {
  tasks_t *tasks = array_zeroed(1, sizeof *tasks);
  tasks->descriptors = descriptors_open();
  tasks->rate = 1;
  return tasks;
}

void tasks_sample(tasks_t *tasks, double rate) { tasks->rate = rate; }

void tasks_note_lost(tasks_t *tasks, uint64_t connections, uint64_t out) {
  tasks->lost = connections;
  tasks->out += out;
}

uint64_t tasks_weight(const tasks_t *tasks, const task_t *task) {
  return task->drawn && tasks->rate > 0 ? estimate_round(1 / tasks->rate) : 1;
}

static void totals_add(tasks_totals_t *totals, const task_t *task) {
  ++totals->recorded;
  totals->drawn += task->drawn;
  estimate_sum_add(&totals->polls, task->polls, task->drawn);
  estimate_sum_add(&totals->calls, task->reads + task->writes + task->accepts, task->drawn);
  estimate_sum_add(&totals->bytes_in, task->bytes_in, task->drawn);
  estimate_sum_add(&totals->bytes_out, task->bytes_out, task->drawn);
  estimate_sum_add(&totals->responses, task->responses, task->drawn);
}

estimate_total_t tasks_total(const tasks_totals_t *totals, const estimate_sum_t *sum) {
  return estimate_sum_total(sum, totals->drawn, totals->drawn + totals->out);
}

tasks_totals_t tasks_totals(const tasks_t *tasks) {
  tasks_totals_t totals = tasks->gone;
  totals.rate = tasks->rate;
  totals.out = tasks->out;
  totals.lost = tasks->lost;
  for (uint32_t at = 0; at < tasks->count; ++at) totals_add(&totals, tasks->order[at]);
  return totals;
}

static void free_task(task_t *task) {
  free(task->name);
  free(task->covered);
  free(task);
}

void tasks_close(tasks_t *tasks) {
  if (!tasks) return;
  size_t position = 0;
  uint64_t id;
  for (task_t **task; (task = address_map_next(&tasks->by_id, &position, &id));) free_task(*task);
  address_map_clear(&tasks->live);
  address_map_clear(&tasks->left);
  address_map_clear(&tasks->by_file);
  address_map_clear(&tasks->by_id);
  descriptors_close(tasks->descriptors);
  free(tasks->ended);
  free(tasks->order);
  free(tasks);
}

static uint64_t key_of(int32_t descriptor) { return (uint64_t)(uint32_t)descriptor + 1; }

static task_t *with_number(const tasks_t *tasks, int32_t descriptor) {
  task_t **task = address_map_get(&tasks->live, key_of(descriptor));
  return task ? *task : NULL;
}

task_t *tasks_live(tasks_t *tasks, int32_t descriptor) {
  task_t *own = with_number(tasks, descriptor);
  if (own || !tasks->by_file.count) return own;
  const descriptor_t *known = descriptors_get(tasks->descriptors, descriptor);
  task_t **task = known && known->file ? address_map_get(&tasks->by_file, known->file) : NULL;
  return task ? *task : NULL;
}

// Whatever copy of its descriptor is named, it is this task.
static void note_file(tasks_t *tasks, task_t *task) {
  const descriptor_t *known = descriptors_get(tasks->descriptors, task->descriptor);
  if (!known || !known->file) return;
  task_t **of_file = address_map_put(&tasks->by_file, known->file);
  task->file = known->file;
  if (!*of_file) *of_file = task;  // a copy that is registered itself is another task
}

task_t *tasks_find(tasks_t *tasks, uint32_t id) {
  task_t **task = address_map_get(&tasks->by_id, id);
  return task ? *task : NULL;
}

// What is known of its descriptor now.
static void describe(tasks_t *tasks, task_t *task) {
  const descriptor_t *known = descriptors_get(tasks->descriptors, task->descriptor);
  if (!known) return;
  if (known->kind) task->kind = known->kind;
  if (known->parent) task->parent = known->parent;
  if (known->drawn) task->drawn = true;
  if (!known->name || (task->name && !strcmp(task->name, known->name))) return;
  free(task->name);
  task->name = strdup(known->name);
}

void tasks_describe(tasks_t *tasks, const reader_event_t *event) {
  int32_t changed;
  tasks->out += event->kind == TRACE_DESCRIPTOR_SAMPLED && event->words[0] == TRACE_SAMPLED_OUT;
  if (!descriptors_step(tasks->descriptors, event, &changed)) return;
  task_t *task = tasks_live(tasks, changed);
  if (task) describe(tasks, task);
  if (event->kind != TRACE_DESCRIPTOR_OPEN || event->words[0] != TRACE_DESCRIPTOR_COPY) return;
  task = tasks_live(tasks, (int32_t)trace_unzigzag(event->words[1]));
  if (task && !task->file) note_file(tasks, task);
}

const descriptor_t *tasks_descriptor(const tasks_t *tasks, int32_t descriptor) {
  return descriptors_get(tasks->descriptors, descriptor);
}

static task_t *begin_task(tasks_t *tasks, int32_t descriptor) {
  task_t *task = array_zeroed(1, sizeof *task);
  task->id = ++tasks->last_id;
  task->descriptor = descriptor;
  *(task_t **)address_map_put(&tasks->live, key_of(descriptor)) = task;
  *(task_t **)address_map_put(&tasks->by_id, task->id) = task;
  describe(tasks, task);
  note_file(tasks, task);
  return task;
}

// The task that left this loop a moment ago, alive again; NULL: none.
static task_t *revive(tasks_t *tasks, int32_t descriptor, uint32_t loop, uint64_t since) {
  const uint64_t *left = address_map_get(&tasks->left, key_of(descriptor));
  task_t *task = left ? tasks_find(tasks, (uint32_t)*left) : NULL;
  if (!task || task->loop != loop || task->ended_ns < since) return NULL;
  address_map_remove(&tasks->left, key_of(descriptor), NULL);
  tasks->ended[task->kept_at] = NULL;
  task->ended_ns = 0;
  task->state = TASK_STATE_PENDING;
  *(task_t **)address_map_put(&tasks->live, key_of(descriptor)) = task;
  note_file(tasks, task);
  return task;
}

task_t *tasks_register(tasks_t *tasks, int32_t descriptor, uint32_t loop, uint64_t token,
                       uint32_t stack, uint64_t since, uint64_t time) {
  task_t *task = with_number(tasks, descriptor);
  if (!task && (task = revive(tasks, descriptor, loop, since))) stack = task->site;
  if (!task) {
    task = begin_task(tasks, descriptor);
    task->created_ns = time;
    descriptors_note_task(tasks->descriptors, descriptor);
  }
  if (!task->registrations || task->adopted) {
    task->loop = loop;
    task->token = token;
    task->site = stack;
  }
  if (!task->adopted) ++task->registrations;
  task->adopted = false;
  return task;
}

task_t *tasks_adopt(tasks_t *tasks, int32_t descriptor, uint32_t loop, uint64_t time) {
  const descriptor_t *known = descriptors_get(tasks->descriptors, descriptor);
  if (!known || known->kind != DESCRIPTOR_CONNECTION || !known->parent || known->was_task ||
      known->skipped)
    return NULL;
  task_t *task = tasks_register(tasks, descriptor, loop, 0, 0, UINT64_MAX, time);
  task->adopted = true;
  return task;
}

// Keeps the ended task; the oldest of too many is dropped.
static void keep_ended(tasks_t *tasks, task_t *task) {
  uint32_t place = (uint32_t)(tasks->ended_count++ % TASKS_ENDED_MAX);
  ARRAY_RESERVE(tasks->ended, tasks->ended_capacity, place + 1);
  task_t *dropped = tasks->ended[place];
  tasks->ended[place] = task;
  task->kept_at = place;
  if (!dropped) return;
  ++tasks->dropped;
  totals_add(&tasks->gone, dropped);
  address_map_remove(&tasks->by_id, dropped->id, NULL);
  free_task(dropped);
}

// The number may be another's by now.
static void forget_number(tasks_t *tasks, const task_t *task) {
  task_t **of_number = address_map_get(&tasks->live, key_of(task->descriptor));
  if (of_number && *of_number == task)
    address_map_remove(&tasks->live, key_of(task->descriptor), NULL);
}

void tasks_unregister(tasks_t *tasks, task_t *task, bool closed, uint64_t time) {
  if (!closed && task->registrations > 1) {
    --task->registrations;
    return;
  }
  task->registrations = 0;
  task->ended_ns = time > task->created_ns ? time : task->created_ns;
  task->state = task->failed ? TASK_STATE_FAILED : TASK_STATE_COMPLETED;
  forget_number(tasks, task);
  if (!closed) *(uint64_t *)address_map_put(&tasks->left, key_of(task->descriptor)) = task->id;
  task_t **of_file = task->file ? address_map_get(&tasks->by_file, task->file) : NULL;
  if (of_file && *of_file == task) address_map_remove(&tasks->by_file, task->file, NULL);
  keep_ended(tasks, task);
}

static bool is_failure(int64_t result) {
  return result == -ECONNRESET || result == -EPIPE || result == -ETIMEDOUT ||
         result == -EHOSTUNREACH || result == -ENETUNREACH;
}

static void count_bytes(int64_t result, uint64_t *calls, uint64_t *bytes) {
  ++*calls;
  if (result > 0) *bytes += (uint64_t)result;
}

static void note_accept(tasks_t *tasks, task_t *listener, int64_t result) {
  if (result < 0) return;
  if (listener) {
    ++listener->accepts;
    listener->kind = DESCRIPTOR_LISTENER;
  }
  descriptors_accepted(tasks->descriptors, (int32_t)result, listener ? listener->id : 0);
}

// What several threads had of it at the same time is no more than the time there was.
void tasks_listened(tasks_t *tasks, const reader_event_t *event) {
  task_t *listener = tasks_live(tasks, (int32_t)event->arg);
  if (!listener || event->time < listener->created_ns) return;
  uint64_t left = event->time - listener->created_ns, *const parts[] = {&listener->running_ns,
                                                                        &listener->scheduled_ns,
                                                                        &listener->blocked_ns};
  for (unsigned at = 0; at < sizeof parts / sizeof *parts; ++at)
    left -= *parts[at] < left ? *parts[at] : left;
  for (unsigned at = 0; at < 2; ++at) {
    uint64_t added = event->words[1 + at] < left ? event->words[1 + at] : left;
    *parts[at] += added;
    left -= added;
  }
  listener->accepts += (uint32_t)event->words[0];
  listener->polls += event->words[0] >> 32;
}

// A request begins with the first bytes in after an answer, and ends with the first bytes out.
static uint64_t note_response(task_t *task, const reader_event_t *event) {
  if (event->kind == TRACE_READ) {
    if (!task->asked) task->asked_ns = event->time;
    task->asked = true;
    return 0;
  }
  if (!task->asked || event->time < task->asked_ns) return 0;
  uint64_t response = event->time - task->asked_ns;
  task->asked = false;
  ++task->responses;
  task->response_total_ns += response;
  if (response > task->response_max_ns) task->response_max_ns = response;
  return response ? response : 1;
}

static bool speaks(const task_t *task) {
  return task->kind == DESCRIPTOR_CONNECTION || task->kind == DESCRIPTOR_UNKNOWN;
}

uint64_t tasks_call(tasks_t *tasks, const reader_event_t *event) {
  task_t *task = tasks_live(tasks, (int32_t)event->arg);
  int64_t result = trace_unzigzag(event->words[0]);
  if (event->kind == TRACE_ACCEPT) note_accept(tasks, task, result);
  if (task && result == -EAGAIN && event->words[1] < AGAIN_NS) task->nonblocking = true;
  if (!task || event->kind == TRACE_ACCEPT) return 0;
  if (is_failure(result)) task->failed = true;
  if (event->kind == TRACE_READ) count_bytes(result, &task->reads, &task->bytes_in);
  if (event->kind == TRACE_READ && result > 0) task->woken_ns = 0;  // seen without a wait
  if (event->kind == TRACE_READ && !result && speaks(task) && !task->peer_closed_ns)
    task->peer_closed_ns = event->time;
  if (event->kind == TRACE_WRITE) count_bytes(result, &task->writes, &task->bytes_out);
  return result > 0 && speaks(task) ? note_response(task, event) : 0;
}

void tasks_close_descriptor(tasks_t *tasks, int32_t descriptor, uint64_t time) {
  task_t *task = tasks_live(tasks, descriptor);
  bool stays = tasks_stays(tasks, descriptor);
  if (task && stays && task->descriptor == descriptor) forget_number(tasks, task);
  if (task && !stays) tasks_unregister(tasks, task, true, time);
  if (tasks->left.count) address_map_remove(&tasks->left, key_of(descriptor), NULL);
  descriptors_forget(tasks->descriptors, descriptor);
}

bool tasks_stays(const tasks_t *tasks, int32_t descriptor) {
  return descriptors_shared(tasks->descriptors, descriptor);
}

// The parts of [from, until) outside of `spans`, which are in order and apart.
static unsigned parts_outside(const turn_span_t *spans, uint64_t from, uint64_t until,
                              turn_span_t *parts) {
  unsigned count = 0;
  for (unsigned at = 0; at < TASK_COVERED && from < until; ++at) {
    if (spans[at].until <= from || spans[at].from >= spans[at].until) continue;
    if (spans[at].from >= until) break;
    if (spans[at].from > from) parts[count++] = (turn_span_t){from, spans[at].from};
    from = spans[at].until;
  }
  if (from < until) parts[count++] = (turn_span_t){from, until};
  return count;
}

// Adds a span, and joins what meets; the earliest is forgotten where there is no room. Empty ones
// stand in front.
// How far what is forgotten reaches, else 0.
static uint64_t spans_add(turn_span_t *spans, turn_span_t added) {
  turn_span_t kept[TASK_COVERED + 1];
  unsigned count = 0, first = 0;
  bool placed = false;
  for (unsigned at = 0; at < TASK_COVERED; ++at) {
    if (spans[at].from >= spans[at].until) continue;
    if (spans[at].until < added.from) {
      kept[count++] = spans[at];
    } else if (spans[at].from > added.until) {
      if (!placed) kept[count++] = added;
      placed = true;
      kept[count++] = spans[at];
    } else {
      if (spans[at].from < added.from) added.from = spans[at].from;
      if (spans[at].until > added.until) added.until = spans[at].until;
    }
  }
  if (!placed) kept[count++] = added;
  if (count > TASK_COVERED) first = 1;
  memset(spans, 0, TASK_COVERED * sizeof *spans);
  memcpy(spans + TASK_COVERED - (count - first), kept + first, (count - first) * sizeof *spans);
  return first ? kept[0].until : 0;
}

unsigned tasks_cover(task_t *task, uint64_t from, uint64_t until, turn_span_t *parts) {
  if (from < task->created_ns) from = task->created_ns;
  if (from < task->forgotten_ns) from = task->forgotten_ns;
  if (!task->registrations && until > task->ended_ns) until = task->ended_ns;
  if (until <= from) return 0;
  if (!task->covered && !task->shared && from >= task->last.until) {
    task->last = parts[0] = (turn_span_t){from, until};
    return 1;
  }
  if (!task->covered) {
    task->covered = array_zeroed(TASK_COVERED, sizeof *task->covered);
    task->covered[TASK_COVERED - 1] = task->last;
    task->forgotten_ns = task->last.from;  // what was before is not remembered
    if (from < task->forgotten_ns) from = task->forgotten_ns;
    if (until <= from) return 0;
  }
  unsigned count = parts_outside(task->covered, from, until, parts);
  uint64_t forgotten = spans_add(task->covered, (turn_span_t){from, until});
  if (forgotten > task->forgotten_ns) task->forgotten_ns = forgotten;
  return count;
}

static int compare_ids(const void *left, const void *right) {
  const task_t *a = *(task_t *const *)left, *b = *(task_t *const *)right;
  return a->id < b->id ? -1 : a->id > b->id;
}

static void finish_task(task_t *task, uint64_t end_ns) {
  if (task->registrations) {
    task->ended_ns = end_ns > task->created_ns ? end_ns : task->created_ns;
    if (task->state == TASK_STATE_PENDING && task->polls) task->state = TASK_STATE_IDLE;
  }
  uint64_t life = task->ended_ns - task->created_ns;
  uint64_t used = task->running_ns + task->scheduled_ns + task->blocked_ns;
  task->idle_ns = life > used ? life - used : 0;
}

void tasks_finish(tasks_t *tasks, uint64_t end_ns) {
  size_t position = 0;
  uint64_t id;
  tasks->order = array_resize(tasks->order, tasks->by_id.count + 1, sizeof *tasks->order);
  tasks->count = 0;
  for (task_t **task; (task = address_map_next(&tasks->by_id, &position, &id));) {
    finish_task(*task, end_ns);
    tasks->order[tasks->count++] = *task;
  }
  qsort(tasks->order, tasks->count, sizeof *tasks->order, compare_ids);
}

uint32_t tasks_count(const tasks_t *tasks) { return tasks->count; }

const task_t *tasks_get(const tasks_t *tasks, uint32_t index) { return tasks->order[index]; }

const task_t *tasks_by_id(const tasks_t *tasks, uint32_t id) {
  task_t **task = address_map_get(&tasks->by_id, id);
  return task ? *task : NULL;
}

uint64_t tasks_dropped(const tasks_t *tasks) { return tasks->dropped; }
