// SPDX-License-Identifier: Apache-2.0
// Threads and their parts of paths: what is added to them, and what a wake-up does to them.
#include "analyzer/models/critical_path.h"

#include "analyzer/models/array.h"
#include "analyzer/models/path_tree.h"

#include <stdlib.h>

// The newest parts of a thread, by rising time; the last one is open. They can still be asked for:
// a wake-up is read when the woken thread goes on, and its waker may have gone further since.
// So it may have ended, and been joined: of the newest ones that ended all is kept for a while.
enum { RECENT_MAX = 8, FORWARDS_MAX = 4096, ENDED_KEPT = 64 };

typedef struct {
  path_part_t *recent[RECENT_MAX];
  uint32_t count;
  bool begun;
  bool kept, joined;  // it has ended, and is among the newest that did; its end has woken somebody
} path_thread_t;

struct critical_path {
  const threads_t *threads;
  const locks_t *locks;
  path_tree_t tree;
  path_thread_t *items;  // by thread
  uint32_t capacity;
  uint32_t ended[ENDED_KEPT];  // a ring of threads
  uint32_t ended_next;
  address_map_t forwards;  // id of a lock that was merged -> of the one it is in
  uint32_t exit_thread;
  uint64_t exit_ns;
  path_summary_t summary;
  path_row_t *rows;
  uint32_t row_count;
};

critical_path_t *critical_path_open(const threads_t *threads) {
  critical_path_t *path = array_zeroed(1, sizeof *path);
  path->threads = threads;
  path_tree_open(&path->tree);
  return path;
}

void critical_path_close(critical_path_t *path) {
  if (!path) return;
  for (uint32_t thread = 0; thread < path->capacity; ++thread)
    for (uint32_t at = 0; at < path->items[thread].count; ++at)
      path_part_drop(&path->tree, path->items[thread].recent[at]);
  path_tree_close(&path->tree);
  address_map_clear(&path->forwards);
  free(path->items);
  free(path->rows);
  free(path);
}

void critical_path_set_locks(critical_path_t *path, const locks_t *locks) { path->locks = locks; }

// ---- parts of a thread -------------------------------------------------------------------------

static path_thread_t *thread_of(critical_path_t *path, uint32_t thread) {
  ARRAY_RESERVE(path->items, path->capacity, thread + 1);
  path_thread_t *item = &path->items[thread];
  if (!item->begun) {
    item->begun = true;
    item->recent[item->count++] =
        path_part_new(&path->tree, thread, threads_get(path->threads, thread)->started_ns);
  }
  return item;
}

static void forget(critical_path_t *path, path_thread_t *item, uint32_t at) {
  path_part_t *gone = item->recent[at];
  --item->count;
  for (; at < item->count; ++at) item->recent[at] = item->recent[at + 1];
  path_part_settle(gone);
  path_part_drop(&path->tree, gone);
}

static void remember(critical_path_t *path, path_thread_t *item, uint32_t at, path_part_t *part) {
  if (item->count == RECENT_MAX && !at) return;
  if (item->count == RECENT_MAX) {
    forget(path, item, 0);
    --at;
  }
  for (uint32_t place = item->count++; place > at; --place)
    item->recent[place] = item->recent[place - 1];
  item->recent[at] = part;
  path_part_keep(part);
}

// What is held is noted when it is released; what came before the cut is noted now.
static void note_open_holds(const critical_path_t *path, path_part_t *part) {
  uint32_t count = path->locks ? locks_held_count(path->locks, part->thread) : 0;
  for (uint32_t at = 0; at < count; ++at) {
    uint64_t since = locks_held_since(path->locks, part->thread, at);
    uint32_t lock = locks_held(path->locks, part->thread, at);
    if (since < part->until &&
        (part->until - since >= PATH_HOLD_LEAST_NS || locks_get(path->locks, lock)->contended))
      path_part_add(part, PATH_KEY(PATH_LOCK, lock), since, part->until);
  }
}

// Cuts recent[at] in two at `time`: the earlier part takes its place, the later one follows.
static path_part_t *cut(critical_path_t *path, path_thread_t *item, uint32_t at, uint64_t time) {
  path_part_t *part = item->recent[at], *earlier = path_part_cut(&path->tree, part, time);
  if (part->until == UINT64_MAX) note_open_holds(path, earlier);
  remember(path, item, at, earlier);
  return earlier;
}

// Index of the newest part that had begun at `time`; count: none is that old.
static uint32_t find(const path_thread_t *item, uint64_t time) {
  uint32_t at = item->count;
  while (at-- > 0)
    if (item->recent[at]->from <= time) return at;
  return item->count;
}

// The path as it was with `thread` at `time`. NULL: not kept any more.
static path_part_t *path_at(critical_path_t *path, uint32_t thread, uint64_t time) {
  path_thread_t *item = thread_of(path, thread);
  uint32_t at = find(item, time);
  if (at == item->count) return NULL;
  if (at && item->recent[at]->from == time && item->recent[at - 1]->until == time) --at;
  return time < item->recent[at]->until ? cut(path, item, at, time) : item->recent[at];
}

// ---- events ------------------------------------------------------------------------------------

static void add_span(critical_path_t *path, uint32_t thread, uint64_t key, uint64_t from,
                     uint64_t until) {
  path_thread_t *item = thread_of(path, thread);
  uint32_t at = item->count ? find(item, until) : 0;
  if (at < item->count) path_part_add(item->recent[at], key, from, until);
}

// What a join will go on from is the last part alone; after that nothing is asked for any more.
static void let_go(critical_path_t *path, path_thread_t *item) {
  uint32_t wanted = item->joined ? 0 : 1;
  item->kept = false;
  while (item->count > wanted) forget(path, item, 0);
  if (item->count) path_part_settle(item->recent[0]);
}

static void end_thread(critical_path_t *path, uint32_t thread, uint64_t time) {
  path_thread_t *item = thread_of(path, thread);
  path_part_t *last = item->count ? item->recent[item->count - 1] : NULL;
  // Only once: what hangs on a part relies on its end.
  if (!last || last->until != UINT64_MAX) return;
  last->until = time > last->from ? time : last->from;
  item->kept = true;
  uint32_t *place = &path->ended[path->ended_next++ % ENDED_KEPT];
  if (*place) let_go(path, &path->items[*place]);
  *place = thread;
}

void critical_path_step(critical_path_t *path, const reader_event_t *event) {
  if (event->kind == TRACE_LOCK_ACQUIRE || event->kind == TRACE_LOCK_RELEASE) return;
  uint64_t duration;
  thread_state_t state = threads_wait(event, &duration);
  if (!event->thread) return;
  if (state && duration)
    add_span(path, event->thread, PATH_KEY(PATH_WAIT, state),
             duration < event->time ? event->time - duration : 0, event->time);
  else if (event->kind == TRACE_THREAD_START)
    thread_of(path, event->thread);
  else if (event->kind == TRACE_THREAD_END)
    end_thread(path, event->thread, event->time);
  else if (event->kind == TRACE_EXIT) {
    path->exit_thread = event->thread;
    path->exit_ns = event->time;
  }
}

void critical_path_hold(critical_path_t *path, uint32_t thread, uint32_t lock, uint64_t from,
                        uint64_t until) {
  if (thread) add_span(path, thread, PATH_KEY(PATH_LOCK, lock), from, until);
}

// ---- wake-ups ----------------------------------------------------------------------------------

// No part ends before the one it goes on from. So what `part` could not go on from without a circle
// is found among the parts that end no earlier than it: few, whatever a trace says.
static bool may_follow(const path_part_t *part, const path_part_t *before) {
  if (before->until > part->until) return false;
  for (; before && before->until >= part->until; before = before->parent)
    if (before == part) return false;
  return true;
}

static uint64_t earlier_of(uint64_t one, uint64_t two) { return one < two ? one : two; }

static uint32_t index_of(const path_thread_t *item, const path_part_t *part) {
  uint32_t at = 0;
  while (item->recent[at] != part) ++at;
  return at;
}

// Takes the wait out of the woken thread's path: the part that goes on after it.
static path_part_t *part_after(critical_path_t *path, path_thread_t *item, uint64_t from,
                               uint64_t until) {
  uint32_t at = find(item, until);
  if (at == item->count || until > item->recent[at]->until) return NULL;
  path_part_t *after = item->recent[at];
  if (after->from < from) cut(path, item, at, from);
  if (after->from < until) cut(path, item, index_of(item, after), until);
  return after;
}

static void count_wake(path_part_t *part, const wakeup_t *wakeup, uint64_t begun) {
  path_part_add(part, PATH_KEY(PATH_WAKE, wakeup->how), begun, wakeup->until);
  if (wakeup->lock)
    path_part_add(part, PATH_KEY(PATH_WAKE_LOCK, wakeup->lock), begun, wakeup->until);
}

static void forget_between(critical_path_t *path, path_thread_t *item, uint64_t from,
                           const path_part_t *after) {
  for (uint32_t at = item->count; at-- > 0;)
    if (item->recent[at] != after && item->recent[at]->from >= from &&
        item->recent[at]->until <= after->from)
      forget(path, item, at);
}

static void sweep(critical_path_t *path);

// A creation may be read late: its thread's beginning is where the oldest part goes back to.
static void begin_thread(critical_path_t *path, const wakeup_t *wakeup) {
  const path_thread_t *item = thread_of(path, wakeup->woken);
  path_part_t *first = item->count ? item->recent[0] : NULL;
  while (first && first->parent) first = first->parent;
  path_part_t *before =
      first ? path_at(path, wakeup->waker, earlier_of(wakeup->woke, first->first_from)) : NULL;
  if (!before || first->first_thread != wakeup->woken || !may_follow(first, before)) {
    ++path->summary.unresolved;
    return;
  }
  path_part_begin(first, before, PATH_KEY(PATH_WAKE, wakeup->how));
}

void critical_path_wake(critical_path_t *path, const wakeup_t *wakeup) {
  if (wakeup->waker == wakeup->woken || !wakeup->waker || !wakeup->woken) return;
  thread_of(path, wakeup->waker);
  if (wakeup->how == WAKE_CREATE) {
    thread_of(path, wakeup->woken);
    begin_thread(path, wakeup);
    return;
  }
  path_part_t *after =
      part_after(path, thread_of(path, wakeup->woken), wakeup->from, wakeup->until);
  path_part_t *before = path_at(path, wakeup->waker, earlier_of(wakeup->woke, wakeup->until));
  if (!after || !before || !may_follow(after, before)) {
    ++path->summary.unresolved;
    return;
  }
  forget_between(path, &path->items[wakeup->woken], wakeup->from, after);
  uint64_t begun = earlier_of(before->until, wakeup->until);
  path_part_hang(&path->tree, after, before, begun);
  count_wake(after, wakeup, begun);
  if (wakeup->how == WAKE_JOIN) {
    path_thread_t *ended = &path->items[wakeup->waker];
    ended->joined = true;
    if (!ended->kept) let_go(path, ended);
  }
  if (path_tree_is_full(&path->tree)) sweep(path);
}

// ---- keeping it small --------------------------------------------------------------------------

static uint64_t current_key(const void *context, uint64_t key) {
  const critical_path_t *path = context;
  path_kind_t kind = PATH_KIND(key);
  if (kind != PATH_LOCK && kind != PATH_WAKE_LOCK) return key;
  const uint64_t *into;
  while ((into = address_map_get(&path->forwards, PATH_ID(key)))) key = PATH_KEY(kind, *into);
  return key;
}

static void sweep(critical_path_t *path) {
  path_tree_begin_sweep(&path->tree);
  for (uint32_t thread = 0; thread < path->capacity; ++thread)
    for (uint32_t at = 0; at < path->items[thread].count; ++at)
      path_tree_sweep(&path->tree, path->items[thread].recent[at],
                      path->forwards.count ? current_key : NULL, path);
  path_tree_end_sweep(&path->tree);
  address_map_clear(&path->forwards);
}

void critical_path_merge(critical_path_t *path, uint32_t gone, uint32_t into) {
  *(uint64_t *)address_map_put(&path->forwards, gone) = into;
  if (path->forwards.count >= FORWARDS_MAX) sweep(path);
}

// ---- the end -----------------------------------------------------------------------------------

// Who ended the process; else whoever did something last.
static uint32_t last_thread(const critical_path_t *path, uint64_t *end_ns) {
  if (path->exit_thread) {
    *end_ns = path->exit_ns;
    return path->exit_thread;
  }
  uint32_t last = 0;
  uint64_t latest = 0;
  for (uint32_t thread = 1; thread < threads_limit(path->threads); ++thread) {
    const thread_account_t *account = threads_get(path->threads, thread);
    if (!account->seen || (last && account->last_event_ns <= latest)) continue;
    last = thread;
    latest = account->last_event_ns;
  }
  if (last && threads_get(path->threads, last)->ended)
    *end_ns = threads_get(path->threads, last)->ended_ns;
  return last;
}

static int compare_rows(const void *left, const void *right) {
  const path_row_t *a = left, *b = right;
  if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
  if (a->ns != b->ns) return a->ns > b->ns ? -1 : 1;
  return a->id < b->id ? -1 : a->id > b->id;
}

static bool was_waited_for(const critical_path_t *path, uint32_t id) {
  const lock_t *lock = path->locks ? locks_get(path->locks, id) : NULL;
  return lock && lock->contended;
}

static void make_rows(critical_path_t *path, const address_map_t *sums) {
  path->rows = array_zeroed(sums->count + 1, sizeof *path->rows);
  size_t position = 0;
  uint64_t key;
  for (const path_sum_t *sum; (sum = address_map_next(sums, &position, &key));) {
    if (PATH_KIND(key) == PATH_LOCK && !was_waited_for(path, PATH_ID(key))) continue;
    path->rows[path->row_count++] = (path_row_t){PATH_KIND(key), PATH_ID(key), sum->ns, sum->count};
    if (PATH_KIND(key) == PATH_THREAD) path->summary.total_ns += sum->ns;
    if (PATH_KIND(key) == PATH_WAKE) path->summary.wakeups += sum->count;
    if (PATH_KIND(key) == PATH_WAIT || PATH_KIND(key) == PATH_WAKE)
      path->summary.running_ns += sum->ns;
  }
  uint64_t waits = path->summary.running_ns, total = path->summary.total_ns;
  path->summary.running_ns = total > waits ? total - waits : 0;
  qsort(path->rows, path->row_count, sizeof *path->rows, compare_rows);
}

void critical_path_finish(critical_path_t *path, uint64_t end_ns) {
  uint32_t last = last_thread(path, &end_ns);
  const thread_pending_t *pending = &threads_get(path->threads, last)->pending;
  path_part_t *end = last ? path_at(path, last, end_ns) : NULL;
  if (!end) return;
  if (pending->what && !threads_get(path->threads, last)->ended && pending->since_ns < end_ns)
    path_part_add(end, PATH_KEY(PATH_WAIT, threads_get(path->threads, last)->state),
                  pending->since_ns, end_ns);
  address_map_t sums = ADDRESS_MAP(path_sum_t);
  const path_part_t *first = path_part_sum(end, &sums, current_key, path);
  path->summary.first_thread = first->first_thread;
  path->summary.last_thread = last;
  path->summary.from_ns = first->first_from;
  path->summary.until_ns = end->until;
  make_rows(path, &sums);
  address_map_clear(&sums);
}

const path_summary_t *critical_path_summary(const critical_path_t *path) { return &path->summary; }

const path_row_t *critical_path_rows(const critical_path_t *path, uint32_t *count) {
  *count = path->row_count;
  return path->rows;
}

const path_row_t *critical_path_row(const critical_path_t *path, path_kind_t kind, uint32_t id) {
  for (uint32_t at = 0; at < path->row_count; ++at)
    if (path->rows[at].kind == kind && path->rows[at].id == id) return &path->rows[at];
  return NULL;
}

size_t critical_path_size(const critical_path_t *path) { return path->tree.count; }
