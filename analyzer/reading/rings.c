// SPDX-License-Identifier: Apache-2.0
// What is still in the rings beside a trace. See the header.
#include "analyzer/reading/rings.h"

#include "analyzer/reading/process.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOKS_MAX = 64 };

const trace_session_t *reading_rings_session(const reading_rings_t *rings) {
  return (const trace_session_t *)rings->map;
}

const trace_process_t *reading_rings_process(const reading_rings_t *rings) {
  return &reading_rings_session(rings)->processes[rings->slot];
}

static const trace_ring_t *ring_at(const reading_rings_t *rings, uint32_t index) {
  return (const trace_ring_t *)(rings->map + TRACE_SESSION_SIZE +
                                (size_t)index * TRACE_RING_STRIDE);
}

// Why the mapping cannot be believed, or NULL.
static const char *session_fault(const trace_session_t *session) {
  if (session->magic != TRACE_SESSION_MAGIC) return "not a file of rings";
  if (session->version != TRACE_SESSION_VERSION) return "rings of another version";
  if (session->header_size != TRACE_SESSION_SIZE || session->ring_stride != TRACE_RING_STRIDE ||
      session->ring_header != TRACE_RING_HEADER || session->processes_max > TRACE_PROCESSES_MAX)
    return "the header of the rings is damaged";
  return NULL;
}

static bool session_map(reading_rings_t *rings, int fd) {
  struct stat status;
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size < TRACE_SESSION_SIZE)
    return false;
  size_t limit = TRACE_SESSION_SIZE + (size_t)TRACE_RINGS_MAX * TRACE_RING_STRIDE;
  rings->size = (uint64_t)status.st_size < limit ? (size_t)status.st_size : limit;
  void *map = mmap(NULL, rings->size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (map == MAP_FAILED) return false;
  rings->map = map;
  return true;
}

bool reading_rings_open(reading_rings_t *rings, const char *path, memory_lines_t *warnings) {
  *rings = (reading_rings_t){0};
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return false;
  bool mapped = session_map(rings, fd);
  close(fd);
  const char *fault =
      mapped ? session_fault(reading_rings_session(rings)) : "the file of the rings is cut short";
  if (fault) {
    memory_lines_print(warnings, "%s: offset 0: %s", path, fault);
    reading_rings_close(rings);
    return false;
  }
  const trace_session_t *session = reading_rings_session(rings);
  uint32_t ready = atomic_load_explicit(&session->rings_ready, memory_order_acquire);
  uint32_t held = (uint32_t)((rings->size - TRACE_SESSION_SIZE) / TRACE_RING_STRIDE);
  rings->ring_limit = ready < held ? ready : held;
  return true;
}

static void rings_drop(reading_rings_t *rings) {
  for (size_t i = 0; i < rings->count; i++) free(rings->rings[i].words);
  free(rings->rings);
  rings->rings = NULL;
  rings->count = rings->capacity = 0;
}

void reading_rings_close(reading_rings_t *rings) {
  rings_drop(rings);
  if (rings->map) munmap((void *)(uintptr_t)rings->map, rings->size);
  *rings = (reading_rings_t){0};
}

bool reading_rings_select(reading_rings_t *rings, uint32_t slot, uint32_t pid,
                          uint64_t start_time) {
  if (!rings->map || slot >= TRACE_PROCESSES_MAX) return false;
  rings->slot = slot;
  const trace_process_t *process = reading_rings_process(rings);
  return atomic_load(&process->pid) == pid && atomic_load(&process->start_time) == start_time;
}

bool reading_rings_select_name(reading_rings_t *rings, const char *name) {
  for (rings->slot = 0; rings->slot < TRACE_PROCESSES_MAX; rings->slot++) {
    const trace_process_t *process = reading_rings_process(rings);
    if (atomic_load(&process->state) == TRACE_PROCESS_FREE) continue;
    char path[TRACE_PATH_MAX + 1] = "";
    memcpy(path, process->trace_path, TRACE_PATH_MAX);
    const char *slash = strrchr(path, '/');
    if (strcmp(slash ? slash + 1 : path, name) == 0) return true;
  }
  rings->slot = 0;
  return false;
}

bool reading_rings_writer_works(const reading_rings_t *rings) {
  if (!rings->map) return false;
  const trace_session_t *session = reading_rings_session(rings);
  uint32_t life = atomic_load_explicit(&session->writer_life, memory_order_acquire);
  uint32_t state = atomic_load(&reading_rings_process(rings)->state);
  return life != 0 && !(life & FUTEX_OWNER_DIED) && state != TRACE_PROCESS_ENDED &&
         state != TRACE_PROCESS_FREE && reading_process_exists(atomic_load(&session->writer_pid));
}

static reading_pending_t pending_read(const trace_ring_t *ring) {
  reading_pending_t pending = {.what =
                                   atomic_load_explicit(&ring->pending_what, memory_order_acquire)};
  if (pending.what == TRACE_PENDING_NONE) return pending;
  pending.stack = atomic_load(&ring->pending_stack);
  pending.object = atomic_load(&ring->pending_object);
  pending.second = atomic_load(&ring->pending_second);
  pending.since = atomic_load(&ring->pending_since);
  return pending;
}

static bool pending_equal(const reading_pending_t *a, const reading_pending_t *b) {
  return a->what == b->what && a->stack == b->stack && a->object == b->object &&
         a->second == b->second && a->since == b->since;
}

// Head, tail, owner and pending call as they were at one moment. A pending call belongs to the
// head: one that is read while the head moves would say that the thread waits for what the record
// behind the head says it has. A thread that never stands still is in no call that blocks.
static void ring_look(const trace_ring_t *ring, reading_ring_t *copy) {
  for (int look = 0; look < LOOKS_MAX; look++) {
    copy->generation = atomic_load_explicit(&ring->generation, memory_order_acquire);
    copy->to = atomic_load_explicit(&ring->head, memory_order_acquire);
    copy->pending = pending_read(ring);
    copy->from = atomic_load_explicit(&ring->tail, memory_order_acquire);
    copy->tid = atomic_load(&ring->tid);
    copy->handle = atomic_load(&ring->handle);
    copy->owned = atomic_load_explicit(&ring->state, memory_order_acquire) == TRACE_RING_OWNED;
    reading_pending_t again = pending_read(ring);
    if (atomic_load(&ring->head) == copy->to &&
        atomic_load(&ring->generation) == copy->generation && pending_equal(&again, &copy->pending))
      return;
  }
  copy->pending = (reading_pending_t){.what = TRACE_PENDING_NONE};
  if (copy->from > copy->to) copy->from = copy->to;
}

static void words_copy(const trace_ring_t *ring, reading_ring_t *copy) {
  const uint64_t *data = (const uint64_t *)((const uint8_t *)ring + TRACE_RING_HEADER);
  size_t count = (size_t)(copy->to - copy->from), at = (size_t)(copy->from % TRACE_RING_WORDS);
  size_t first = count < TRACE_RING_WORDS - at ? count : TRACE_RING_WORDS - at;
  copy->words = memory_new(count, sizeof *copy->words);
  memcpy(copy->words, data + at, first * sizeof *data);
  memcpy(copy->words + first, data, (count - first) * sizeof *data);
  // The owner may have written over what the writer released while it was copied. Pairs with the
  // writer's release of tail, which comes after its frame is in the file.
  atomic_thread_fence(memory_order_acquire);
  uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
  if (tail <= copy->from) return;
  size_t gone = (size_t)((tail < copy->to ? tail : copy->to) - copy->from);
  copy->from += gone;
  memmove(copy->words, copy->words + gone, (count - gone) * sizeof *copy->words);
}

// Both of one moment, or none.
static void moment_copy(const trace_ring_t *ring, reading_ring_t *copy) {
  copy->alone_ns = atomic_load_explicit(&ring->alone_ns, memory_order_acquire);
  copy->alone_ticks = atomic_load_explicit(&ring->alone_ticks, memory_order_acquire);
  if (atomic_load_explicit(&ring->alone_ns, memory_order_acquire) != copy->alone_ns)
    copy->alone_ns = 0;
}

// What the owner has dropped: where it was killed before it moved the tail, the copy has it still.
static void dropped_leave(const trace_ring_t *ring, reading_ring_t *copy) {
  const uint64_t word = atomic_load_explicit(&ring->dropped_to, memory_order_acquire);
  const uint64_t to = word >> 1;
  for (unsigned kind = 0; kind < TRACE_KIND_LIMIT; kind++) {
    copy->lost[kind] += atomic_load_explicit(&ring->dropped[word & 1][kind], memory_order_relaxed);
    if (to < copy->taking) copy->lost_taken[kind] = 0;
  }
  if (to <= copy->from || to > copy->to) return;
  memmove(copy->words, copy->words + (to - copy->from), (copy->to - to) * sizeof *copy->words);
  copy->from = to;
}

static bool ring_belongs(const reading_rings_t *rings, const trace_ring_t *ring) {
  uint32_t state = atomic_load_explicit(&ring->state, memory_order_acquire);
  return state != TRACE_RING_FREE && state <= TRACE_RING_RELEASED &&
         atomic_load(&ring->process) == rings->slot;
}

static void ring_copy(reading_rings_t *rings, const trace_ring_t *ring, uint32_t index,
                      memory_lines_t *warnings) {
  reading_ring_t copy = {.lane = index + 1};
  ring_look(ring, &copy);
  if (copy.from > copy.to || copy.to - copy.from > TRACE_RING_WORDS) {
    memory_lines_print(warnings, "ring %" PRIu32 ": its positions are damaged, its events are lost",
                       index);
    return;
  }
  words_copy(ring, &copy);
  if (!ring_belongs(rings, ring)) {  // drained, and taken by another process meanwhile
    free(copy.words);
    return;
  }
  copy.waits = atomic_load(&ring->waits);
  copy.waited_ticks = atomic_load(&ring->waited_ticks);
  copy.taking = atomic_load(&ring->taking);
  moment_copy(ring, &copy);
  for (unsigned kind = 0; kind < TRACE_KIND_LIMIT; kind++) {
    copy.lost[kind] = atomic_load_explicit(&ring->lost[kind], memory_order_relaxed) +
                      atomic_load_explicit(&ring->discarded[kind], memory_order_relaxed);
    copy.lost_taken[kind] = atomic_load_explicit(&ring->lost_taken[kind], memory_order_relaxed);
  }
  dropped_leave(ring, &copy);
  rings->rings =
      memory_grow(rings->rings, &rings->capacity, rings->count + 1, sizeof *rings->rings);
  rings->rings[rings->count++] = copy;
}

void reading_rings_copy(reading_rings_t *rings, memory_lines_t *warnings) {
  rings_drop(rings);
  for (uint32_t index = 0; index < rings->ring_limit; index++) {
    const trace_ring_t *ring = ring_at(rings, index);
    if (ring_belongs(rings, ring)) ring_copy(rings, ring, index, warnings);
  }
}

void reading_rings_look_again(reading_rings_t *rings) {
  for (size_t i = 0; i < rings->count; i++) {
    reading_ring_t *copy = &rings->rings[i], now = {0};
    const trace_ring_t *ring = ring_at(rings, copy->lane - 1);
    ring_look(ring, &now);
    copy->quiet = ring_belongs(rings, ring) && copy->owned && now.owned && now.to == copy->to &&
                  now.generation == copy->generation && pending_equal(&now.pending, &copy->pending);
  }
}
