// SPDX-License-Identifier: Apache-2.0
// Identity of locks: when one begins, when it ends, and what becomes of the figures of those that
// are gone.
#include "analyzer/models/locks.h"

#include "analyzer/models/array.h"
#include "analyzer/models/locks_private.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <xxhash.h>

enum { PAGE_BITS = 12, FIRST_SWEEP = 64, LEAST_FAILED_WAIT_NS = 10000, CHAIN_MAX = 1000 };
#define LEAST_RATE 1e-9
#define STACK_REACH UINT64_C(0x800000)  // the usual size of a thread's stack, below its handle

static const char *const end_texts[] = {
#define END(name, text) text,
    LOCK_END_TABLE(END)
#undef END
};

const char *lock_end_text(lock_end_t end) { return end_texts[end]; }

static const char *const kind_names[TRACE_LOCK_WHAT + 1] = {
    [TRACE_LOCK_MUTEX] = "mutex",         [TRACE_LOCK_RWLOCK] = "rwlock",
    [TRACE_LOCK_SPIN] = "spin",           [TRACE_LOCK_SEMAPHORE] = "semaphore",
    [TRACE_LOCK_CONDITION] = "condition", [TRACE_LOCK_BARRIER] = "barrier",
    [TRACE_LOCK_ONCE] = "once",           [TRACE_LOCK_FUTEX] = "futex",
    [TRACE_LOCK_FILE] = "file",
};

const char *lock_kind_name(uint32_t bits) {
  const char *name = kind_names[bits & TRACE_LOCK_WHAT];
  return name ? name : "lock";
}

locks_t *locks_open(const reader_t *reader, const heap_t *heap, dependencies_t *dependencies,
                    wakers_t *wakers, const threads_t *threads) {
  locks_t *locks = array_zeroed(1, sizeof *locks);
  locks->threads = threads;
  locks->reader = reader;
  locks->heap = heap;
  locks->dependencies = dependencies;
  locks->wakers = wakers;
  const double rate = reader ? reader_summary(reader)->lock_rate : 1;
  locks->rate = rate > LEAST_RATE ? fmin(rate, 1) : 0;  // whatever a damaged trace says
  locks->limit = 1;
  locks->sweep_at = FIRST_SWEEP;
  locks->place_keys = (address_map_t)ADDRESS_MAP(lock_place_t);
  locks->generations = (address_map_t)ADDRESS_MAP(lock_former_t);
  locks->guards_waiting = (address_map_t)ADDRESS_MAP(thread_guards_t);
  lock_handovers_open(locks);
  return locks;
}

void locks_set_path(locks_t *locks, critical_path_t *path) { locks->path = path; }

static void free_lock(lock_t *lock) {
  histogram_clear(&lock->wait_ns);
  histogram_clear(&lock->hold_ns);
  site_table_clear(&lock->waiters);
  site_table_clear(&lock->holders);
  site_table_clear(&lock->blamed);
  lock_sites_clear(&lock->sites);
  lock_blocks_clear(&lock->blocks);
  lock_history_free(lock);
  free(lock->readers);
  free(lock->displaced);
  free(lock->aliases);
  free(lock);
}

void locks_close(locks_t *locks) {
  if (!locks) return;
  size_t position = 0;
  uint64_t id;
  for (lock_t **lock; (lock = address_map_next(&locks->by_id, &position, &id));) free_lock(*lock);
  for (uint32_t thread = 0; thread < locks->held_capacity; ++thread)
    free(locks->held[thread].items);
  lock_charges_free(locks);
  lock_conditions_free(locks);
  lock_guards_free(locks);
  lock_misuse_close(locks);
  lock_livelock_close(locks);
  address_map_clear(&locks->by_id);
  address_map_clear(&locks->by_address);
  address_map_clear(&locks->by_page);
  address_map_clear(&locks->generations);
  address_map_clear(&locks->classes);
  address_map_clear(&locks->place_keys);
  address_map_clear(&locks->places);
  lock_handovers_free(locks);
  address_map_clear(&locks->pipes);
  free(locks->held);
  free(locks->kept);
  free(locks->standoffs);
  free(locks);
}

// ---- beginning ---------------------------------------------------------------------------------

static lock_t *find_lock(const locks_t *locks, uint64_t address) {
  lock_t **found = address_map_get(&locks->by_address, address);
  return found ? *found : NULL;
}

// Pages are keyed by their number + 1, for a key is never 0.
static uint64_t page_of(uint64_t address) { return (address >> PAGE_BITS) + 1; }

static void filter_set(locks_t *locks, uint64_t page) {
  locks->page_filter[page % LOCK_PAGE_FILTER / 64] |= UINT64_C(1) << page % 64;
}

static bool filter_has(const locks_t *locks, uint64_t page) {
  return locks->page_filter[page % LOCK_PAGE_FILTER / 64] >> page % 64 & 1;
}

static uint32_t made_bits(uint32_t bits) {
  return bits & (TRACE_LOCK_WHAT | TRACE_LOCK_RECURSIVE | TRACE_LOCK_ERRORCHECK |
                 TRACE_LOCK_ADAPTIVE | TRACE_LOCK_ROBUST | TRACE_LOCK_INHERIT | TRACE_LOCK_PROTECT |
                 TRACE_LOCK_PROCESS_SHARED | TRACE_LOCK_WRITER_PREFERRED);
}

static lock_t *begin_lock(locks_t *locks, const reader_event_t *event, uint64_t address,
                          uint32_t bits) {
  lock_t *lock = array_zeroed(1, sizeof *lock);
  lock->id = locks->limit++;
  lock->address = address;
  lock->instances = 1;
  lock->owned = (bits & TRACE_LOCK_WHAT) != TRACE_LOCK_SEMAPHORE;
  lock->first_ns = event->time;
  lock->first_thread = event->thread;
  const lock_former_t *former = address_map_get(&locks->generations, address);
  if (former) lock->generation = (uint32_t)former->count;
  if (!locks->heap || !heap_find(locks->heap, address, &lock->block))
    lock->block = (heap_block_t){0};
  *(lock_t **)address_map_put(&locks->by_id, lock->id) = lock;
  *(lock_t **)address_map_put(&locks->by_address, address) = lock;
  lock_place_take(locks, lock);
  filter_set(locks, page_of(address));
  lock_t **page = address_map_put(&locks->by_page, page_of(address));
  lock->next_in_page = *page;
  return *page = lock;
}

static void note_shared(const locks_t *locks, lock_t *lock, uint32_t thread) {
  if (!lock->shared_by_threads && !lock->history) lock_history_begin(lock);
  lock->shared_by_threads = true;
  if (lock->shared_by_processes || !locks->reader || reader_part_count(locks->reader) == 1) return;
  lock->shared_by_processes = reader_part_of_thread(locks->reader, thread) !=
                              reader_part_of_thread(locks->reader, lock->first_thread);
}

lock_t *lock_touch(locks_t *locks, const reader_event_t *event, uint64_t address, uint32_t bits) {
  lock_t *lock = find_lock(locks, address);
  if (!lock) lock = lock_place_find(locks, address);
  if (!lock) lock = begin_lock(locks, event, address, bits);
  if (bits) lock->bits = made_bits(bits);
  if (!lock->first_stack) lock->first_stack = event->stack;
  if (event->time > lock->last_ns) lock->last_ns = event->time;
  if (event->thread != lock->first_thread) note_shared(locks, lock, event->thread);
  return lock;
}

// ---- end ---------------------------------------------------------------------------------------

uint64_t lock_class(const lock_t *lock) {
  uint64_t parts[3] = {lock->bits & TRACE_LOCK_WHAT, lock->init_stack, 0};
  if (!lock->init_stack && lock->block.size) {
    parts[1] = (uint64_t)lock->block.stack << 1 | 1;
    parts[2] = lock->address - lock->block.address;
  } else if (!lock->init_stack) {
    parts[2] = lock->address;
  }
  return XXH3_64bits(parts, sizeof parts) | 1;
}

static void unlink_lock(locks_t *locks, lock_t *lock) {
  lock_place_leave(locks, lock);
  address_map_remove(&locks->by_address, lock->address, NULL);
  lock_t **link = address_map_get(&locks->by_page, page_of(lock->address));
  if (*link == lock && !lock->next_in_page) {
    address_map_remove(&locks->by_page, page_of(lock->address), NULL);
    return;
  }
  while (*link != lock) link = &(*link)->next_in_page;
  *link = lock->next_in_page;
}

static void merge_convoys(lock_convoys_t *into, const lock_convoys_t *from) {
  into->count += from->count;
  into->total_ns += from->total_ns;
  into->handovers += from->handovers;
  if (from->longest <= into->longest) return;
  into->longest = from->longest;
  into->longest_from = from->longest_from;
  into->longest_until = from->longest_until;
}

static void merge_lock(lock_t *into, const lock_t *lock) {
  into->instances += lock->instances;
  into->acquisitions += lock->acquisitions;
  into->drawn += lock->drawn;
  into->failed_drawn += lock->failed_drawn;
  into->contended += lock->contended;
  into->failed += lock->failed;
  into->released_by_other += lock->released_by_other;
  into->released_unseen += lock->released_unseen;
  into->holds += lock->holds;
  into->shared_by_threads |= lock->shared_by_threads;
  into->shared_by_processes |= lock->shared_by_processes;
  if (lock->max_waiters > into->max_waiters) into->max_waiters = lock->max_waiters;
  if (lock->last_ns > into->last_ns) into->last_ns = lock->last_ns;
  histogram_merge(&into->wait_ns, &lock->wait_ns);
  histogram_merge(&into->hold_ns, &lock->hold_ns);
  site_table_merge(&into->waiters, &lock->waiters);
  site_table_merge(&into->holders, &lock->holders);
  site_table_merge(&into->blamed, &lock->blamed);
  into->blamed_ns += lock->blamed_ns;
  lock_sites_merge(&into->sites, &lock->sites);
  lock_blocks_merge(&into->blocks, &lock->blocks);
  into->reacquires += lock->reacquires;
  into->reacquire_ns += lock->reacquire_ns;
  merge_convoys(&into->convoys, &lock->convoys);
}

static bool is_named(const locks_t *locks, const lock_t *lock) {
  return lock->references || dependencies_name(locks->dependencies, lock->id);
}

// The first of its class stands for those that follow, so that a program that makes and destroys
// locks for ever needs no more memory than one that does not.
static void fold_lock(locks_t *locks, lock_t *lock) {
  lock_t **into = address_map_put(&locks->classes, lock_class(lock));
  if (!*into) {
    *into = lock;
    return;
  }
  merge_lock(*into, lock);
  if (lock->holds) critical_path_merge(locks->path, lock->id, (*into)->id);
  address_map_remove(&locks->by_id, lock->id, NULL);
  free_lock(lock);
}

static void sweep_kept(locks_t *locks) {
  uint32_t still = 0;
  for (uint32_t at = 0; at < locks->kept_count; ++at) {
    if (is_named(locks, locks->kept[at]))
      locks->kept[still++] = locks->kept[at];
    else
      fold_lock(locks, locks->kept[at]);
  }
  locks->kept_count = still;
  locks->sweep_at = still * 2 > FIRST_SWEEP ? still * 2 : FIRST_SWEEP;
}

static void note_former(locks_t *locks, const lock_t *lock, lock_end_t end, uint64_t time,
                        const reader_event_t *event) {
  lock_former_t *former = address_map_put(&locks->generations, lock->address);
  *former =
      (lock_former_t){.count = former->count + 1, .at_ns = time, .lock = lock->id, .end = end};
  if (!event) return;
  former->by = event->thread;
  former->by_stack = end == LOCK_END_DESTROYED ? event->stack : 0;
  former->timed = event->timed && event->time == time;
}

void lock_end(locks_t *locks, lock_t *lock, lock_end_t end, uint64_t time,
              const reader_event_t *event) {
  if (end == LOCK_END_FREED && event) lock_misuse_free(locks, lock, event);
  lock->end = end;
  if (time > lock->last_ns) lock->last_ns = time;
  note_former(locks, lock, end, time, event);
  unlink_lock(locks, lock);
  lock_drop_holders(locks, lock);
  lock_end_convoy(lock);
  lock_history_free(lock);
  dependencies_retire(locks->dependencies, lock->id);
  if (!is_named(locks, lock)) {
    fold_lock(locks, lock);
    return;
  }
  ARRAY_RESERVE(locks->kept, locks->kept_capacity, locks->kept_count + 1);
  locks->kept[locks->kept_count++] = lock;
  if (locks->kept_count >= locks->sweep_at) sweep_kept(locks);
}

static void retire_in_page(locks_t *locks, uint64_t page, uint64_t start, uint64_t size,
                           lock_end_t end, const reader_event_t *event) {
  lock_t **head = filter_has(locks, page) ? address_map_get(&locks->by_page, page) : NULL;
  for (lock_t *lock = head ? *head : NULL, *next; lock; lock = next) {
    next = lock->next_in_page;
    if (lock->alias_count) continue;  // it goes on at another address
    if (lock->address - start < size) lock_end(locks, lock, end, event->time, event);
  }
}

// Asks every page that has a lock, where these are fewer than the pages of the range.
static void retire_everywhere(locks_t *locks, uint64_t start, uint64_t size, lock_end_t end,
                              const reader_event_t *event) {
  size_t position = 0, count = 0;
  uint64_t key;
  uint64_t *pages = array_resize(NULL, locks->by_page.count + 1, sizeof *pages);
  while (address_map_next(&locks->by_page, &position, &key)) pages[count++] = key;
  for (size_t at = 0; at < count; ++at) retire_in_page(locks, pages[at], start, size, end, event);
  free(pages);
}

void locks_retire(locks_t *locks, uint64_t start, uint64_t size, lock_end_t end,
                  const reader_event_t *event) {
  if (!size || !locks->by_page.count) return;
  uint64_t first = page_of(start), last = page_of(start + size - 1);
  if (first == last && !filter_has(locks, first)) return;
  if (last - first > locks->by_page.count) {
    retire_everywhere(locks, start, size, end, event);
    return;
  }
  for (uint64_t page = first; page <= last; ++page)
    retire_in_page(locks, page, start, size, end, event);
}

void locks_check_modules(locks_t *locks) {
  uint32_t unloaded = 0;
  size_t count = locks->reader ? reader_module_count(locks->reader) : 0;
  for (size_t at = 0; at < count; ++at)
    unloaded += reader_module(locks->reader, at)->unloaded != UINT64_MAX;
  if (unloaded == locks->modules_seen_unloaded) return;
  locks->modules_seen_unloaded = unloaded;
  size_t position = 0, found = 0;
  uint64_t id;
  lock_t **gone = array_resize(NULL, locks->by_address.count + 1, sizeof *gone);
  for (lock_t **lock; (lock = address_map_next(&locks->by_address, &position, &id));)
    for (size_t at = 0; at < count; ++at) {
      const reader_module_t *module = reader_module(locks->reader, at);
      if ((*lock)->address < module->start || (*lock)->address >= module->end ||
          (*lock)->last_ns > module->unloaded)
        continue;
      gone[found++] = *lock;
      break;
    }
  for (size_t at = 0; at < found; ++at)
    lock_end(locks, gone[at], LOCK_END_UNLOADED, gone[at]->last_ns, NULL);
  free(gone);
}

// Locks on the stack of a thread that ends: below its handle, first touched by the thread itself,
// in no heap block and in no module.
static bool was_on_stack(const locks_t *locks, const lock_t *lock, uint32_t thread) {
  if (lock->first_thread != thread || lock->block.size) return false;
  size_t count = locks->reader ? reader_module_count(locks->reader) : 0;
  for (size_t at = 0; at < count; ++at) {
    const reader_module_t *module = reader_module(locks->reader, at);
    if (lock->address >= module->start && lock->address < module->end) return false;
  }
  return true;
}

static void end_thread_stack(locks_t *locks, const reader_event_t *event) {
  uint64_t handle = event->words[0], position_key;
  size_t position = 0, found = 0;
  lock_t **gone = NULL;
  if (!handle || !locks->by_address.count) return;
  for (lock_t **lock; (lock = address_map_next(&locks->by_address, &position, &position_key));) {
    if (handle - (*lock)->address - 1 >= STACK_REACH) continue;
    if (!was_on_stack(locks, *lock, event->thread)) continue;
    gone = array_resize(gone, found + 1, sizeof(*gone));
    gone[found++] = *lock;
  }
  for (size_t at = 0; at < found; ++at)
    lock_end(locks, gone[at], LOCK_END_THREAD_ENDED, event->time, event);
  free(gone);
}

// ---- events ------------------------------------------------------------------------------------

// What lived where something is initialised now. A named semaphore that is opened once more, maybe
// at another address, is the one it was.
static void end_former(locks_t *locks, const reader_event_t *event) {
  lock_t *old = find_lock(locks, event->words[0]);
  if (!old || !(old->acquisitions || old->failed || old->init_stack)) return;
  if (event->kind == TRACE_SEMAPHORE_INIT && old->alias_count) return;
  lock_end(locks, old, LOCK_END_INITIALISED, event->time, event);
}

static void step_init(locks_t *locks, const reader_event_t *event) {
  end_former(locks, event);
  lock_touch(locks, event, event->words[0], (uint32_t)event->arg)->init_stack = event->stack;
}

// One that begins with 1 may be a lock, until somebody posts it who has not waited for it.
static void step_semaphore(locks_t *locks, const reader_event_t *event) {
  end_former(locks, event);
  lock_t *lock = lock_touch(locks, event, event->words[0], (uint32_t)event->words[1]);
  lock->init_stack = event->stack;
  lock->owned = event->arg == 1;
}

// True for a semaphore that hands something over: it is no lock.
static bool is_handover(locks_t *locks, lock_t *lock, uint32_t thread, bool post) {
  if ((lock->bits & TRACE_LOCK_WHAT) != TRACE_LOCK_SEMAPHORE) return false;
  if (post && lock->owned && !lock_is_held_by(locks, lock, thread)) {
    lock_drop_holders(locks, lock);
    lock->owned = false;
  }
  return !lock->owned;
}

static void step_destroy(locks_t *locks, const reader_event_t *event) {
  lock_t *lock = find_lock(locks, event->words[0]);
  if (lock && !lock_misuse_destroy(locks, lock, event))
    lock_end(locks, lock, LOCK_END_DESTROYED, event->time, event);
}

// The call that ended just now waited until the event's time.
static void note_wait(locks_t *locks, lock_t *lock, const reader_event_t *event) {
  uint64_t wait = event->words[1];
  uint64_t from = wait < event->time ? event->time - wait : 0;
  lock_waited(locks, lock, event->thread, event->stack, from, event->time);
  if (lock->generation)
    lock_misuse_waited(locks, lock,
                       &(lock_wait_t){.thread = event->thread,
                                      .stack = event->stack,
                                      .from_ns = from,
                                      .until_ns = event->time});
}

// The drawn ones stand for 1 / rate together, each for a whole number.
uint32_t lock_weight(const locks_t *locks, uint64_t *drawn, uint32_t bits) {
  if (bits & TRACE_LOCK_FOR_ORDER) return 0;
  if (!(bits & TRACE_LOCK_DRAWN) || !(locks->rate > 0)) return 1;
  const uint64_t before = (*drawn)++;
  return (uint32_t)((uint64_t)((double)*drawn / locks->rate + 0.5) -
                    (uint64_t)((double)before / locks->rate + 0.5));
}

bool locks_are_sampled(const locks_t *locks) { return locks->rate < 1; }

// Each draw is one of many with the probability `rate`.
double locks_acquisitions_variance(const locks_t *locks, const lock_t *lock) {
  if (!(locks->rate > 0)) return 0;
  return (double)lock->drawn * (1 - locks->rate) / (locks->rate * locks->rate);
}

static void step_acquire(locks_t *locks, const reader_event_t *event) {
  uint32_t bits = (uint32_t)event->arg;
  lock_t *lock = lock_touch(locks, event, event->words[0], bits);
  const uint32_t weight = lock_weight(locks, &lock->drawn, bits);
  lock_site_t *site = lock_sites_at(&lock->sites, event->stack);
  lock->acquisitions += weight;
  site->acquisitions += weight;
  if (event->kind == TRACE_LOCK_WAIT && !(bits & TRACE_LOCK_BY_CONDITION)) {
    ++lock->contended;
    ++site->contended;
    note_wait(locks, lock, event);
    lock_standoff_step(locks, lock, event, false);
    lock_woken(locks, lock, event);
  }
  if ((bits & TRACE_LOCK_WHAT) == TRACE_LOCK_RWLOCK && !(bits & TRACE_LOCK_SHARED)) ++lock->writers;
  if ((bits & TRACE_LOCK_WHAT) == TRACE_LOCK_ONCE && bits & TRACE_LOCK_SHARED)
    lock_take_over(locks, lock->address, event->thread, ORDER_ALWAYS);
  if (is_handover(locks, lock, event->thread, false))
    lock_take_over(locks, lock->address, event->thread, ORDER_THIS_RUN);
  if (!lock_has_owner(lock)) return;
  lock_livelock_acquired(locks, lock, event);
  if (!(bits & TRACE_LOCK_TRY))
    lock_requested(locks, lock, event->thread, event->stack, bits, event->time, false);
  lock_acquired(locks, lock, event, weight);
}

// A request that was refused at once (busy, would deadlock, not allowed) has not waited, although
// its call took some time.
static bool failure_waited(const reader_event_t *event) {
  return trace_unzigzag(event->words[2]) == -ETIMEDOUT || event->words[1] >= LEAST_FAILED_WAIT_NS;
}

// A release or a destruction that was refused: nothing was asked for.
static bool is_no_request(const reader_event_t *event) {
  int64_t result = trace_unzigzag(event->words[2]);
  return !(event->arg & TRACE_LOCK_TRY) && !event->words[1] &&
         (result == -EPERM || result == -EBUSY);
}

static void step_fail(locks_t *locks, const reader_event_t *event) {
  uint32_t bits = (uint32_t)event->arg;
  lock_t *lock = lock_touch(locks, event, event->words[0], bits);
  if (is_no_request(event)) {
    lock_misuse_refused(locks, lock, event);
    return;
  }
  uint32_t weight = lock_weight(locks, &lock->failed_drawn, bits);
  lock->failed += weight;
  if (bits & TRACE_LOCK_TRY) {
    lock_livelock_failed(locks, lock, event, weight);
    return;
  }
  if (failure_waited(event)) note_wait(locks, lock, event);
  if (failure_waited(event) && lock_has_owner(lock))
    lock_standoff_step(locks, lock, event, trace_unzigzag(event->words[2]) == -ETIMEDOUT);
  if (lock_has_owner(lock))
    lock_requested(locks, lock, event->thread, event->stack, bits, event->time, false);
}

static void step_release(locks_t *locks, const reader_event_t *event) {
  uint32_t bits = (uint32_t)event->arg;
  if (locks->suspect_count) lock_misuse_released(locks, event);
  lock_t *lock = lock_touch(locks, event, event->words[0], bits);
  if (is_handover(locks, lock, event->thread, true) || (bits & TRACE_LOCK_WHAT) == TRACE_LOCK_ONCE)
    lock_hand_over(locks, lock->address, event->thread);
  if (lock_has_owner(lock)) lock_released(locks, lock, event);
}

// Kind 0: what was lost is not known, and may have been anything.
static bool lost_locks(const reader_event_t *event) {
  return !event->arg || (event->arg < TRACE_KIND_LIMIT &&
                         trace_event_kinds[event->arg].family == TRACE_FAMILY_LOCK);
}

// Damaged or mad: no lock is at address 0.
static bool names_nothing(const reader_event_t *event) {
  return !event->words[0] && trace_event_kinds[event->kind].family == TRACE_FAMILY_LOCK;
}

void locks_step(locks_t *locks, const reader_event_t *event) {
  if (names_nothing(event)) return;
  locks->now = event->time;
  if (locks->destroying_count && trace_event_kinds[event->kind].family == TRACE_FAMILY_LOCK)
    lock_misuse_settle(locks, event);
  lock_blocking_step(locks, event);
  switch (event->kind) {
  case TRACE_LOCK_INIT:
    step_init(locks, event);
    break;
  case TRACE_LOCK_DESTROY:
    step_destroy(locks, event);
    break;
  case TRACE_LOCK_ACQUIRE:
  case TRACE_LOCK_WAIT:
    step_acquire(locks, event);
    break;
  case TRACE_LOCK_FAIL:
    step_fail(locks, event);
    break;
  case TRACE_LOCK_RELEASE:
    step_release(locks, event);
    break;
  case TRACE_COND_WAIT:
  case TRACE_COND_SIGNAL:
    lock_condition_step(locks, event);
    lock_handover_step(locks, event);
    break;
  case TRACE_BARRIER_INIT:
  case TRACE_BARRIER_WAIT:
    lock_handover_step(locks, event);
    break;
  case TRACE_SEMAPHORE_INIT:
    step_semaphore(locks, event);
    break;
  case TRACE_LOCK_SHARED_AT:
    lock_place_step(locks, event);
    break;
  case TRACE_THREAD_END:
    end_thread_stack(locks, event);
    break;
  case TRACE_THREAD_CREATE:
  case TRACE_THREAD_JOIN:
    lock_not_alone(locks, event->thread, event->time);
    break;
  case TRACE_LOST:
    if (lost_locks(event)) lock_forget_thread(locks, event->thread);
    break;
  default:
    break;
  }
}

// The pending requests, and which of them are done.
typedef struct {
  locks_t *locks;
  const threads_t *threads;
  bool *done;
  uint64_t end_ns;
} finish_t;

static void finish_thread(finish_t *finish, uint32_t thread, unsigned depth);

// A request that was waiting when the trace ended. What its thread had acquired since then shows
// that the note of it is stale.
static void finish_request(finish_t *finish, uint32_t thread, const thread_pending_t *pending,
                           unsigned depth) {
  locks_t *locks = finish->locks;
  uint32_t bits = (uint32_t)pending->second;
  reader_event_t event = {.kind = TRACE_LOCK_WAIT,
                          .thread = thread,
                          .stack = pending->stack,
                          .time = pending->since_ns};
  lock_t *lock = lock_touch(locks, &event, pending->object, bits);
  const held_locks_t *held = lock_held_by(locks, thread);
  for (uint32_t at = 0; at < held->count; ++at)
    if (held->items[at].lock == lock && held->items[at].since_ns >= pending->since_ns) return;
  // Its holder's own wait first: what is charged for that is charged on.
  if (lock->owner.thread && depth < CHAIN_MAX) finish_thread(finish, lock->owner.thread, depth + 1);
  lock_waited(locks, lock, thread, pending->stack, pending->since_ns, finish->end_ns);
  if (lock->generation)
    lock_misuse_waited(
        locks, lock,
        &(lock_wait_t){thread, pending->stack, pending->since_ns, finish->end_ns, true});
  if ((bits & TRACE_LOCK_WHAT) == TRACE_LOCK_RWLOCK && !(bits & TRACE_LOCK_SHARED)) ++lock->writers;
  if (lock_has_owner(lock))
    lock_requested(locks, lock, thread, pending->stack, bits, pending->since_ns, true);
}

static void finish_thread(finish_t *finish, uint32_t thread, unsigned depth) {
  if (thread >= threads_limit(finish->threads) || finish->done[thread]) return;
  const thread_pending_t *pending = &threads_get(finish->threads, thread)->pending;
  finish->done[thread] = true;
  if (pending->what == TRACE_PENDING_LOCK && pending->object)
    finish_request(finish, thread, pending, depth);
  else if (pending->what == TRACE_PENDING_CONDITION)
    lock_condition_pending(finish->locks, thread, pending, finish->end_ns);
  else if (pending->what == TRACE_PENDING_JOIN)
    lock_guards_join(finish->locks, thread,
                     threads_by_handle(finish->threads, pending->object, false));
}

static void sort_sites(locks_t *locks) {
  size_t position = 0;
  uint64_t id;
  for (lock_t **lock; (lock = address_map_next(&locks->by_id, &position, &id));) {
    site_table_sort(&(*lock)->waiters);
    site_table_sort(&(*lock)->holders);
    site_table_sort(&(*lock)->blamed);
    lock_sites_sort(&(*lock)->sites);
    lock_blocks_sort(&(*lock)->blocks);
    lock_end_convoy(*lock);
  }
  for (uint32_t at = 0; at < locks->condition_count; ++at) {
    site_table_sort(&locks->condition_list[at]->waiters);
    site_table_sort(&locks->condition_list[at]->signallers);
  }
}

void locks_finish(locks_t *locks, const threads_t *threads, uint64_t end_ns) {
  finish_t finish = {locks, threads, array_zeroed(threads_limit(threads), sizeof(bool)), end_ns};
  for (uint32_t thread = 1; thread < threads_limit(threads); ++thread)
    finish_thread(&finish, thread, 0);
  free(finish.done);
  lock_guards_finish(locks);
  lock_misuse_finish(locks);
  lock_livelock_finish(locks);
  sort_sites(locks);
}

uint32_t locks_limit(const locks_t *locks) { return locks->limit; }

const lock_t *locks_get(const locks_t *locks, uint32_t id) {
  lock_t **lock = address_map_get(&locks->by_id, id);
  return lock ? *lock : NULL;
}

const lock_t *locks_at(const locks_t *locks, uint64_t address) { return find_lock(locks, address); }
