// SPDX-License-Identifier: Apache-2.0
// Claiming and releasing rings.
#include "preload/lanes.h"

#include "preload/hooks/hooks.h"
#include "preload/lock_sample.h"
#include "preload/loop_sample.h"
#include "preload/system.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <time.h>

enum { LANES_PATIENCE = 256 };

// lanes[i] belongs to ring i; stacks of lane i stand at lanes_stacks + i * STACKS_MEMORY.
static lane_t *lanes;
static uint8_t *lanes_stacks;
static lock_sample_t *lanes_locks;  // NULL: all locks are kept
static loop_sample_t *lanes_loops;  // NULL: all turns and connections are kept
static uint32_t lanes_count;

static void *lanes_map(size_t size) {
  const long result = system_call(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (system_failed(result)) return NULL;
  void *memory = (void *)result;
  // Without it (before Linux 4.14) a forked child would write into its parent's rings.
  if (system_failed(system_call(SYS_madvise, memory, size, MADV_WIPEONFORK))) {
    system_call(SYS_munmap, memory, size);
    return NULL;
  }
  system_call(SYS_madvise, memory, size, MADV_DONTDUMP);
  return memory;
}

bool lanes_reserve(uint32_t rings) {
  lanes = lanes_map(rings * sizeof *lanes);
  if (!lanes) return false;
  lanes_stacks = lanes_map((size_t)rings * STACKS_MEMORY);  // NULL: events without stacks
  if (recorder_is_sampled) lanes_locks = lanes_map(rings * sizeof *lanes_locks);
  if (recorder_is_sampled) lanes_loops = lanes_map(rings * sizeof *lanes_loops);
  lanes_count = rings;
  return true;
}

static trace_ring_t *lanes_ring(uint32_t index) {
  return (trace_ring_t *)((uint8_t *)recorder_session + TRACE_SESSION_SIZE +
                          (size_t)index * TRACE_RING_STRIDE);
}

// Takes ring `index` if it is in state `from`; true if it is ours now.
static bool lanes_take(uint32_t index, uint32_t from) {
  trace_ring_t *ring = lanes_ring(index);
  uint32_t expected = from;
  return atomic_load_explicit(&ring->state, memory_order_relaxed) == from &&
         atomic_compare_exchange_strong_explicit(&ring->state, &expected, TRACE_RING_CLAIMING,
                                                 memory_order_acquire, memory_order_relaxed);
}

// A ring another thread of this process has left: as it is, with its stacks.
static int64_t lanes_find_released(uint32_t ready, uint32_t process) {
  for (uint32_t i = 0; i < ready; i++) {
    if (!lanes[i].ring || !lanes_take(i, TRACE_RING_RELEASED)) continue;
    trace_ring_t *ring = lanes_ring(i);
    if (atomic_load_explicit(&ring->process, memory_order_relaxed) == process) return i;
    atomic_store_explicit(&ring->state, TRACE_RING_RELEASED, memory_order_release);
  }
  return -1;
}

static int64_t lanes_find_free(uint32_t ready) {
  for (uint32_t i = 0; i < ready; i++)
    if (lanes_take(i, TRACE_RING_FREE)) return i;
  return -1;
}

void lanes_give_stacks(lane_t *lane) {
  if (lanes_stacks && !lane->stacks && stacks_ready())
    lane->stacks = (stacks_t *)(lanes_stacks + (size_t)lane->index * STACKS_MEMORY);
}

// Points the lane at its ring; a lane that was released keeps its stacks.
static void lanes_attach(uint32_t index) {
  lane_t *lane = &lanes[index];
  trace_ring_t *ring = lanes_ring(index);
  lane->index = index;
  lane->data = (uint64_t *)((uint8_t *)ring + TRACE_RING_HEADER);
  lane->data_end = lane->data + TRACE_RING_WORDS;
  lane->head = atomic_load_explicit(&ring->head, memory_order_relaxed);
  lane->next = lane->data + lane->head % TRACE_RING_WORDS;
  lane->soft_end = lane->next;
  lane->guard = 0;
  lane->pend_cfa = 0;
  lane->heap_cfa = 0;
  const long tid = system_call(SYS_gettid);
  lane->tid = system_failed(tid) ? 0 : (uint32_t)tid;
  lane->handle = (uint64_t)pthread_self();
  lane->sink = lane_sink(lane);
  lane->ring = ring;
  lanes_give_stacks(lane);
  lane->locks = lanes_locks ? &lanes_locks[index] : NULL;
  lane->loops = lanes_loops ? &lanes_loops[index] : NULL;
  if (lane->loops) lane->loops->turn = LOOP_TURN_NONE;
}

static int64_t lanes_find_any(uint32_t process) {
  const uint32_t ready = atomic_load_explicit(&recorder_session->rings_ready, memory_order_acquire);
  const int64_t index = lanes_find_released(ready, process);
  return index >= 0 ? index : lanes_find_free(ready);
}

// As many as there were when a thread waited for more in vain; 0: none has.
static _Atomic uint32_t lanes_most;

// Whether threads that go on have all the rings that there can be: then no waiting helps. There are
// no more than lanes_count, and fewer where the disk is full.
static bool lanes_all_taken(void) {
  const uint32_t ready = atomic_load_explicit(&recorder_session->rings_ready, memory_order_acquire);
  if (ready < lanes_count && ready != atomic_load_explicit(&lanes_most, memory_order_relaxed))
    return false;
  for (uint32_t i = 0; i < ready; i++)
    if (atomic_load_explicit(&lanes_ring(i)->state, memory_order_relaxed) != TRACE_RING_OWNED)
      return false;
  return true;
}

// A ring for the calling thread. Where there is none, the writer is asked for more, and waited for
// the first time; after that every so many calls look again. What is called meanwhile is counted.
static int64_t lanes_find(uint32_t process) {
  static __thread uint32_t refusals __attribute__((tls_model("initial-exec")));
  int64_t index = -1;
  if (refusals % LANES_PATIENCE == 0) {
    unsigned tries = refusals > 0 ? LANES_PATIENCE : 0;
    index = lanes_find_any(process);
    while (index < 0) {
      atomic_fetch_add_explicit(&recorder_session->rings_wanted, 1, memory_order_relaxed);
      if (tries >= LANES_PATIENCE || lanes_all_taken() || !recorder_wait_a_moment(&tries)) break;
      index = lanes_find_any(process);
    }
  }
  if (index < 0 && refusals == 0)
    atomic_store_explicit(&lanes_most, atomic_load(&recorder_session->rings_ready),
                          memory_order_relaxed);
  refusals = index < 0 ? refusals + 1 : 0;
  if (index < 0)
    atomic_fetch_add_explicit(&recorder_session->calls_unrecorded, 1, memory_order_relaxed);
  return index;
}

lane_t *lanes_claim(uint64_t routine) {
  const int process = recorder_process();
  if (process < 0 || !thread_arm_end()) return NULL;
  const int64_t index = lanes_find((uint32_t)process);
  if (index < 0) return NULL;
  lanes_attach((uint32_t)index);
  lane_t *lane = &lanes[index];
  trace_ring_t *ring = lane->ring;
  atomic_store_explicit(&ring->process, (uint32_t)process, memory_order_relaxed);
  atomic_store_explicit(&ring->tid, lane->tid, memory_order_relaxed);
  atomic_store_explicit(&ring->handle, lane->handle, memory_order_relaxed);
  atomic_store_explicit(&ring->routine, routine, memory_order_relaxed);
  lock_sample_begin(lane,
                    atomic_fetch_add_explicit(&ring->generation, 1, memory_order_relaxed) + 1);
  atomic_store_explicit(&ring->pending_what, TRACE_PENDING_NONE, memory_order_relaxed);
  atomic_store_explicit(&ring->state, TRACE_RING_OWNED, memory_order_release);
  lane_current = lane;
  lane_record2(lane, TRACE_THREAD_START, 0, lane->tid, lane->handle, routine);
  // The writer keeps rings ready ahead; below two spare ones it should hear of it now.
  if ((uint32_t)index + 2 >= atomic_load(&recorder_session->rings_ready)) {
    atomic_fetch_add_explicit(&recorder_session->rings_wanted, 1, memory_order_relaxed);
    recorder_ring_bell();
  }
  return lane;
}

// Of the calling thread: the writer looks at most once a second, and a thread may live for less.
static uint64_t lane_ran_ns(void) {
  struct timespec ran;
  if (system_failed(system_call(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, &ran))) return 0;
  return (uint64_t)ran.tv_sec * 1000000000 + (uint64_t)ran.tv_nsec;
}

void lane_release(void) {
  lane_t *lane = lane_current;
  if (!lane || !lane->ring) return;
  if (!lane->guard) {
    lane->guard = UINTPTR_MAX;
    lock_sample_flush(lane);
    loop_sample_flush(lane);
    lane_record1(lane, TRACE_THREAD_END, 0, lane_ran_ns(), lane->handle);
    lane->guard = 0;
  }
  lane_current = NULL;
  atomic_store_explicit(&lane->ring->pending_what, TRACE_PENDING_NONE, memory_order_relaxed);
  // Pairs with the acquire in lanes_take: the next owner sees the lane as it was left.
  atomic_store_explicit(&lane->ring->state, TRACE_RING_RELEASED, memory_order_release);
}
