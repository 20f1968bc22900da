// SPDX-License-Identifier: Apache-2.0
// Queues of pools. See the header.
#include "analyzer/models/pool_queue.h"

#include "analyzer/models/array.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

void pool_queue_clear(pool_queue_t *queue) {
  free(queue->items);
  *queue = (pool_queue_t){0};
}

// The backlog until now was what it is; from now on it is another.
static void note_backlog(pool_queue_t *queue, uint64_t time) {
  if (time < queue->changed_ns) return;
  if (queue->backlog) timeline_level(queue->backlog, queue->changed_ns, time, queue->count);
  queue->changed_ns = time;
}

static void grow(pool_queue_t *queue) {
  uint32_t capacity = queue->capacity ? queue->capacity * 2 : FIRST_CAPACITY;
  pool_queued_t *items = array_zeroed(capacity, sizeof *items);
  for (uint32_t at = 0; at < queue->count; ++at)
    items[at] = queue->items[(queue->first + at) % queue->capacity];
  free(queue->items);
  queue->items = items;
  queue->capacity = capacity;
  queue->first = 0;
}

static void drop(pool_queue_t *queue) {
  queue->first = (queue->first + 1) % queue->capacity;
  --queue->count;
}

// A call is recorded as it returns, which may be after the worker that it woke went to work.
static bool was_taken(pool_queue_t *queue, uint64_t from, uint64_t until, uint64_t *queued_ns) {
  uint64_t *oldest = NULL;
  for (unsigned at = 0; at < POOL_QUEUE_LATE; ++at)
    if (queue->late[at] >= from && queue->late[at] && queue->late[at] <= until &&
        (!oldest || queue->late[at] < *oldest))
      oldest = &queue->late[at];
  if (!oldest) return false;
  *queued_ns = *oldest - from;
  *oldest = 0;
  return true;
}

bool pool_queue_put(pool_queue_t *queue, uint64_t amount, uint64_t from, uint64_t until,
                    uint64_t *queued_ns) {
  queue->put_ns = until;
  if (until > from && was_taken(queue, from, until, queued_ns)) return true;
  note_backlog(queue, from);
  if (queue->limit && queue->count == queue->limit) drop(queue);
  if (queue->count == queue->capacity) grow(queue);
  queue->items[(queue->first + queue->count++) % queue->capacity] = (pool_queued_t){from, amount};
  return false;
}

bool pool_queue_take(pool_queue_t *queue, uint64_t amount, uint64_t time, uint64_t *queued_ns) {
  if (!queue->count || queue->items[queue->first].time > time) {
    queue->late[queue->late_next++ % POOL_QUEUE_LATE] = time;
    return false;
  }
  note_backlog(queue, time);
  *queued_ns = time - queue->items[queue->first].time;
  while (queue->count && amount) {
    pool_queued_t *oldest = &queue->items[queue->first];
    if (oldest->amount > amount) {
      oldest->amount -= amount;
      return true;
    }
    amount -= oldest->amount;
    drop(queue);
  }
  return true;
}

uint64_t pool_queue_time(const pool_queue_t *queue, uint32_t index) {
  return queue->items[(queue->first + index) % queue->capacity].time;
}

void pool_queue_found_empty(pool_queue_t *queue, uint64_t time) {
  if (!queue->count || queue->items[queue->first].time >= time) return;
  note_backlog(queue, time);
  while (queue->count && queue->items[queue->first].time < time) drop(queue);
}
