// SPDX-License-Identifier: Apache-2.0
// The least closed set of steps: a prefix of every thread, grown until nothing is missing.
#include "analyzer/findings/feasible.h"

#include "analyzer/models/array.h"

#include <stdlib.h>
#include <string.h>

// Of a lock: its newest exclusive section in the set, older than which all must be whole, and the
// readers' sections that are newer.
typedef struct {
  uint32_t question;  // what is here belongs to that question, else to none
  uint32_t thread, index;
  bool written;      // thread and index are set
  uint32_t readers;  // index of the first + 1, 0: none
} newest_t;

typedef struct {
  uint32_t thread, index, next;
} section_t;

typedef struct {
  uint32_t question;
  uint32_t wanted, taken;  // steps that must be in the set, that have been followed
  uint32_t end;            // the thread's point, UINT32_MAX: none
  bool queued;
} prefix_t;

struct feasible {
  const thread_order_t *order;
  newest_t *newest;    // by lock
  prefix_t *prefixes;  // by thread
  uint32_t threads, locks;
  uint32_t question;
  uint32_t *queue;  // threads with wanted > taken
  uint32_t queued;
  section_t *readers;  // of all locks, of this question
  uint32_t reader_count, reader_capacity;
  uint64_t steps;
};

feasible_t *feasible_open(const thread_order_t *order, uint32_t locks) {
  feasible_t *feasible = array_zeroed(1, sizeof *feasible);
  feasible->order = order;
  feasible->threads = thread_order_limit(order);
  feasible->locks = locks;
  feasible->newest = array_zeroed((size_t)locks + 1, sizeof *feasible->newest);
  feasible->prefixes = array_zeroed((size_t)feasible->threads + 1, sizeof *feasible->prefixes);
  feasible->queue = array_zeroed((size_t)feasible->threads + 1, sizeof *feasible->queue);
  return feasible;
}

void feasible_close(feasible_t *feasible) {
  if (!feasible) return;
  free(feasible->newest);
  free(feasible->prefixes);
  free(feasible->queue);
  free(feasible->readers);
  free(feasible);
}

static prefix_t *prefix_of(feasible_t *feasible, uint32_t thread) {
  prefix_t *prefix = &feasible->prefixes[thread];
  if (prefix->question != feasible->question)
    *prefix = (prefix_t){.question = feasible->question, .end = UINT32_MAX};
  return prefix;
}

// `count` steps of the thread belong to the set. False: it would be past its point.
static bool want(feasible_t *feasible, uint32_t thread, uint32_t count) {
  prefix_t *prefix = prefix_of(feasible, thread);
  if (count > prefix->end) return false;
  if (count > prefix->wanted) prefix->wanted = count;
  if (!prefix->queued && prefix->wanted > prefix->taken) {
    prefix->queued = true;
    feasible->queue[feasible->queued++] = thread;
  }
  return true;
}

static bool want_release(feasible_t *feasible, uint32_t thread, uint32_t index) {
  uint32_t released = thread_order_step(feasible->order, thread, index)->position;
  return released && want(feasible, thread, released);
}

static bool is_newer(const feasible_t *feasible, uint32_t thread, uint32_t index,
                     const order_step_t *than) {
  return thread_order_step(feasible->order, thread, index)->when > than->when;
}

// A reader excludes writers only: it is whole before the newest of them, or after it.
static bool follow_reader(feasible_t *feasible, newest_t *newest, uint32_t thread, uint32_t index) {
  const order_step_t *step = thread_order_step(feasible->order, thread, index);
  if (newest->written && is_newer(feasible, newest->thread, newest->index, step))
    return want_release(feasible, thread, index);
  ARRAY_RESERVE(feasible->readers, feasible->reader_capacity, feasible->reader_count + 1);
  feasible->readers[feasible->reader_count++] = (section_t){thread, index, newest->readers};
  newest->readers = feasible->reader_count;
  return !newest->written || want_release(feasible, newest->thread, newest->index);
}

// Readers before the newest writer must be whole; those behind it need the writer to be whole.
static bool divide_readers(feasible_t *feasible, newest_t *newest, const order_step_t *writer) {
  uint32_t rest = newest->readers, newer = 0;
  while (rest) {
    section_t *reader = &feasible->readers[rest - 1];
    uint32_t next = reader->next;
    ++feasible->steps;
    if (is_newer(feasible, reader->thread, reader->index, writer)) {
      reader->next = newer;
      newer = rest;
    } else if (!want_release(feasible, reader->thread, reader->index)) {
      return false;
    }
    rest = next;
  }
  newest->readers = newer;
  return true;
}

static bool follow_writer(feasible_t *feasible, newest_t *newest, uint32_t thread, uint32_t index) {
  const order_step_t *step = thread_order_step(feasible->order, thread, index);
  newest_t before = *newest;
  if (before.written && is_newer(feasible, before.thread, before.index, step))
    return want_release(feasible, thread, index);
  newest->thread = thread;
  newest->index = index;
  newest->written = true;
  if (!divide_readers(feasible, newest, step)) return false;
  if (newest->readers && !want_release(feasible, thread, index)) return false;
  return !before.written || want_release(feasible, before.thread, before.index);
}

static bool follow_acquire(feasible_t *feasible, uint32_t thread, uint32_t index) {
  const order_step_t *step = thread_order_step(feasible->order, thread, index);
  if (step->lock >= feasible->locks) return false;
  newest_t *newest = &feasible->newest[step->lock];
  if (newest->question != feasible->question) *newest = (newest_t){.question = feasible->question};
  bool reader = step->thread;
  return reader ? follow_reader(feasible, newest, thread, index)
                : follow_writer(feasible, newest, thread, index);
}

static bool follow_round(feasible_t *feasible, uint32_t round) {
  uint32_t count;
  const order_member_t *members = thread_order_members(feasible->order, round, &count);
  for (uint32_t at = 0; at < count; ++at)
    if (!want(feasible, members[at].thread, members[at].position)) return false;
  return true;
}

static bool follow(feasible_t *feasible, uint32_t thread, uint32_t index) {
  const order_step_t *step = thread_order_step(feasible->order, thread, index);
  ++feasible->steps;
  if (step->lock) return follow_acquire(feasible, thread, index);
  if (step->thread) return want(feasible, step->thread, step->position);
  return !step->position || follow_round(feasible, step->position - 1);
}

static bool follow_thread(feasible_t *feasible, uint32_t thread) {
  prefix_t *prefix = prefix_of(feasible, thread);
  prefix->queued = false;
  if (!prefix->taken && prefix->wanted) {
    order_member_t start = thread_order_start(feasible->order, thread);
    if (start.thread && !want(feasible, start.thread, start.position)) return false;
  }
  while (prefix->taken < prefix->wanted)
    if (!follow(feasible, thread, prefix->taken++)) return false;
  return true;
}

bool feasible_points(feasible_t *feasible, const order_member_t *points, uint32_t count) {
  ++feasible->question;
  feasible->queued = feasible->reader_count = 0;
  for (uint32_t at = 0; at < count; ++at) {
    if (points[at].position == ORDER_UNKNOWN || points[at].thread >= feasible->threads)
      return false;
    prefix_of(feasible, points[at].thread)->end = points[at].position;
  }
  for (uint32_t at = 0; at < count; ++at)
    if (!want(feasible, points[at].thread, points[at].position)) return false;
  while (feasible->queued) {
    if (feasible->steps > FEASIBLE_STEPS_MAX) return false;
    if (!follow_thread(feasible, feasible->queue[--feasible->queued])) return false;
  }
  return true;
}
