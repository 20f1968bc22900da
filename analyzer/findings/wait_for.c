// SPDX-License-Identifier: Apache-2.0
// Deadlocks that have happened: which thread waits for which when the trace ends. A thread in a
// cycle can never go on, for each wait here needs all of those it waits for.
#include "analyzer/findings/components.h"
#include "analyzer/findings/deadlocks_private.h"
#include "analyzer/models/array.h"

#include <stdlib.h>
#include <string.h>

// So long must others have gone on before a process whose record has stopped is taken for gone:
// what ends all of them at once does not end them at one moment.
#define PROCESS_GONE_NS UINT64_C(1000000000)

// `from` waits for `to`; for `lock`, or for its end where that is 0.
typedef struct {
  uint32_t from, to;
  uint32_t lock;
  bool queued;       // `to` does not hold the lock: it is a writer that waits before readers
  lock_mode_t mode;  // in which `to` holds it
  uint32_t stack;    // where `to` acquired it
} wait_edge_t;

typedef struct {
  deadlock_search_t *search;
  const threads_t *threads;
  const locks_t *locks;
  bool running;
  uint32_t limit;  // threads
  wait_edge_t *edges;
  uint32_t edge_count, edge_capacity;
  uint32_t *first_edge;  // by thread, limit + 1: edges are sorted by `from`
  uint32_t *component;
  bool *stuck;       // threads that are in a finding
  uint32_t *behind;  // by thread: finding index + 1 it is stuck behind
} wait_graph_t;

// Only threads that stood still can be told from those that were met in the middle of a call.
static const thread_pending_t *pending_of(const wait_graph_t *graph, uint32_t thread) {
  static const thread_pending_t nothing;
  const thread_account_t *account = threads_get(graph->threads, thread);
  if (account->ended || (graph->running && !account->quiet)) return &nothing;
  return &account->pending;
}

static const lock_t *wanted_lock(const wait_graph_t *graph, const thread_pending_t *pending) {
  if (pending->what != TRACE_PENDING_LOCK) return NULL;
  if (pending->second & (TRACE_LOCK_TIMED | TRACE_LOCK_TRY)) return NULL;
  if ((pending->second & TRACE_LOCK_WHAT) == TRACE_LOCK_SEMAPHORE) return NULL;  // anybody may post
  return locks_at(graph->locks, pending->object);
}

static lock_mode_t wanted_mode(const thread_pending_t *pending) {
  bool shared = pending->what == TRACE_PENDING_LOCK && pending->second & TRACE_LOCK_SHARED;
  return shared ? LOCK_MODE_SHARED : LOCK_MODE_EXCLUSIVE;
}

static void add_edge(wait_graph_t *graph, const wait_edge_t *edge) {
  ARRAY_RESERVE(graph->edges, graph->edge_capacity, graph->edge_count + 1);
  graph->edges[graph->edge_count++] = *edge;
}

// ---- one thread alone, or with one that has ended ----------------------------------------------

static void fill_wait(const wait_graph_t *graph, deadlock_leg_t *leg, uint32_t thread) {
  const thread_pending_t *pending = pending_of(graph, thread);
  const lock_t *lock = wanted_lock(graph, pending);
  *leg = (deadlock_leg_t){.thread = thread,
                          .thread_count = 1,
                          .wants = lock ? lock->id : 0,
                          .wants_mode = wanted_mode(pending),
                          .wants_stack = pending->stack,
                          .count = 1,
                          .first_ns = pending->since_ns,
                          .last_ns = models_end_ns(graph->search->models)};
}

static deadlock_t *add_actual(wait_graph_t *graph, deadlock_kind_t kind, deadlock_reason_t reason,
                              uint32_t legs) {
  deadlock_t *found = deadlock_add(graph->search, DEADLOCK_ACTUAL, kind, reason, legs);
  found->why_not_ruled_out = 1u << DEADLOCK_DOUBT_INDEX_AT_END;
  if (graph->running) found->why_not_ruled_out |= 1u << DEADLOCK_DOUBT_INDEX_QUIET;
  return found;
}

static void mark_stuck(wait_graph_t *graph, uint32_t thread) {
  graph->stuck[thread] = true;
  graph->behind[thread] = (uint32_t)graph->search->result->count;
}

static void report_self(wait_graph_t *graph, uint32_t thread, const lock_t *lock,
                        const lock_holder_t *holder, lock_mode_t mode) {
  deadlock_t *found = add_actual(graph, DEADLOCK_KIND_SELF, DEADLOCK_REASON_SELF, 1);
  fill_wait(graph, &found->legs[0], thread);
  found->legs[0].holds = lock->id;
  found->legs[0].holds_mode = mode;
  found->legs[0].holds_stack = holder->stack;
  deadlock_note_held(graph->search, &found->legs[0]);
  mark_stuck(graph, thread);
}

static void report_orphan(wait_graph_t *graph, uint32_t thread, const lock_holder_t *holder,
                          uint32_t tid, deadlock_reason_t reason) {
  deadlock_t *found = add_actual(graph, DEADLOCK_KIND_ORPHAN, reason, 1);
  fill_wait(graph, &found->legs[0], thread);
  found->ended_thread = holder->thread;
  found->ended_tid = tid;
  found->legs[0].holds_stack = holder->stack;
  deadlock_note_held(graph->search, &found->legs[0]);
  mark_stuck(graph, thread);
}

// ---- edges -------------------------------------------------------------------------------------

// A request by the holder itself: hangs for a plain mutex, and for a reader that would write. Other
// kinds answer at once. An acquire after the request shows that the request is over.
static bool hangs_on_itself(const lock_t *lock, lock_mode_t held, lock_mode_t wanted) {
  if (lock->bits & (TRACE_LOCK_RECURSIVE | TRACE_LOCK_ERRORCHECK)) return false;
  if ((lock->bits & TRACE_LOCK_WHAT) == TRACE_LOCK_RWLOCK)
    return held == LOCK_MODE_SHARED && wanted == LOCK_MODE_EXCLUSIVE;
  return true;
}

// The record of its process stopped while it was at work, and the others went on without it.
static bool process_is_gone(const wait_graph_t *graph, uint32_t thread) {
  const reader_t *reader = models_reader(graph->search->models);
  if (!reader || reader_part_count(reader) == 1) return false;
  const thread_account_t *account = threads_get(graph->threads, thread);
  const reader_t *part = reader_part(reader, reader_part_of_thread(reader, thread));
  return !reader_summary(part)->running && account->pending.what == TRACE_PENDING_NONE &&
         account->last_event_ns + PROCESS_GONE_NS < models_end_ns(graph->search->models);
}

static bool holder_is_gone(const wait_graph_t *graph, uint32_t thread) {
  return threads_get(graph->threads, thread)->ended || process_is_gone(graph, thread);
}

static void wait_for_holder(wait_graph_t *graph, uint32_t thread, const lock_t *lock,
                            const lock_holder_t *holder, lock_mode_t mode) {
  const thread_pending_t *pending = pending_of(graph, thread);
  if (!holder->thread || graph->stuck[thread]) return;
  if (holder->thread == thread) {
    if (holder->since_ns <= pending->since_ns && hangs_on_itself(lock, mode, wanted_mode(pending)))
      report_self(graph, thread, lock, holder, mode);
  } else if (holder_is_gone(graph, holder->thread)) {
    if (!(lock->bits & TRACE_LOCK_ROBUST))
      report_orphan(graph, thread, holder, 0, DEADLOCK_REASON_HOLDER_ENDED);
  } else {
    add_edge(graph, &(wait_edge_t){.from = thread,
                                   .to = holder->thread,
                                   .lock = lock->id,
                                   .mode = mode,
                                   .stack = holder->stack});
  }
}

static uint32_t thread_by_tid(const wait_graph_t *graph, uint32_t tid) {
  const reader_t *reader = models_reader(graph->search->models);
  uint32_t found = 0;
  for (uint32_t thread = 1; reader && thread < graph->limit; ++thread)
    if (reader_thread(reader, thread)->tid == tid) found = thread;
  return found;
}

// Nobody was seen to take the lock, which names its owner: it was taken before the record began. A
// forked child may have it from a thread that it does not have.
static void wait_for_named(wait_graph_t *graph, uint32_t thread, const lock_t *lock) {
  const reader_t *reader = models_reader(graph->search->models);
  uint32_t tid = (uint32_t)(pending_of(graph, thread)->second >> TRACE_PENDING_OWNER_SHIFT);
  if (!tid || !reader) return;
  lock_holder_t holder = {.thread = thread_by_tid(graph, tid)};
  uint32_t part = reader_part_of_thread(reader, thread);
  bool shared = lock->bits & TRACE_LOCK_PROCESS_SHARED;
  bool own = holder.thread && reader_part_of_thread(reader, holder.thread) == part;
  if (own || (holder.thread && shared))
    wait_for_holder(graph, thread, lock, &holder, LOCK_MODE_EXCLUSIVE);
  else if (!shared && !(lock->bits & TRACE_LOCK_ROBUST) &&
           reader_summary(reader_part(reader, part))->parent)
    report_orphan(graph, thread, &holder, tid, DEADLOCK_REASON_INHERITED);
}

// Where writers go before readers, a reader waits for the writers that wait.
static void wait_for_writers(wait_graph_t *graph, uint32_t thread, const lock_t *lock) {
  if (!(lock->bits & TRACE_LOCK_WRITER_PREFERRED) || !lock->reader_count) return;
  for (uint32_t writer = 1; writer < graph->limit; ++writer) {
    const thread_pending_t *pending = pending_of(graph, writer);
    if (writer == thread || wanted_lock(graph, pending) != lock ||
        wanted_mode(pending) == LOCK_MODE_SHARED)
      continue;
    add_edge(graph, &(wait_edge_t){.from = thread, .to = writer, .lock = lock->id, .queued = true});
  }
}

static void wait_for_lock(wait_graph_t *graph, uint32_t thread, const lock_t *lock) {
  if (!lock_is_held(lock)) wait_for_named(graph, thread, lock);
  wait_for_holder(graph, thread, lock, &lock->owner, LOCK_MODE_EXCLUSIVE);
  if (wanted_mode(pending_of(graph, thread)) == LOCK_MODE_SHARED) {
    wait_for_writers(graph, thread, lock);
    return;
  }
  for (uint32_t at = 0; at < lock->reader_count; ++at)
    wait_for_holder(graph, thread, lock, &lock->readers[at], LOCK_MODE_SHARED);
}

static void wait_for_end(wait_graph_t *graph, uint32_t thread, uint64_t handle) {
  uint32_t joined = threads_by_handle(graph->threads, handle, false);
  if (!joined || joined == thread || threads_get(graph->threads, joined)->ended) return;
  add_edge(graph, &(wait_edge_t){.from = thread, .to = joined});
}

static void make_edges(wait_graph_t *graph) {
  for (uint32_t thread = 1; thread < graph->limit; ++thread) {
    graph->first_edge[thread] = graph->edge_count;
    const thread_pending_t *pending = pending_of(graph, thread);
    const lock_t *lock = wanted_lock(graph, pending);
    if (lock) wait_for_lock(graph, thread, lock);
    if (pending->what == TRACE_PENDING_JOIN) wait_for_end(graph, thread, pending->object);
  }
  graph->first_edge[graph->limit] = graph->edge_count;
}

static void find_components(wait_graph_t *graph) {
  uint32_t *from = array_resize(NULL, (size_t)graph->edge_count * 2 + 1, sizeof *from);
  uint32_t *to = from + graph->edge_count;
  for (uint32_t edge = 0; edge < graph->edge_count; ++edge) {
    from[edge] = graph->edges[edge].from;
    to[edge] = graph->edges[edge].to;
  }
  graph_t plain = graph_make(graph->limit, from, to, graph->edge_count);
  graph->component = graph_components(&plain);
  graph_free(&plain);
  free(from);
}

// ---- cycles ------------------------------------------------------------------------------------

// The shortest cycle through `thread`, as edges in order, by breadth-first search inside its
// component. Returns its length, 0: none.
static uint32_t shortest_cycle(const wait_graph_t *graph, uint32_t thread, uint32_t *cycle) {
  uint32_t *queue = array_zeroed((size_t)graph->limit * 2, sizeof *queue);
  uint32_t *came_by = queue + graph->limit;  // edge + 1 by which a thread was reached
  uint32_t head = 0, tail = 0, length = 0;
  queue[tail++] = thread;
  while (head < tail && !came_by[thread]) {
    uint32_t from = queue[head++];
    for (uint32_t edge = graph->first_edge[from]; edge < graph->first_edge[from + 1]; ++edge) {
      uint32_t to = graph->edges[edge].to;
      if (came_by[to] || graph->component[to] != graph->component[thread]) continue;
      came_by[to] = edge + 1;
      queue[tail++] = to;
    }
  }
  for (uint32_t at = thread; came_by[thread] && (!length || at != thread);) {
    cycle[length++] = came_by[at] - 1;
    at = graph->edges[came_by[at] - 1].from;
  }
  for (uint32_t at = 0; at < length / 2; ++at) {
    uint32_t swapped = cycle[at];
    cycle[at] = cycle[length - 1 - at];
    cycle[length - 1 - at] = swapped;
  }
  free(queue);
  return length;
}

static deadlock_kind_t cycle_kind(const wait_graph_t *graph, const uint32_t *cycle, uint32_t count,
                                  deadlock_reason_t *reason) {
  deadlock_kind_t kind = DEADLOCK_KIND_LOCK_ORDER;
  bool locks = false;
  *reason = DEADLOCK_REASON_WAIT_CYCLE;
  for (uint32_t at = 0; at < count; ++at) {
    const wait_edge_t *edge = &graph->edges[cycle[at]];
    const lock_t *lock = edge->lock ? locks_get(graph->locks, edge->lock) : NULL;
    if (edge->queued) *reason = DEADLOCK_REASON_WRITER_QUEUED;
    if (lock && (lock->bits & TRACE_LOCK_WHAT) == TRACE_LOCK_RWLOCK &&
        kind == DEADLOCK_KIND_LOCK_ORDER)
      kind = DEADLOCK_KIND_RWLOCK;
    if (!lock) kind = DEADLOCK_KIND_JOIN;
    locks |= lock != NULL;
  }
  if (kind == DEADLOCK_KIND_JOIN)
    *reason = locks ? DEADLOCK_REASON_JOIN_CYCLE : DEADLOCK_REASON_JOIN_RING;
  return kind;
}

static void report_cycle(wait_graph_t *graph, const uint32_t *cycle, uint32_t count) {
  deadlock_reason_t reason;
  deadlock_kind_t kind = cycle_kind(graph, cycle, count, &reason);
  deadlock_t *found = add_actual(graph, kind, reason, count);
  for (uint32_t at = 0; at < count; ++at) {
    const wait_edge_t *edge = &graph->edges[cycle[at]];
    const wait_edge_t *before = &graph->edges[cycle[(at + count - 1) % count]];
    deadlock_leg_t *leg = &found->legs[at];
    fill_wait(graph, leg, edge->from);
    leg->wants_thread = edge->lock ? 0 : edge->to;
    leg->holds = before->queued ? 0 : before->lock;
    leg->holds_mode = before->mode;
    leg->holds_stack = before->stack;
    deadlock_note_held(graph->search, leg);
    mark_stuck(graph, edge->from);
  }
}

// Most threads wait for nobody of their own component, and are in no cycle.
static bool may_be_in_cycle(const wait_graph_t *graph, uint32_t thread) {
  for (uint32_t at = graph->first_edge[thread]; at < graph->first_edge[thread + 1]; ++at)
    if (graph->component[graph->edges[at].to] == graph->component[thread]) return true;
  return false;
}

static void find_cycles(wait_graph_t *graph) {
  uint32_t *cycle = array_zeroed(graph->limit + 1, sizeof *cycle);
  for (uint32_t thread = 1; thread < graph->limit; ++thread) {
    if (graph->stuck[thread] || !may_be_in_cycle(graph, thread)) continue;
    uint32_t length = shortest_cycle(graph, thread, cycle);
    if (length) report_cycle(graph, cycle, length);
  }
  free(cycle);
}

// ---- bystanders --------------------------------------------------------------------------------

static void add_bystander(wait_graph_t *graph, uint32_t thread, const wait_edge_t *edge) {
  deadlock_t *found = &graph->search->result->items[graph->behind[thread] - 1];
  const thread_pending_t *pending = pending_of(graph, thread);
  found->bystanders =
      array_resize(found->bystanders, found->bystander_count + 1, sizeof *found->bystanders);
  found->bystanders[found->bystander_count++] =
      (deadlock_bystander_t){.thread = thread,
                             .wants = edge->lock,
                             .wants_thread = edge->lock ? 0 : edge->to,
                             .stack = pending->stack,
                             .since_ns = pending->since_ns};
}

// Who waits for somebody stuck is stuck behind the same finding; repeated until nobody is added.
static void find_bystanders(wait_graph_t *graph) {
  for (bool changed = true; changed;) {
    changed = false;
    for (uint32_t at = 0; at < graph->edge_count; ++at) {
      const wait_edge_t *edge = &graph->edges[at];
      if (graph->behind[edge->from] || !graph->behind[edge->to]) continue;
      graph->behind[edge->from] = graph->behind[edge->to];
      add_bystander(graph, edge->from, edge);
      changed = true;
    }
  }
}

void wait_for_search(deadlock_search_t *search) {
  const reader_t *reader = models_reader(search->models);
  wait_graph_t graph = {.search = search,
                        .threads = models_threads(search->models),
                        .locks = models_locks(search->models),
                        .running = reader && reader_summary(reader)->running};
  graph.limit = threads_limit(graph.threads);
  graph.first_edge = array_zeroed((size_t)graph.limit + 1, sizeof *graph.first_edge);
  graph.stuck = array_zeroed(graph.limit, sizeof *graph.stuck);
  graph.behind = array_zeroed(graph.limit, sizeof *graph.behind);
  make_edges(&graph);
  if (graph.edge_count) {
    find_components(&graph);
    find_cycles(&graph);
    find_bystanders(&graph);
  }
  free(graph.edges);
  free(graph.first_edge);
  free(graph.component);
  free(graph.stuck);
  free(graph.behind);
}
