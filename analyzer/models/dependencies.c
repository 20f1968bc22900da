// SPDX-License-Identifier: Apache-2.0
// Dependency tuples, each distinct one once, with lists by lock so that those of retired locks can
// be found and dropped.
#include "analyzer/models/dependencies.h"

#include "analyzer/models/address_map.h"
#include "analyzer/models/array.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { FETCH_LINE = 64 };

// Entries in which a lock has one role, in no order.
typedef struct {
  dependency_t **items;
  uint32_t count, capacity;
} list_t;

// A lock that some entry names.
typedef struct {
  list_t wanting, holding;
  bool retired;
} node_t;

// Entries that differ in stacks alone.
typedef struct {
  dependency_t *first;
  uint64_t variants;
} family_t;

struct dependencies {
  list_t all;
  address_map_t keys;      // key -> dependency_t *
  address_map_t families;  // family -> family_t
  address_map_t nodes;     // lock -> node_t *
  thread_order_t *order;
  uint64_t serial, dropped;
  uint64_t retired_entries;
  uint32_t *queue;  // locks to look at again
  uint32_t queue_count, queue_capacity;
};

static const char *const mode_names[] = {"exclusive", "shared"};

const char *lock_mode_name(lock_mode_t mode) { return mode_names[mode]; }

dependencies_t *dependencies_open(thread_order_t *order) {
  dependencies_t *dependencies = array_zeroed(1, sizeof *dependencies);
  dependencies->families = (address_map_t)ADDRESS_MAP(family_t);
  dependencies->order = order;
  return dependencies;
}

static void free_dependency(dependency_t *dependency) {
  for (uint32_t at = 0; at < dependency->occurrence_count; ++at)
    order_moment_drop(&dependency->occurrences[at].moment);
  free(dependency->occurrences);
  free(dependency->held);
  free(dependency->places);
  free(dependency);
}

static void free_node(node_t *node) {
  free(node->wanting.items);
  free(node->holding.items);
  free(node);
}

void dependencies_close(dependencies_t *dependencies) {
  if (!dependencies) return;
  for (uint32_t at = 0; at < dependencies->all.count; ++at)
    free_dependency(dependencies->all.items[at]);
  size_t position = 0;
  uint64_t lock;
  for (node_t **node; (node = address_map_next(&dependencies->nodes, &position, &lock));)
    free_node(*node);
  address_map_clear(&dependencies->keys);
  address_map_clear(&dependencies->families);
  address_map_clear(&dependencies->nodes);
  free(dependencies->all.items);
  free(dependencies->queue);
  free(dependencies);
}

thread_order_t *dependencies_order(const dependencies_t *dependencies) {
  return dependencies->order;
}

// ---- entries -----------------------------------------------------------------------------------

typedef struct {
  uint32_t lock, mode;  // and LOCK_FRESH
} family_part_t;
enum { LOCK_FRESH = 1 << 8 };

static family_part_t family_part(const dependency_lock_t *lock) {
  return (family_part_t){lock->lock, lock->mode | (lock->fresh ? LOCK_FRESH : 0u)};
}

static uint64_t family_of(const dependency_lock_t *wanted, const dependency_lock_t *held,
                          uint32_t count) {
  family_part_t parts[DEPENDENCY_HELD_MAX + 1] = {family_part(wanted)};
  for (uint32_t at = 0; at < count; ++at) parts[at + 1] = family_part(&held[at]);
  return XXH3_64bits(parts, (count + 1) * sizeof *parts) | 1;
}

static uint64_t key_of(uint64_t family, const dependency_lock_t *wanted,
                       const dependency_lock_t *held, uint32_t count) {
  uint32_t stacks[DEPENDENCY_HELD_MAX + 1] = {wanted->stack};
  for (uint32_t at = 0; at < count; ++at) stacks[at + 1] = held[at].stack;
  return XXH3_64bits_withSeed(stacks, (count + 1) * sizeof *stacks, family) | 1;
}

static node_t *node_of(dependencies_t *dependencies, uint32_t lock) {
  node_t **node = address_map_put(&dependencies->nodes, lock);
  if (!*node) *node = array_zeroed(1, sizeof **node);
  return *node;
}

static uint32_t append(list_t *list, dependency_t *dependency) {
  ARRAY_RESERVE(list->items, list->capacity, list->count + 1);
  list->items[list->count] = dependency;
  return list->count++;
}

static void link_entry(dependencies_t *dependencies, dependency_t *entry) {
  entry->place = append(&dependencies->all, entry);
  for (uint32_t at = 0; at < entry->held_count; ++at)
    entry->places[at] = append(&node_of(dependencies, entry->held[at].lock)->holding, entry);
  entry->places[entry->held_count] =
      append(&node_of(dependencies, entry->wanted.lock)->wanting, entry);
}

static dependency_t *make_entry(dependencies_t *dependencies, uint64_t key, uint64_t family,
                                const dependency_lock_t *wanted, const dependency_lock_t *held,
                                uint32_t count) {
  dependency_t *entry = array_zeroed(1, sizeof *entry);
  *entry = (dependency_t){.wanted = *wanted,
                          .held_count = count,
                          .timed = true,
                          .key = key,
                          .family = family,
                          .serial = dependencies->serial++};
  entry->held = array_resize(NULL, count, sizeof *held);
  memcpy(entry->held, held, count * sizeof *held);
  entry->places = array_resize(NULL, count + 1, sizeof *entry->places);
  link_entry(dependencies, entry);
  return entry;
}

static bool lacks_stacks(const dependency_lock_t *wanted, const dependency_lock_t *held,
                         uint32_t count) {
  bool lacks = !wanted->stack;
  for (uint32_t at = 0; at < count; ++at) lacks |= !held[at].stack;
  return lacks;
}

// The entry was met without some of its stacks (they are taken the first time only, in some modes):
// it gets those that are known now, and with them its key.
static void complete_stacks(dependencies_t *dependencies, dependency_t *entry, uint64_t key,
                            const dependency_lock_t *wanted, const dependency_lock_t *held) {
  entry->wanted.stack = wanted->stack;
  for (uint32_t at = 0; at < entry->held_count; ++at) entry->held[at].stack = held[at].stack;
  address_map_remove(&dependencies->keys, entry->key, NULL);
  entry->key = key;
  *(dependency_t **)address_map_put(&dependencies->keys, key) = entry;
}

// Of the same locks in the same modes: without all stacks it counts in the first entry.
static dependency_t *known_variant(dependencies_t *dependencies, const family_t *family,
                                   uint64_t key, const dependency_lock_t *wanted,
                                   const dependency_lock_t *held, uint32_t count) {
  dependency_t *first = family->first;
  if (!first) return NULL;
  if (lacks_stacks(wanted, held, count) || family->variants >= DEPENDENCY_VARIANTS) return first;
  if (!lacks_stacks(&first->wanted, first->held, count)) return NULL;
  complete_stacks(dependencies, first, key, wanted, held);
  return first;
}

static dependency_t *entry_of(dependencies_t *dependencies, const dependency_lock_t *wanted,
                              const dependency_lock_t *held, uint32_t count) {
  uint64_t family_key = family_of(wanted, held, count);
  uint64_t key = key_of(family_key, wanted, held, count);
  dependency_t **known = address_map_get(&dependencies->keys, key);
  if (known) return *known;
  family_t *family = address_map_put(&dependencies->families, family_key);
  dependency_t *entry = known_variant(dependencies, family, key, wanted, held, count);
  if (entry) return entry;
  if (dependencies->all.count >= DEPENDENCIES_MAX) return NULL;
  entry = make_entry(dependencies, key, family_key, wanted, held, count);
  *(dependency_t **)address_map_put(&dependencies->keys, key) = entry;
  if (!family->first) family->first = entry;
  ++family->variants;
  return entry;
}

static void count_threads(dependency_t *entry) {
  entry->thread_count = 0;
  for (uint32_t at = 0; at < entry->occurrence_count; ++at) {
    uint32_t before = 0;
    while (entry->occurrences[before].thread != entry->occurrences[at].thread) ++before;
    entry->thread_count += before == at;
  }
}

static uint32_t seen_of_thread(const dependency_t *entry, uint32_t thread) {
  uint32_t seen = 0;
  for (uint32_t at = 0; at < entry->occurrence_count; ++at)
    seen += entry->occurrences[at].thread == thread;
  return seen;
}

// Where a further occurrence goes: a free place, else the oldest of the newer half whose thread is
// there twice, else the oldest: threads that came once are what a cycle may need.
static dependency_occurrence_t *occurrence_place(dependency_t *entry) {
  enum { KEPT = DEPENDENCY_OCCURRENCES / 2 };
  if (entry->occurrence_count < DEPENDENCY_OCCURRENCES) {
    // Most entries are met in one way only.
    if (entry->occurrence_count == entry->occurrence_capacity) {
      entry->occurrence_capacity = entry->occurrence_capacity ? DEPENDENCY_OCCURRENCES : 1;
      entry->occurrences =
          array_resize(entry->occurrences, entry->occurrence_capacity, sizeof *entry->occurrences);
    }
    return &entry->occurrences[entry->occurrence_count++];
  }
  uint32_t victim = KEPT;
  while (victim < DEPENDENCY_OCCURRENCES - 1 &&
         seen_of_thread(entry, entry->occurrences[victim].thread) < 2)
    ++victim;
  if (seen_of_thread(entry, entry->occurrences[victim].thread) < 2) victim = KEPT;
  dependency_occurrence_t *oldest = &entry->occurrences[victim];
  order_moment_drop(&oldest->moment);
  memmove(oldest, oldest + 1, (DEPENDENCY_OCCURRENCES - victim - 1) * sizeof *oldest);
  ++entry->occurrences_dropped;
  return &entry->occurrences[DEPENDENCY_OCCURRENCES - 1];
}

static inline bool is_of_epoch(const dependency_occurrence_t *occurrence, uint32_t thread,
                               uint32_t epoch) {
  return occurrence->thread == thread && occurrence->moment.epoch == epoch;
}

static dependency_occurrence_t *occurrence_find(dependency_t *entry, uint32_t thread,
                                                uint32_t epoch) {
  uint8_t *recent = &entry->recent[thread % DEPENDENCY_RECENT];
  if (*recent < entry->occurrence_count && is_of_epoch(&entry->occurrences[*recent], thread, epoch))
    return &entry->occurrences[*recent];
  for (uint32_t at = entry->occurrence_count; at-- > 0;)
    if (is_of_epoch(&entry->occurrences[at], thread, epoch)) {
      *recent = (uint8_t)at;
      return &entry->occurrences[at];
    }
  return NULL;
}

// Within one epoch the earliest moment stands for all: it knows least of the other threads, so if
// any moment of the epoch is concurrent with something, it is.
static void note_occurrence(dependencies_t *dependencies, dependency_t *entry, uint32_t thread,
                            uint64_t time) {
  uint32_t epoch = thread_order_epoch(dependencies->order, thread);
  dependency_occurrence_t *known = occurrence_find(entry, thread, epoch);
  if (known) {
    known->last_ns = time;
    return;
  }
  *occurrence_place(entry) =
      (dependency_occurrence_t){.thread = thread,
                                .first_ns = time,
                                .last_ns = time,
                                .moment = thread_order_now(dependencies->order, thread)};
  count_threads(entry);
}

uint64_t dependencies_fetch_key(const dependencies_t *dependencies, const dependency_lock_t *wanted,
                                const dependency_lock_t *held, uint32_t count) {
  const uint64_t key = key_of(family_of(wanted, held, count), wanted, held, count);
  address_map_prefetch(&dependencies->keys, key);
  return key;
}

const dependency_t *dependencies_fetch_entry(const dependencies_t *dependencies, uint64_t key) {
  dependency_t *const *entry = address_map_get(&dependencies->keys, key);
  if (!entry) return NULL;
  for (size_t at = 0; at < sizeof **entry; at += FETCH_LINE)
    __builtin_prefetch((const char *)*entry + at);
  return *entry;
}

// gcc takes a function that only prefetches for one without effect where it can see it: this one is
// called from elsewhere.
void dependency_fetch_occurrences(const dependency_t *entry) {
  const char *start = (const char *)entry->occurrences;
  for (size_t at = 0; at < entry->occurrence_count * sizeof *entry->occurrences; at += FETCH_LINE)
    __builtin_prefetch(start + at);
}

void dependencies_add(dependencies_t *dependencies, uint32_t thread, uint64_t time,
                      const dependency_lock_t *wanted, bool timed, bool pending,
                      const dependency_lock_t *held, uint32_t count) {
  if (count > DEPENDENCY_HELD_MAX) {
    dependencies->dropped += count - DEPENDENCY_HELD_MAX;
    held += count - DEPENDENCY_HELD_MAX;
    count = DEPENDENCY_HELD_MAX;
  }
  dependency_t *entry = entry_of(dependencies, wanted, held, count);
  if (!entry) {
    ++dependencies->dropped;
    return;
  }
  if (!entry->count++) entry->first_ns = time;
  if (time > entry->last_ns) entry->last_ns = time;
  entry->timed &= timed;
  entry->pending |= pending;
  note_occurrence(dependencies, entry, thread, time);
}

// ---- retirement --------------------------------------------------------------------------------

static uint32_t role_place(const dependency_t *entry, uint32_t lock, bool holding) {
  uint32_t at = entry->held_count;
  if (holding)
    for (at = 0; entry->held[at].lock != lock;) ++at;
  return at;
}

// Removes the item at `place`; the last one moves there.
static void list_remove(list_t *list, uint32_t place, uint32_t lock, bool holding) {
  dependency_t *moved = list->items[--list->count];
  list->items[place] = moved;
  moved->places[role_place(moved, lock, holding)] = place;
}

static node_t *node_find(const dependencies_t *dependencies, uint32_t lock) {
  node_t **node = address_map_get(&dependencies->nodes, lock);
  return node ? *node : NULL;
}

static bool names_retired(const dependencies_t *dependencies, const dependency_t *entry) {
  if (node_find(dependencies, entry->wanted.lock)->retired) return true;
  for (uint32_t at = 0; at < entry->held_count; ++at)
    if (node_find(dependencies, entry->held[at].lock)->retired) return true;
  return false;
}

static void forget_entry(dependencies_t *dependencies, dependency_t *entry) {
  if (names_retired(dependencies, entry)) --dependencies->retired_entries;
  dependency_t *moved = dependencies->all.items[--dependencies->all.count];
  dependencies->all.items[entry->place] = moved;
  moved->place = entry->place;
  address_map_remove(&dependencies->keys, entry->key, NULL);
  family_t *family = address_map_get(&dependencies->families, entry->family);
  if (family && (family->first == entry || !--family->variants))
    address_map_remove(&dependencies->families, entry->family, NULL);
}

// Takes the entry out of everything and frees it. Locks that it named are put on `affected`.
static void drop_entry(dependencies_t *dependencies, dependency_t *entry, uint32_t *affected) {
  forget_entry(dependencies, entry);
  for (uint32_t at = 0; at < entry->held_count; ++at) {
    affected[at] = entry->held[at].lock;
    list_remove(&node_find(dependencies, affected[at])->holding, entry->places[at], affected[at],
                true);
  }
  affected[entry->held_count] = entry->wanted.lock;
  list_remove(&node_find(dependencies, entry->wanted.lock)->wanting,
              entry->places[entry->held_count], entry->wanted.lock, false);
  free_dependency(entry);
}

// True where no cycle can lead through the entry: what it wants is gone and nobody held it while
// wanting more, or all that it holds is gone and nobody ever wanted it.
static bool is_useless(const dependencies_t *dependencies, const dependency_t *entry) {
  const node_t *wanted = node_find(dependencies, entry->wanted.lock);
  if (wanted->retired && !wanted->holding.count) return true;
  for (uint32_t at = 0; at < entry->held_count; ++at) {
    const node_t *held = node_find(dependencies, entry->held[at].lock);
    if (!held->retired || held->wanting.count) return false;
  }
  return true;
}

static dependency_t *find_useless(const dependencies_t *dependencies, const list_t *list) {
  for (uint32_t at = list->count; at-- > 0;)
    if (is_useless(dependencies, list->items[at])) return list->items[at];
  return NULL;
}

// Drops the entry; the locks that it named wait to be looked at again.
static void drop_and_queue(dependencies_t *dependencies, dependency_t *entry) {
  uint32_t count = entry->held_count + 1;
  ARRAY_RESERVE(dependencies->queue, dependencies->queue_capacity,
                dependencies->queue_count + count);
  uint32_t *affected = dependencies->queue + dependencies->queue_count;
  dependencies->queue_count += count;
  drop_entry(dependencies, entry, affected);
}

// Drops what became useless around one retired lock.
static void reduce_lock(dependencies_t *dependencies, uint32_t lock) {
  node_t *node = node_find(dependencies, lock);
  if (!node || !node->retired) return;
  dependency_t *useless;
  while (!node->holding.count && (useless = find_useless(dependencies, &node->wanting)))
    drop_and_queue(dependencies, useless);
  while (!node->wanting.count && (useless = find_useless(dependencies, &node->holding)))
    drop_and_queue(dependencies, useless);
  if (node->wanting.count || node->holding.count) return;
  address_map_remove(&dependencies->nodes, lock, NULL);
  free_node(node);
}

// Follows chains of retired locks nested in each other; ends because every step drops an entry.
static void reduce(dependencies_t *dependencies) {
  while (dependencies->queue_count)
    reduce_lock(dependencies, dependencies->queue[--dependencies->queue_count]);
}

static void count_retired(dependencies_t *dependencies, const list_t *list) {
  for (uint32_t at = 0; at < list->count; ++at)
    dependencies->retired_entries += !names_retired(dependencies, list->items[at]);
}

void dependencies_retire(dependencies_t *dependencies, uint32_t lock) {
  node_t *node = node_find(dependencies, lock);
  if (!node) return;
  count_retired(dependencies, &node->wanting);
  count_retired(dependencies, &node->holding);
  node->retired = true;
  reduce_lock(dependencies, lock);
  reduce(dependencies);
  while (dependencies->retired_entries > DEPENDENCY_RETIRED_MAX &&
         (node = node_find(dependencies, lock))) {
    ++dependencies->dropped;
    const list_t *list = node->wanting.count ? &node->wanting : &node->holding;
    drop_and_queue(dependencies, list->items[list->count - 1]);
    reduce(dependencies);
  }
}

bool dependencies_name(const dependencies_t *dependencies, uint32_t lock) {
  const node_t *node = node_find(dependencies, lock);
  return node && (node->wanting.count || node->holding.count);
}

// ---- results -----------------------------------------------------------------------------------

static int compare_serial(const void *left, const void *right) {
  const dependency_t *a = *(dependency_t *const *)left, *b = *(dependency_t *const *)right;
  return a->serial < b->serial ? -1 : a->serial > b->serial;
}

void dependencies_finish(dependencies_t *dependencies) {
  list_t *all = &dependencies->all;
  if (all->count) qsort(all->items, all->count, sizeof(dependency_t *), compare_serial);
  for (uint32_t at = 0; at < all->count; ++at) all->items[at]->place = at;
}

uint32_t dependencies_count(const dependencies_t *dependencies) { return dependencies->all.count; }

const dependency_t *dependencies_get(const dependencies_t *dependencies, uint32_t index) {
  return dependencies->all.items[index];
}

uint64_t dependencies_dropped(const dependencies_t *dependencies) { return dependencies->dropped; }

static int compare_edges(const void *left, const void *right) {
  const lock_edge_t *a = left, *b = right;
  if (a->from != b->from) return a->from < b->from ? -1 : 1;
  if (a->to != b->to) return a->to < b->to ? -1 : 1;
  if (a->from_stack != b->from_stack) return a->from_stack < b->from_stack ? -1 : 1;
  return a->to_stack < b->to_stack ? -1 : a->to_stack > b->to_stack;
}

static size_t merge_edges(lock_edge_t *edges, size_t count) {
  size_t kept = 0;
  for (size_t at = 0; at < count; ++at) {
    if (!kept || compare_edges(&edges[kept - 1], &edges[at])) {
      edges[kept++] = edges[at];
      continue;
    }
    edges[kept - 1].count += edges[at].count;
    if (edges[at].threads > edges[kept - 1].threads) edges[kept - 1].threads = edges[at].threads;
  }
  return kept;
}

lock_edge_t *dependencies_edges(const dependencies_t *dependencies, size_t *count) {
  size_t total = 0;
  for (uint32_t at = 0; at < dependencies->all.count; ++at)
    total += dependencies->all.items[at]->held_count;
  lock_edge_t *edges = array_resize(NULL, total + 1, sizeof *edges), *next = edges;
  for (uint32_t at = 0; at < dependencies->all.count; ++at) {
    const dependency_t *entry = dependencies->all.items[at];
    for (uint32_t held = 0; held < entry->held_count; ++held)
      *next++ = (lock_edge_t){entry->held[held].lock, entry->wanted.lock, entry->held[held].stack,
                              entry->wanted.stack,    entry->count,       entry->thread_count};
  }
  qsort(edges, total, sizeof *edges, compare_edges);
  *count = merge_edges(edges, total);
  return edges;
}
