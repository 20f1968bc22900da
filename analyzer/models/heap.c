// SPDX-License-Identifier: Apache-2.0
// Live blocks and totals by allocation site, one look-up an event.
#include "analyzer/models/heap.h"

#include "analyzer/models/array.h"
#include "analyzer/models/block_table.h"

#include <stdlib.h>

enum {
  LARGE = 64 << 10,   // from this size on a block is also in the table of large ones
  FEW_REGIONS = 256,  // fewer stay in the cache
  EARLY_BITS = 10,
  EARLY_PLACES = 1 << EARLY_BITS,
  EARLY_NS = 10 * 1000 * 1000,  // twice the time between two anchors of a thread
};

// What is known of a thread: the block its last heap call gave, and the block it is reallocating.
typedef struct {
  uint64_t last_block;
  uint64_t moving;    // address, 0: none
  bool moving_ended;  // it was reused before the reallocation was read, and has been ended
  block_t moved;
} heap_thread_t;

// A free of a block that is not there: of one from before the record, or of one that another thread
// has just been given and handed over, whose allocation is read a little later.
typedef struct {
  uint64_t address, time;  // address 0: none
  uint32_t thread;
  uint32_t taken;  // by the block that this thread was given; 0: not yet
  bool second;  // another thread had just freed the block there: one of the two frees another block
} early_free_t;

// A free that ended a block.
typedef struct {
  uint64_t address, time;
  uint32_t thread;
} recent_free_t;

struct heap {
  heap_totals_t totals;
  block_table_t blocks;
  address_map_t owed;   // address -> frees of earlier blocks there that are still to be read:
                        // another thread's reuse of the block was read before them
  address_map_t large;  // address -> size of blocks >= LARGE
  heap_site_t *sites;   // by stack
  uint32_t site_limit, site_capacity;
  heap_thread_t *threads;
  uint32_t thread_capacity;
  uint64_t early_until;                // from then on none of `early` counts any more
  uint64_t peak_number;                // how often the heap had a new peak
  early_free_t early[EARLY_PLACES];    // the newest, by address
  recent_free_t recent[EARLY_PLACES];  // likewise
};

heap_t *heap_open(uint64_t distance) {
  heap_t *heap = array_zeroed(1, sizeof *heap);
  heap->totals.distance = distance;
  block_table_open(&heap->blocks);
  return heap;
}

void heap_close(heap_t *heap) {
  if (!heap) return;
  for (uint32_t stack = 0; stack < heap->site_limit; ++stack)
    histogram_clear(&heap->sites[stack].lifetime_ns);
  histogram_clear(&heap->totals.sizes);
  block_table_clear(&heap->blocks);
  address_map_clear(&heap->owed);
  address_map_clear(&heap->large);
  free(heap->sites);
  free(heap->threads);
  free(heap);
}

static inline bool names_block(const reader_event_t *event) {
  return event->kind >= TRACE_ALLOCATE && event->kind <= TRACE_REALLOCATE;
}

static inline uint64_t block_of(const reader_event_t *event) {
  return event->words[event->kind == TRACE_REALLOCATE];
}

// Tables of many live blocks are in no cache.
void heap_fetch(const heap_t *heap, const reader_event_t *events, size_t count) {
  const block_table_t *blocks = &heap->blocks;
  if (blocks->regions.count < FEW_REGIONS) return;
  const uint32_t *freed[HEAP_FETCH_MAX];
  uint32_t freed_count = 0;
  for (size_t i = 0; i < count; ++i)
    if (names_block(&events[i])) block_table_fetch_region(blocks, block_of(&events[i]));
  for (size_t i = 0; i < count; ++i) {
    if (!names_block(&events[i])) continue;
    const uint32_t *place = block_table_fetch_place(blocks, block_of(&events[i]));
    if (place && events[i].kind != TRACE_ALLOCATE) freed[freed_count++] = place;
  }
  for (uint32_t i = 0; i < freed_count; ++i) block_table_fetch_block(blocks, freed[i]);
}

static inline heap_site_t *site_of(heap_t *heap, uint32_t stack) {
  if (stack >= heap->site_limit) {
    ARRAY_RESERVE(heap->sites, heap->site_capacity, stack + 1);
    for (; heap->site_limit <= stack; ++heap->site_limit)
      heap->sites[heap->site_limit].stack = heap->site_limit;
  }
  return &heap->sites[stack];
}

static inline heap_thread_t *thread_of(heap_t *heap, uint32_t thread) {
  ARRAY_RESERVE(heap->threads, heap->thread_capacity, thread + 1);
  return &heap->threads[thread];
}

// A site has not changed since the last peak it was brought up to, so what it has now is what it
// had at every peak since: noted before each change, this costs nothing at the peaks themselves.
static inline void note_peak(const heap_t *heap, heap_site_t *site) {
  if (site->peak_number == heap->peak_number) return;
  site->at_peak_bytes = site->live_bytes;
  site->peak_number = heap->peak_number;
}

// ---- counting ----------------------------------------------------------------------------------

// A block of the sample that was allocated, and those it stands for.
static void count_sampled(heap_t *heap, heap_site_t *site, uint64_t size) {
  heap_totals_t *totals = &heap->totals;
  double probability = estimate_probability(size, totals->distance);
  uint64_t weight = estimate_round(1 / probability);
  estimate_add(&totals->ever, size, probability);
  estimate_add(&site->ever, size, probability);
  totals->allocations = estimate_round(totals->ever.blocks);
  totals->bytes_allocated = estimate_round(totals->ever.bytes);
  site->allocations = estimate_round(site->ever.blocks);
  site->bytes = estimate_round(site->ever.bytes);
  histogram_add_many(&totals->sizes, size, weight);
}

static inline void count_block(heap_t *heap, heap_site_t *site, uint64_t size) {
  if (__builtin_expect(heap->totals.distance != 0, 0)) {
    count_sampled(heap, site, size);
    return;
  }
  ++site->allocations;
  site->bytes += size;
  ++heap->totals.allocations;
  heap->totals.bytes_allocated += size;
  histogram_add(&heap->totals.sizes, size);
}

// Brings the rounded figures of what is live up to the estimates.
static void round_live(heap_t *heap, heap_site_t *site) {
  heap_totals_t *totals = &heap->totals;
  site->live_blocks = estimate_round(site->live.blocks);
  site->live_bytes = estimate_round(site->live.bytes);
  totals->live_blocks = estimate_round(totals->live.blocks);
  totals->live_bytes = estimate_round(totals->live.bytes);
  totals->frees =
      totals->allocations > totals->live_blocks ? totals->allocations - totals->live_blocks : 0;
}

static void begin_sampled(heap_t *heap, heap_site_t *site, uint64_t size) {
  double probability = estimate_probability(size, heap->totals.distance);
  estimate_add(&heap->totals.live, size, probability);
  estimate_add(&site->live, size, probability);
  round_live(heap, site);
}

static void end_sampled(heap_t *heap, heap_site_t *site, uint64_t size) {
  double probability = estimate_probability(size, heap->totals.distance);
  estimate_remove(&heap->totals.live, size, probability);
  estimate_remove(&site->live, size, probability);
  round_live(heap, site);
}

static inline void begin_live(heap_t *heap, heap_site_t *site, uint64_t size) {
  heap_totals_t *totals = &heap->totals;
  if (__builtin_expect(totals->distance != 0, 0)) {
    begin_sampled(heap, site, size);
    return;
  }
  ++site->live_blocks;
  site->live_bytes += size;
  ++totals->live_blocks;
  totals->live_bytes += size;
}

static inline void end_live(heap_t *heap, heap_site_t *site, uint64_t size) {
  heap_totals_t *totals = &heap->totals;
  if (__builtin_expect(totals->distance != 0, 0)) {
    end_sampled(heap, site, size);
    return;
  }
  --site->live_blocks;
  site->live_bytes -= size;
  --totals->live_blocks;
  totals->live_bytes -= size;
  ++totals->frees;
}

static inline void add_live(heap_t *heap, heap_site_t *site, uint64_t size, uint64_t time) {
  heap_totals_t *totals = &heap->totals;
  note_peak(heap, site);
  begin_live(heap, site, size);
  if (site->live_bytes > site->peak_bytes) {
    site->peak_bytes = site->live_bytes;
    site->peak_variance = site->live.bytes_variance;
  }
  if (totals->live_bytes <= totals->peak_bytes) return;
  totals->peak_bytes = totals->live_bytes;
  totals->peak_variance = totals->live.bytes_variance;
  totals->peak_ns = time;
  ++heap->peak_number;
}

// The end of a block's life in the figures. Its entry has been taken out already.
static void end_block(heap_t *heap, const block_t *entry, uint64_t time) {
  heap_site_t *site = site_of(heap, entry->stack);
  uint64_t distance = heap->totals.distance;
  uint64_t lifetime = time > entry->time ? time - entry->time : 0;
  note_peak(heap, site);
  end_live(heap, site, entry->size);
  if (distance)
    histogram_add_many(&site->lifetime_ns, lifetime,
                       estimate_round(1 / estimate_probability(entry->size, distance)));
  else
    histogram_add(&site->lifetime_ns, lifetime);
}

// ---- blocks ------------------------------------------------------------------------------------

// Takes a live block out of the table. False where there is none.
static inline bool take_block(heap_t *heap, uint64_t address, block_t *block) {
  if (!block_table_take(&heap->blocks, address, block)) return false;
  if (block->size >= LARGE) address_map_remove(&heap->large, address, NULL);
  return true;
}

static void put_block(heap_t *heap, uint64_t address, const block_t *entry) {
  bool made;
  *block_table_put(&heap->blocks, address, &made) = *entry;
  if (entry->size >= LARGE) *(uint64_t *)address_map_put(&heap->large, address) = entry->size;
}

static inline void describe(heap_block_t *block, uint64_t address, const block_t *entry) {
  *block = (heap_block_t){address, entry->size, entry->stack, entry->time};
}

// The address was given out again, so its last block is gone: the free by another thread stands a
// little later in the merged order and is owed, unless events were lost and it may never come.
static void end_reused(heap_t *heap, uint64_t address, const block_t *old, uint64_t time,
                       heap_block_t *gone) {
  if (old->size >= LARGE) address_map_remove(&heap->large, address, NULL);
  end_block(heap, old, time);
  describe(gone, address, old);
  ++heap->totals.reused_early;
  if (!heap->totals.lost) ++*(uint64_t *)address_map_put(&heap->owed, address);
}

// Fibonacci hashing (Knuth, TAOCP 6.4): arenas of threads differ in high bits alone.
static inline size_t early_index(uint64_t address) {
  return (size_t)(address * UINT64_C(0x9e3779b97f4a7c15) >> (64 - EARLY_BITS));
}

static inline early_free_t *early_place(heap_t *heap, uint64_t address) {
  return &heap->early[early_index(address)];
}

static inline recent_free_t *recent_place(heap_t *heap, uint64_t address) {
  return &heap->recent[early_index(address)];
}

static void note_early_free(heap_t *heap, const reader_event_t *event, uint64_t address) {
  if (!address || heap->totals.distance) return;
  const recent_free_t *recent = recent_place(heap, address);
  bool second = recent->address == address && recent->thread != event->thread &&
                event->time - recent->time <= EARLY_NS;
  early_free_t *early = early_place(heap, address);
  heap->early_until = event->time + EARLY_NS;
  ++heap->totals.unknown_frees;
  // Who was given a block frees it: then it was not that one which had been freed early.
  if (early->address == address && early->taken == event->thread)
    early->taken = 0;
  else
    *early = (early_free_t){address, event->time, event->thread, 0, second};
}

// Whether the free of the block just given has been read already: another thread's, for a thread's
// own events are in order. After a loss the allocation that the free was of may be missing.
static inline bool was_freed_early(heap_t *heap, const reader_event_t *event, uint64_t address) {
  if (event->time > heap->early_until) return false;
  early_free_t *early = early_place(heap, address);
  if (early->address != address || early->taken || heap->totals.lost) return false;
  if (early->thread == event->thread && !early->second) return false;
  if (event->time - early->time > EARLY_NS) return false;
  early->taken = event->thread;
  return true;
}

static bool add_block(heap_t *heap, const reader_event_t *event, uint64_t address,
                      heap_block_t *gone) {
  bool made;
  block_t *place = block_table_put(&heap->blocks, address, &made);
  if (!made) end_reused(heap, address, place, event->time, gone);
  *place = (block_t){
      .size = event->arg, .time = event->time, .stack = event->stack, .thread = event->thread};
  if (event->arg >= LARGE) *(uint64_t *)address_map_put(&heap->large, address) = event->arg;
  heap_site_t *site = site_of(heap, event->stack);
  count_block(heap, site, event->arg);
  add_live(heap, site, event->arg, event->time);
  thread_of(heap, event->thread)->last_block = address;
  if (!was_freed_early(heap, event, address)) return !made;
  --heap->totals.unknown_frees;
  block_t entry;
  take_block(heap, address, &entry);
  end_block(heap, &entry, event->time);
  describe(gone, address, &entry);
  return true;
}

// Freed by the heap call that follows its allocation in the same thread.
static inline void note_temporary(heap_t *heap, const reader_event_t *event, uint64_t address,
                                  uint32_t stack) {
  heap_thread_t *thread = thread_of(heap, event->thread);
  if (thread->last_block == address && address && !heap->totals.distance) {
    ++site_of(heap, stack)->temporary;
    ++heap->totals.temporary;
  }
  thread->last_block = 0;
}

// A free that was owed: the block it meant has ended when its address was reused. The thread that
// owns the new block cannot mean the old one, for its own events are in order.
static bool owed_free_take(heap_t *heap, const reader_event_t *event) {
  uint64_t address = event->words[0], *owed = address_map_get(&heap->owed, address);
  if (!owed) return false;
  const block_t *live = block_table_get(&heap->blocks, address);
  if (live && live->thread == event->thread) return false;
  if (!--*owed) address_map_drop(&heap->owed, owed);
  thread_of(heap, event->thread)->last_block = 0;
  return true;
}

static inline bool free_was_owed(heap_t *heap, const reader_event_t *event) {
  return __builtin_expect(heap->owed.count != 0, 0) && owed_free_take(heap, event);
}

static inline bool step_free(heap_t *heap, const reader_event_t *event, heap_block_t *gone) {
  uint64_t address = event->words[0];
  block_t entry;
  if (free_was_owed(heap, event)) return false;
  if (!take_block(heap, address, &entry)) {
    note_early_free(heap, event, address);
    thread_of(heap, event->thread)->last_block = 0;
    return false;
  }
  note_temporary(heap, event, address, entry.stack);
  *recent_place(heap, address) = (recent_free_t){address, event->time, event->thread};
  end_block(heap, &entry, event->time);
  describe(gone, address, &entry);
  return true;
}

// From here until its result another thread may be given the address.
static void step_reallocate_start(heap_t *heap, const reader_event_t *event) {
  heap_thread_t *thread = thread_of(heap, event->thread);
  uint64_t address = event->words[0];
  uint64_t last_block = thread->last_block;
  thread->moving_ended = free_was_owed(heap, event);
  thread->moving = 0;
  if (thread->moving_ended || take_block(heap, address, &thread->moved)) thread->moving = address;
  thread->last_block = last_block;
}

typedef enum { OLD_UNKNOWN, OLD_KNOWN, OLD_ENDED } old_t;

// The old block as the start of the call left it, or found now where the start was not read.
static old_t take_moving(heap_t *heap, const reader_event_t *event, uint64_t old, block_t *entry) {
  heap_thread_t *thread = thread_of(heap, event->thread);
  bool moving = old && thread->moving == old;
  thread->moving = 0;
  if (!moving) return take_block(heap, old, entry) ? OLD_KNOWN : OLD_UNKNOWN;
  *entry = thread->moved;
  return thread->moving_ended ? OLD_ENDED : OLD_KNOWN;
}

// What of the old block is no longer there: all, or the end that was cut off.
static bool describe_moved(const block_t *entry, uint64_t old, uint64_t block, uint64_t size,
                           heap_block_t *gone) {
  describe(gone, old, entry);
  if (block != old) return true;
  if (size >= entry->size) return false;
  gone->address += size;
  gone->size -= size;
  return true;
}

static bool step_reallocate(heap_t *heap, const reader_event_t *event, heap_block_t *gone) {
  uint64_t old = event->words[0], block = event->words[1], size = event->arg;
  block_t entry;
  old_t known = take_moving(heap, event, old, &entry);
  if (!block && size) {
    ++heap->totals.failed;
    if (known == OLD_KNOWN) put_block(heap, old, &entry);
    return false;
  }
  bool ended = false;
  if (known == OLD_KNOWN) {
    note_temporary(heap, event, old, entry.stack);
    end_block(heap, &entry, event->time);
    ended = describe_moved(&entry, old, block, size, gone);
  } else if (known == OLD_UNKNOWN) {
    note_early_free(heap, event, old);
  }
  if (!block) return ended;
  if (old) ++heap->totals.reallocations;
  heap_block_t reused;
  if (add_block(heap, event, block, &reused) && !ended) {
    *gone = reused;
    ended = true;
  }
  return ended;
}

// Kind 0: what was lost is not known, and may have been anything.
static bool heap_is_lost(const reader_event_t *event) {
  return !event->arg || (event->arg < TRACE_KIND_LIMIT &&
                         trace_event_kinds[event->arg].family == TRACE_FAMILY_HEAP);
}

bool heap_step(heap_t *heap, const reader_event_t *event, heap_block_t *gone) {
  heap_block_t unused;
  if (!gone) gone = &unused;
  switch (event->kind) {
  case TRACE_ALLOCATE:
    return event->words[0] && add_block(heap, event, event->words[0], gone);
  case TRACE_FREE:
    return step_free(heap, event, gone);
  case TRACE_REALLOCATE_START:
    step_reallocate_start(heap, event);
    return false;
  case TRACE_REALLOCATE:
    return step_reallocate(heap, event, gone);
  case TRACE_LOST:
    if (heap_is_lost(event)) heap->totals.lost += event->words[0];
    return false;
  default:
    return false;
  }
}

void heap_finish(heap_t *heap) {
  for (uint32_t thread = 0; thread < heap->thread_capacity; ++thread) {
    heap_thread_t *state = &heap->threads[thread];
    if (state->moving && !state->moving_ended) put_block(heap, state->moving, &state->moved);
    state->moving = 0;
  }
  for (uint32_t stack = 0; stack < heap->site_limit; ++stack) note_peak(heap, &heap->sites[stack]);
}

const heap_totals_t *heap_totals(const heap_t *heap) { return &heap->totals; }

uint32_t heap_site_limit(const heap_t *heap) { return heap->site_limit; }

const heap_site_t *heap_site(const heap_t *heap, uint32_t stack) {
  static const heap_site_t nothing;
  return stack < heap->site_limit ? &heap->sites[stack] : &nothing;
}

static bool find_large(const heap_t *heap, uint64_t address, uint64_t *start) {
  size_t position = 0;
  const uint64_t *size;
  while ((size = address_map_next(&heap->large, &position, start)))
    if (address >= *start && address - *start < *size) return true;
  return false;
}

// The blocks before `address` where one that is not large could reach it.
static bool find_small(const heap_t *heap, uint64_t address, uint64_t *start) {
  const uint64_t first = address - address % BLOCK_GRANULE;
  const uint64_t least = first > LARGE ? first - LARGE : BLOCK_GRANULE;
  const block_t *block = block_table_before(&heap->blocks, address, least, start);
  return block && address - *start < block->size;
}

bool heap_find(const heap_t *heap, uint64_t address, heap_block_t *block) {
  uint64_t start;
  if (!find_small(heap, address, &start) && !find_large(heap, address, &start)) return false;
  describe(block, start, block_table_get(&heap->blocks, start));
  return true;
}
