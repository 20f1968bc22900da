// SPDX-License-Identifier: Apache-2.0
// Matches waits with the acts that ended them.
#include "analyzer/models/wakers.h"

#include "analyzer/models/address_map.h"
#include "analyzer/models/array.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { ACTS_FIRST = 4, EVERYBODY = UINT32_MAX };
// A call is noted shortly before or after what it does takes effect.
#define NOTE_SLACK_NS UINT64_C(1000000)
// What returns that fast has not waited.
#define LEAST_WAIT_NS UINT64_C(2000)

// Somebody did something that wakes `wakes` others.
typedef struct {
  uint64_t time;
  uint32_t thread, stack;
  uint32_t wakes;
  bool worked;
} act_t;

typedef struct {
  uint64_t from, until;
  uint32_t thread;
} wait_t;

// What threads act and wait on. A ring of acts: act i stands at i % size. Waits whose act has not
// been read yet, for kinds that note it afterwards; the members of a barrier's round.
typedef struct {
  act_t *acts;
  uint64_t count;
  uint32_t size;
  wait_t *waits;
  uint32_t wait_count, wait_capacity, parties;
  uint64_t last_ns;
  wakers_condition_t condition;
} object_t;

// By thread.
typedef struct {
  wait_t idle;  // its last wait for descriptors, until something was read
  bool begun;   // its creation was seen
} waiter_t;

typedef struct {
  uint64_t time;
  uint32_t thread, stack;
} creation_t;

struct wakers {
  const threads_t *threads;
  wakers_watch_t *watch;
  void *context;
  address_map_t objects;    // key -> object_t *
  address_map_t creations;  // handle -> creation_t, until the thread starts
  address_map_t others;     // descriptor -> other end + 1
  waiter_t *waiters;
  uint32_t waiter_capacity;
  address_map_t row_index;  // key -> row + 1
  waker_row_t *rows;
  uint32_t row_count, row_capacity;
  uint64_t total, dropped;
};

static const struct {
  const char *name, *text;
} hows[] = {
#define WAKE(name, key, text) {key, text},
    WAKE_TABLE(WAKE)
#undef WAKE
};

const char *wake_how_name(wake_how_t how) { return hows[how].name; }
const char *wake_how_text(wake_how_t how) { return hows[how].text; }

wakers_t *wakers_open(const threads_t *threads) {
  wakers_t *wakers = array_zeroed(1, sizeof *wakers);
  wakers->threads = threads;
  wakers->creations = (address_map_t)ADDRESS_MAP(creation_t);
  return wakers;
}

static void free_object(object_t *object) {
  free(object->acts);
  free(object->waits);
  free(object);
}

void wakers_close(wakers_t *wakers) {
  if (!wakers) return;
  size_t position = 0;
  uint64_t key;
  for (object_t **object; (object = address_map_next(&wakers->objects, &position, &key));)
    free_object(*object);
  address_map_clear(&wakers->objects);
  address_map_clear(&wakers->creations);
  address_map_clear(&wakers->others);
  address_map_clear(&wakers->row_index);
  free(wakers->waiters);
  free(wakers->rows);
  free(wakers);
}

void wakers_watch(wakers_t *wakers, wakers_watch_t *watch, void *context) {
  wakers->watch = watch;
  wakers->context = context;
}

// ---- rows --------------------------------------------------------------------------------------

static waker_row_t *row_of(wakers_t *wakers, const wakeup_t *wakeup) {
  uint32_t parts[4] = {wakeup->how, wakeup->waker, wakeup->woken, wakeup->stack};
  uint64_t key = XXH3_64bits(parts, sizeof parts) | 1;
  uint64_t *index = address_map_get(&wakers->row_index, key);
  if (index) return &wakers->rows[*index - 1];
  if (wakers->row_count >= WAKERS_ROWS_MAX) return NULL;
  ARRAY_RESERVE(wakers->rows, wakers->row_capacity, wakers->row_count + 1);
  waker_row_t *row = &wakers->rows[wakers->row_count++];
  *row = (waker_row_t){
      .how = wakeup->how, .waker = wakeup->waker, .woken = wakeup->woken, .stack = wakeup->stack};
  *(uint64_t *)address_map_put(&wakers->row_index, key) = wakers->row_count;
  return row;
}

void wakers_add(wakers_t *wakers, const wakeup_t *wakeup) {
  uint64_t latency = wakeup->until - wakeup->woke;
  waker_row_t *row = row_of(wakers, wakeup);
  ++wakers->total;
  if (row) {
    ++row->count;
    row->waited_ns += wakeup->woke - wakeup->from;
    row->latency_ns += latency;
    if (latency > row->latency_max_ns) row->latency_max_ns = latency;
  } else {
    ++wakers->dropped;
  }
  if (wakers->watch) wakers->watch(wakers->context, wakeup);
}

static void report(wakers_t *wakers, wake_how_t how, uint64_t object, const act_t *act,
                   const wait_t *wait) {
  uint64_t woke = act->time < wait->from ? wait->from : act->time;
  wakers_add(wakers, &(wakeup_t){.how = how,
                                 .waker = act->thread,
                                 .woken = wait->thread,
                                 .stack = act->stack,
                                 .object = object,
                                 .from = wait->from,
                                 .woke = woke > wait->until ? wait->until : woke,
                                 .until = wait->until});
}

// ---- objects and acts --------------------------------------------------------------------------

// Those that were idle longest go: a program that makes objects for ever needs no more memory.
static void drop_idle(wakers_t *wakers, uint64_t now) {
  size_t position = 0, found = 0;
  uint64_t key, total = 0;
  for (object_t **object; (object = address_map_next(&wakers->objects, &position, &key));)
    total += now - ((*object)->last_ns < now ? (*object)->last_ns : now);
  uint64_t limit = total / wakers->objects.count;
  uint64_t *gone = array_resize(NULL, wakers->objects.count, sizeof *gone);
  position = 0;
  for (object_t **object; (object = address_map_next(&wakers->objects, &position, &key));) {
    if (now - ((*object)->last_ns < now ? (*object)->last_ns : now) < limit) continue;
    gone[found++] = key;
    free_object(*object);
  }
  while (found) address_map_remove(&wakers->objects, gone[--found], NULL);
  free(gone);
}

static object_t *object_of(wakers_t *wakers, uint64_t key, uint64_t now) {
  object_t **place = address_map_get(&wakers->objects, key);
  if (!place) {
    if (wakers->objects.count >= WAKERS_OBJECTS_MAX) drop_idle(wakers, now);
    place = address_map_put(&wakers->objects, key);
    *place = array_zeroed(1, sizeof **place);
  }
  if (now > (*place)->last_ns) (*place)->last_ns = now;
  return *place;
}

static uint64_t oldest_act(const object_t *object) {
  return object->count > object->size ? object->count - object->size : 0;
}

static void grow_acts(object_t *object) {
  uint32_t size = object->size ? object->size * 2 : ACTS_FIRST;
  act_t *grown = array_zeroed(size, sizeof *grown);
  for (uint64_t at = oldest_act(object); at < object->count; ++at)
    grown[at % size] = object->acts[at % object->size];
  free(object->acts);
  object->acts = grown;
  object->size = size;
}

static void act(object_t *object, uint32_t thread, uint32_t stack, uint64_t time, uint32_t wakes) {
  if (object->count >= object->size && object->size < WAKERS_ACTS_MAX) grow_acts(object);
  act_t *place = &object->acts[object->count % object->size];
  if (object->count >= object->size && !place->worked) ++object->condition.signals_without_effect;
  ++object->count;
  *place = (act_t){time, thread, stack, wakes, false};
}

static bool may_end(const act_t *act, const wait_t *wait) {
  return act->wakes && act->thread != wait->thread && act->time + NOTE_SLACK_NS >= wait->from &&
         act->time <= wait->until;
}

// The first act in the wait; else the last shortly before it. It has woken one more. NULL: none.
static act_t *take_act(object_t *object, const wait_t *wait) {
  act_t *best = NULL;
  for (uint64_t at = object->count, first = oldest_act(object); at-- > first;) {
    act_t *other = &object->acts[at % object->size];
    if (other->time + NOTE_SLACK_NS < wait->from) break;
    if (!may_end(other, wait) || (best && other->time < wait->from)) continue;
    best = other;
  }
  if (!best) return NULL;
  best->worked = true;
  if (best->wakes != EVERYBODY) --best->wakes;
  return best;
}

static bool match(wakers_t *wakers, wake_how_t how, uint64_t name, object_t *object,
                  const wait_t *wait) {
  const act_t *found = take_act(object, wait);
  if (found) report(wakers, how, name, found, wait);
  return found;
}

static wait_t wait_of(const reader_event_t *event, uint64_t duration) {
  return (wait_t){duration < event->time ? event->time - duration : 0, event->time, event->thread};
}

// ---- conditions, semaphores, futexes -----------------------------------------------------------

static void step_condition_wait(wakers_t *wakers, const reader_event_t *event) {
  object_t *object = object_of(wakers, event->words[0], event->time);
  wait_t wait = wait_of(event, event->words[2]);
  if (event->arg) return;
  if (!match(wakers, WAKE_CONDITION, event->words[0], object, &wait))
    ++object->condition.waits_without_signal;
}

static void step_lock(wakers_t *wakers, const reader_event_t *event) {
  if ((event->arg & TRACE_LOCK_WHAT) != TRACE_LOCK_SEMAPHORE) return;
  object_t *object = object_of(wakers, event->words[0], event->time);
  if (event->kind == TRACE_LOCK_RELEASE) {
    act(object, event->thread, event->stack, event->time, 1);
    return;
  }
  wait_t wait = wait_of(event, event->words[1]);
  match(wakers, WAKE_SEMAPHORE, event->words[0], object, &wait);
}

// The wake is noted when it has returned, which may be after the woken one has.
static void step_futex_wait(wakers_t *wakers, const reader_event_t *event) {
  object_t *object = object_of(wakers, event->words[0], event->time);
  wait_t wait = wait_of(event, event->words[1]);
  if (event->arg || match(wakers, WAKE_FUTEX, event->words[0], object, &wait)) return;
  if (object->wait_count >= WAKERS_ACTS_MAX) object->wait_count = 0;
  ARRAY_RESERVE(object->waits, object->wait_capacity, object->wait_count + 1);
  object->waits[object->wait_count++] = wait;
}

static void step_futex_wake(wakers_t *wakers, const reader_event_t *event) {
  int64_t woken = trace_unzigzag(event->arg);
  if (woken <= 0) return;
  object_t *object = object_of(wakers, event->words[0], event->time);
  act_t done = {event->time, event->thread, event->stack, 1, true};
  uint32_t left = woken > WAKERS_ACTS_MAX ? WAKERS_ACTS_MAX : (uint32_t)woken, at = 0;
  for (; at < object->wait_count && left; ++at) {
    const wait_t *wait = &object->waits[at];
    if (wait->until + NOTE_SLACK_NS < event->time || wait->thread == event->thread) continue;
    report(wakers, WAKE_FUTEX, event->words[0], &done, wait);
    --left;
  }
  object->wait_count -= at;
  if (object->wait_count)
    memmove(object->waits, object->waits + at, object->wait_count * sizeof *object->waits);
  if (left) act(object, event->thread, event->stack, event->time, left);
}

// ---- barriers ----------------------------------------------------------------------------------

static void init_barrier(wakers_t *wakers, const reader_event_t *event) {
  object_t *object = object_of(wakers, event->words[0], event->time);
  object->parties = event->arg <= UINT16_MAX ? (uint32_t)event->arg : 0;
  object->wait_count = 0;
}

// When all have passed, it is known who came last: that one woke the others.
static void end_round(wakers_t *wakers, uint64_t barrier, object_t *object) {
  const wait_t *last = object->waits;
  for (uint32_t at = 1; at < object->wait_count; ++at)
    if (object->waits[at].from > last->from) last = &object->waits[at];
  act_t arrival = {last->from, last->thread, 0, EVERYBODY, true};
  for (uint32_t at = 0; at < object->wait_count; ++at)
    if (&object->waits[at] != last)
      report(wakers, WAKE_BARRIER, barrier, &arrival, &object->waits[at]);
  object->wait_count = 0;
}

static void pass_barrier(wakers_t *wakers, const reader_event_t *event) {
  object_t *object = object_of(wakers, event->words[0], event->time);
  if (!object->parties || trace_unzigzag(event->arg) < 0) return;
  ARRAY_RESERVE(object->waits, object->wait_capacity, object->wait_count + 1);
  object->waits[object->wait_count++] = wait_of(event, event->words[1]);
  if (object->wait_count == object->parties) end_round(wakers, event->words[0], object);
}

// ---- descriptors -------------------------------------------------------------------------------

// No address is that high, and descriptors are numbered from 0.
static uint64_t key_of(uint64_t descriptor) { return ~(uint64_t)0 - (descriptor & INT32_MAX); }

static waiter_t *waiter_of(wakers_t *wakers, uint32_t thread) {
  ARRAY_RESERVE(wakers->waiters, wakers->waiter_capacity, thread + 1);
  return &wakers->waiters[thread];
}

static void open_descriptor(wakers_t *wakers, const reader_event_t *event) {
  int64_t other = trace_unzigzag(event->words[1]);
  object_t *stale = NULL;
  address_map_remove(&wakers->others, key_of(event->arg), NULL);
  if (address_map_remove(&wakers->objects, key_of(event->arg), &stale)) free_object(stale);
  if ((event->words[0] != TRACE_DESCRIPTOR_PIPE && event->words[0] != TRACE_DESCRIPTOR_PAIR) ||
      other < 0)
    return;
  *(uint64_t *)address_map_put(&wakers->others, key_of(event->arg)) = (uint64_t)other + 1;
  *(uint64_t *)address_map_put(&wakers->others, key_of((uint64_t)other)) = event->arg + 1;
}

// It took effect at some moment of the call: readers may return before it does.
static void step_write(wakers_t *wakers, const reader_event_t *event) {
  if (event->phase == READER_ENDS || trace_unzigzag(event->words[0]) <= 0) return;
  const uint64_t *other = address_map_get(&wakers->others, key_of(event->arg));
  uint64_t lasted = event->phase == READER_BEGINS ? 0 : event->words[1];
  uint64_t begun = lasted < event->time ? event->time - lasted : 0;
  act(object_of(wakers, key_of(other ? *other - 1 : event->arg), event->time), event->thread,
      event->stack, begun, 1);
}

// The first that is read after a wait for descriptors is what ended it.
static void step_read(wakers_t *wakers, const reader_event_t *event) {
  if (trace_unzigzag(event->words[0]) <= 0) return;
  object_t **object = address_map_get(&wakers->objects, key_of(event->arg));
  waiter_t *waiter = waiter_of(wakers, event->thread);
  wait_t wait = event->words[1] >= LEAST_WAIT_NS ? wait_of(event, event->words[1]) : waiter->idle;
  waiter->idle = (wait_t){0};
  if (object && wait.until) match(wakers, WAKE_DESCRIPTOR, event->arg, *object, &wait);
}

static void step_idle(wakers_t *wakers, const reader_event_t *event) {
  if (trace_unzigzag(event->arg) <= 0 || event->words[1] < LEAST_WAIT_NS) return;
  waiter_of(wakers, event->thread)->idle = wait_of(event, event->words[1]);
}

// ---- threads -----------------------------------------------------------------------------------

static void note_begin(wakers_t *wakers, uint32_t thread, uint64_t start,
                       const creation_t *creation) {
  waiter_t *waiter = waiter_of(wakers, thread);
  if (waiter->begun) return;
  waiter->begun = true;
  uint64_t from = creation->time < start ? creation->time : start;
  wakers_add(wakers, &(wakeup_t){.how = WAKE_CREATE,
                                 .waker = creation->thread,
                                 .woken = thread,
                                 .stack = creation->stack,
                                 .object = threads_get(wakers->threads, thread)->handle,
                                 .from = from,
                                 .woke = from,
                                 .until = start});
}

// A creation that returned: its thread may have started, even ended, before or come later.
static void step_create(wakers_t *wakers, const reader_event_t *event) {
  uint64_t handle = event->words[0];
  if (event->arg || !handle) return;
  creation_t creation = {event->time, event->thread, event->stack};
  uint32_t created = threads_by_handle(wakers->threads, handle, false);
  if (created && !waiter_of(wakers, created)->begun)
    note_begin(wakers, created, threads_get(wakers->threads, created)->started_ns, &creation);
  else
    *(creation_t *)address_map_put(&wakers->creations, handle) = creation;
}

static void step_start(wakers_t *wakers, const reader_event_t *event) {
  creation_t creation;
  if (address_map_remove(&wakers->creations, event->words[0], &creation))
    note_begin(wakers, event->thread, event->time, &creation);
}

static void step_join(wakers_t *wakers, const reader_event_t *event) {
  uint32_t joined = threads_by_handle(wakers->threads, event->words[0], true);
  const thread_account_t *account = threads_get(wakers->threads, joined);
  wait_t wait = wait_of(event, event->words[1]);
  if (event->arg || !joined || !account->ended || account->ended_ns < wait.from) return;
  act_t end = {account->ended_ns, joined, 0, 1, true};
  report(wakers, WAKE_JOIN, event->words[0], &end, &wait);
}

// ---- events ------------------------------------------------------------------------------------

typedef void step_t(wakers_t *wakers, const reader_event_t *event);

static void step_signal(wakers_t *wakers, const reader_event_t *event) {
  act(object_of(wakers, event->words[0], event->time), event->thread, event->stack, event->time,
      event->arg ? EVERYBODY : 1);
}

static step_t *const steps[TRACE_KIND_LIMIT] = {
    [TRACE_COND_SIGNAL] = step_signal,
    [TRACE_COND_WAIT] = step_condition_wait,
    [TRACE_LOCK_RELEASE] = step_lock,
    [TRACE_LOCK_WAIT] = step_lock,
    [TRACE_FUTEX_WAIT] = step_futex_wait,
    [TRACE_FUTEX_WAKE] = step_futex_wake,
    [TRACE_BARRIER_INIT] = init_barrier,
    [TRACE_BARRIER_WAIT] = pass_barrier,
    [TRACE_DESCRIPTOR_OPEN] = open_descriptor,
    [TRACE_WRITE] = step_write,
    [TRACE_READ] = step_read,
    [TRACE_EPOLL_WAIT] = step_idle,
    [TRACE_POLL] = step_idle,
    [TRACE_THREAD_CREATE] = step_create,
    [TRACE_THREAD_START] = step_start,
    [TRACE_THREAD_JOIN] = step_join,
};

void wakers_step(wakers_t *wakers, const reader_event_t *event) {
  step_t *step = steps[event->kind];
  bool names_nothing =
      !event->words[0] && trace_event_kinds[event->kind].family == TRACE_FAMILY_LOCK;
  if (step && event->thread && !names_nothing) step(wakers, event);
}

static int compare_rows(const void *left, const void *right) {
  const waker_row_t *a = left, *b = right;
  uint64_t first = a->waited_ns + a->latency_ns, second = b->waited_ns + b->latency_ns;
  if (first != second) return first > second ? -1 : 1;
  if (a->count != b->count) return a->count > b->count ? -1 : 1;
  const uint32_t one[] = {a->waker, a->woken, a->how, a->stack};
  const uint32_t two[] = {b->waker, b->woken, b->how, b->stack};
  for (size_t i = 0; i < sizeof one / sizeof *one; ++i)
    if (one[i] != two[i]) return one[i] < two[i] ? -1 : 1;
  return 0;
}

void wakers_finish(wakers_t *wakers) {
  if (wakers->row_count) qsort(wakers->rows, wakers->row_count, sizeof *wakers->rows, compare_rows);
  address_map_clear(&wakers->row_index);
}

uint32_t wakers_count(const wakers_t *wakers) { return wakers->row_count; }
const waker_row_t *wakers_row(const wakers_t *wakers, uint32_t index) {
  return &wakers->rows[index];
}
uint64_t wakers_total(const wakers_t *wakers) { return wakers->total; }
uint64_t wakers_dropped(const wakers_t *wakers) { return wakers->dropped; }

wakers_condition_t wakers_condition(const wakers_t *wakers, uint64_t condition) {
  object_t *const *found = address_map_get(&wakers->objects, condition);
  if (!found) return (wakers_condition_t){0};
  wakers_condition_t figures = (*found)->condition;
  for (uint64_t at = oldest_act(*found); at < (*found)->count; ++at)
    figures.signals_without_effect += !(*found)->acts[at % (*found)->size].worked;
  return figures;
}
