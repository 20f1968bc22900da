// SPDX-License-Identifier: Apache-2.0
// The slow half of the record path: claiming a ring, nested and abandoned calls, a full ring.
#include "preload/lane.h"

#include "preload/lane_alone.h"
#include "preload/lanes.h"
#include "preload/lock_sample.h"
#include "preload/loop_sample.h"
#include "preload/system.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

__thread lane_t *lane_current __attribute__((tls_model("initial-exec")));

// The writer comes by itself when the ring is half full, as far as it can foresee that.
enum { LANE_BELL = TRACE_RING_WORDS * 3 / 8 };
enum { LANE_WAIT_NS = 200 * 1000, LANE_WAITS_MAX = 1000 };  // 200 ms in all for one record

// ---- entering ------------------------------------------------------------------------------

// True where the kernel says that this thread runs on its alternate signal stack: then addresses
// do not tell which of two calls is the inner one.
static bool lane_on_signal_stack(void) {
  stack_t stack;
  return !system_failed(system_call(SYS_sigaltstack, NULL, &stack)) && stack.ss_flags == SS_ONSTACK;
}

// Whether the hook with frame `cfa` runs inside the call with frame `outer` (a signal handler, or
// the real function calling back), rather than after that call was left by longjmp or cancellation.
static bool lane_is_nested(uintptr_t cfa, uintptr_t outer) {
  return cfa < outer || lane_on_signal_stack();
}

// Whether the pending call was left by a longjmp, though we look deeper in the stack: its return
// address no longer stands where it was. The stack may be gone, so the kernel looks: a requeue of
// nobody only compares a word (futex(2)).
static bool lane_pend_was_left(const lane_t *lane) {
  const uintptr_t slot = lane->pend_cfa - sizeof(void *);
  const long result = system_call(SYS_futex, slot, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 0, 0,
                                  slot, (uint32_t)lane->pend_ip);
  return result == -EAGAIN || result == -EFAULT;
}

// What an allocator other than libc's does inside a malloc (jemalloc takes mutexes there) is its
// own affair, and no loss.
static bool lane_is_allocator(uint64_t ip) {
  return ip - recorder_allocator_start < recorder_allocator_size;
}

void lane_resume(lane_t *lane) {
  lane->next = lane->data + lane->head % TRACE_RING_WORDS;
  lane->soft_end = lane->next;
}

lane_t *lane_enter_slow(const stacks_origin_t *origin, unsigned kind) {
  lane_t *lane = lane_current;
  if (!lane || !lane->ring) {
    lane = lanes_claim(0);
    if (!lane) return NULL;
  }
  if (lane->guard) {
    if (lane_is_nested(origin->cfa, lane->guard)) {
      if (!lane_is_allocator(origin->ip)) lane_count_lost(lane, kind);
      return NULL;
    }
    lane->guard = 0;
    lane_resume(lane);
  }
  if (lane->heap_cfa) {
    if (!lane_is_nested(origin->cfa, lane->heap_cfa))
      lane->heap_cfa = 0;
    else if (trace_event_kinds[kind].family == TRACE_FAMILY_HEAP || lane_is_allocator(origin->ip))
      return NULL;
  }
  lane->guard = origin->cfa;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  if (lane->pend_cfa && (!lane_is_nested(origin->cfa, lane->pend_cfa) || lane_pend_was_left(lane)))
    lane_end_left(lane);
  return lane;
}

// ---- room ----------------------------------------------------------------------------------

void lane_count_lost(lane_t *lane, unsigned kind) {
  trace_ring_t *ring = lane->ring;
  // Only the owner writes these; plain increments, made atomic for whoever reads them.
  atomic_store_explicit(&ring->lost[kind],
                        atomic_load_explicit(&ring->lost[kind], memory_order_relaxed) + 1,
                        memory_order_relaxed);
  atomic_store_explicit(&ring->lost_total,
                        atomic_load_explicit(&ring->lost_total, memory_order_relaxed) + 1,
                        memory_order_relaxed);
}

static void lane_publish(lane_t *lane) {
  atomic_store_explicit(&lane->ring->head, lane->head, memory_order_release);
}

// Fills what is left before the end of the ring, so that the next record stands at its start.
static void lane_pad(lane_t *lane) {
  const size_t left = (size_t)(lane->data_end - lane->next);
  if (left > 0) lane->next[0] = trace_header(0, false, 0, (uint32_t)(left - 1));
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  lane->head += left;
  lane->next = lane->data;
  lane_publish(lane);
}

static bool lane_stopped(void) {
  const int process = recorder_process();
  return process < 0 ||
         atomic_load_explicit(&recorder_session->processes[process].stopped, memory_order_relaxed);
}

// About as long, where sleeping is forbidden: a pause takes 5 to 50 ns.
static void lane_pause(void) {
  for (int i = 0; i < LANE_WAIT_NS / 32; i++) __builtin_ia32_pause();
}

// Waits until `words` are free; false where the event has to be dropped. What is dropped without
// waiting is lost, and counts as no wait.
static bool lane_wait_for_room(lane_t *lane, size_t words) {
  trace_ring_t *ring = lane->ring;
  const struct timespec pause = {0, LANE_WAIT_NS};
  const uint64_t since = recorder_may_wait ? clock_ticks() : 0;
  bool room = false;
  int waits = 0;
  for (; waits < LANE_WAITS_MAX && !room; waits++) {
    if (lane_stopped()) break;
    if (!recorder_writer_lives()) {
      lane_alone_drop(lane, words);
      return lane_free_words(lane) >= words;
    }
    if (!recorder_may_wait) break;
    // Its lower half is enough to tell that it has moved; the writer wakes us where it has.
    const uint32_t tail = (uint32_t)atomic_load_explicit(&ring->tail, memory_order_relaxed);
    room = lane_free_words(lane) >= words;
    if (room) continue;
    recorder_ring_bell();
    if (system_call(SYS_futex, &ring->tail, FUTEX_WAIT, tail, &pause) == -EPERM) lane_pause();
    room = lane_free_words(lane) >= words;
  }
  if (waits == 0) return false;
  atomic_fetch_add_explicit(&ring->waits, 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&ring->waited_ticks, clock_ticks() - since, memory_order_relaxed);
  return room;
}

uint64_t *lane_make_room(lane_t *lane, size_t words) {
  size_t left = (size_t)(lane->data_end - lane->next);
  const size_t needed = left < words ? left + words : words;
  if (!recorder_writer_lives()) lane_alone_begin_section(lane);
  if (lane_free_words(lane) < needed && !lane_wait_for_room(lane, needed)) return NULL;
  if (left < words) {
    lane_pad(lane);
    left = TRACE_RING_WORDS;
  }
  const uint64_t available = lane_free_words(lane);
  size_t span = available < LANE_STRIDE ? (size_t)available : LANE_STRIDE;
  if (span < words) span = words;
  lane->soft_end = lane->next + (span < left ? span : left);
  if (available < LANE_BELL) recorder_ring_bell();
  return lane->next;
}

// ---- rarer records ---------------------------------------------------------------------------

void lane_record_long(lane_t *lane, unsigned kind, uint32_t stack, uint64_t arg, int count,
                      uint64_t a, uint64_t b, uint64_t c) {
  const size_t words = (size_t)count + 3;
  const uint64_t values[3] = {a, b, c};
  uint64_t *to = lane->next + words > lane->soft_end ? lane_make_room(lane, words) : lane->next;
  if (!to) {
    lane_count_lost(lane, kind);
    return;
  }
  to[0] = trace_header(kind, true, stack, TRACE_ARG_LONG);
  to[1] = arg;
  memcpy(to + 2, values, (size_t)count * sizeof *values);
  to[words - 1] = clock_ticks();
  lane_advance(lane, to, words);
}

// Room for a record with up to `payload` payload words; where they go, or NULL (counted).
static uint64_t *lane_payload_begin(lane_t *lane, unsigned kind, size_t payload) {
  const size_t words = payload + 2;
  uint64_t *to = lane->next + words > lane->soft_end ? lane_make_room(lane, words) : lane->next;
  if (!to) lane_count_lost(lane, kind);
  return to ? to + 1 : NULL;
}

static void lane_payload_end(lane_t *lane, unsigned kind, uint32_t stack, size_t payload) {
  lane->next[0] = trace_header(kind, true, stack, (uint32_t)payload);
  lane->next[1 + payload] = clock_ticks();
  // Facts are kept apart by the writer; it looks for them only up to here.
  if (trace_event_kinds[kind].family == TRACE_FAMILY_FACT)
    atomic_store_explicit(&lane->ring->last_fact, lane->head + payload + 2, memory_order_relaxed);
  lane_advance(lane, lane->next, payload + 2);
}

void lane_record_text(lane_t *lane, unsigned kind, uint32_t stack, uint64_t id, const char *text,
                      size_t length) {
  const size_t payload = 2 + (length + 7) / 8;
  if (payload > TRACE_PAYLOAD_MAX) return;
  uint64_t *to = lane_payload_begin(lane, kind, payload);
  if (!to) return;
  trace_text_pack(to, payload, id, text, length);
  lane_payload_end(lane, kind, stack, payload);
}

static bool lane_define_stack(void *arg, uint32_t number, const uint64_t *frames, size_t count,
                              bool truncated) {
  lane_t *lane = arg;
  lane_alone_mark(lane);
  if (count > TRACE_PAYLOAD_MAX - 1) count = TRACE_PAYLOAD_MAX - 1, truncated = true;
  uint64_t *to = lane_payload_begin(lane, TRACE_STACK, count + 1);
  if (!to) return false;
  to[0] = truncated ? TRACE_STACK_TRUNCATED : 0;
  memcpy(to + 1, frames, count * sizeof *frames);
  lane_payload_end(lane, TRACE_STACK, number, count + 1);
  return true;
}

static bool lane_define_module(void *arg, const trace_module_t *module, const uint8_t *build_id,
                               const char *path) {
  lane_t *lane = arg;
  const size_t words =
      sizeof *module / 8 + (module->build_id_length + 7) / 8 + (module->path_length + 7) / 8;
  if (words > TRACE_PAYLOAD_MAX) return true;
  lane_alone_mark(lane);
  uint64_t *to = lane_payload_begin(lane, TRACE_MODULE, words);
  if (!to) return false;
  trace_module_pack(to, words, module, build_id, path);
  lane_payload_end(lane, TRACE_MODULE, 0, words);
  return true;
}

stacks_sink_t lane_sink(lane_t *lane) {
  return (stacks_sink_t){lane, lane_define_stack, lane_define_module};
}

uint32_t lane_stack_frame(lane_t *lane, uint64_t ip) {
  return stacks_number_frame(lane->stacks, ip, &lane->sink);
}

// ---- process-shared locks --------------------------------------------------------------------

static uint64_t *lane_shared_place(lane_t *lane, uint64_t object) {
  return &lane->shared[object >> 3 & (LANE_SHARED - 1)];
}

void lane_note_shared(lane_t *lane, uint64_t object) {
  uint64_t *known = lane_shared_place(lane, object);
  if (*known == object) return;
  *known = object;
  lane_write(lane, TRACE_LOCK_SHARED_AT, 0, 0, true, clock_ticks(), 3, object, 0, 0);
  // The writer has to look into this stretch.
  atomic_store_explicit(&lane->ring->last_fact, lane->head, memory_order_relaxed);
  atomic_fetch_add_explicit(&lane->ring->places_wanted, 1, memory_order_release);
  recorder_ring_bell();
}

void lane_note_shared_anew(lane_t *lane, uint64_t object) {
  *lane_shared_place(lane, object) = 0;
  lane_note_shared(lane, object);
}

// ---- pending -------------------------------------------------------------------------------

// A thread that waits for another may do so for ever: where, is known in every mode. What waits for
// the outside world usually comes back.
// So is what it holds meanwhile.
static uint32_t pend_stack(lane_t *lane, const stacks_origin_t *origin, uint32_t what) {
  const bool others = what == TRACE_PENDING_LOCK || what == TRACE_PENDING_CONDITION ||
                      what == TRACE_PENDING_JOIN || what == TRACE_PENDING_BARRIER;
  if (!others) return lane_stack(lane, origin);
  if (unlikely(recorder_is_sampled)) lock_sample_flush(lane);
  return lane_stack_take(lane, origin);
}

// What blocks inside a turn is a part of it: the turn is to be in the record before. A transfer
// says itself whether it has blocked.
static bool pend_unfolds(uint32_t what) {
  return what != TRACE_PENDING_EPOLL && what != TRACE_PENDING_READ && what != TRACE_PENDING_WRITE &&
         what != TRACE_PENDING_ACCEPT && what != TRACE_PENDING_CONNECT;
}

lane_pending_t lane_pend(lane_t *lane, const stacks_origin_t *origin, uint32_t what,
                         uint64_t object, uint64_t second) {
  trace_ring_t *ring = lane->ring;
  if (unlikely(recorder_is_sampled) && pend_unfolds(what)) loop_sample_unfold(lane);
  const lane_pending_t outer = {
      .what = atomic_load_explicit(&ring->pending_what, memory_order_relaxed),
      .stack = atomic_load_explicit(&ring->pending_stack, memory_order_relaxed),
      .object = atomic_load_explicit(&ring->pending_object, memory_order_relaxed),
      .second = atomic_load_explicit(&ring->pending_second, memory_order_relaxed),
      .since = atomic_load_explicit(&ring->pending_since, memory_order_relaxed),
      .cfa = lane->pend_cfa,
      .ip = lane->pend_ip,
  };
  atomic_store_explicit(&ring->pending_what, TRACE_PENDING_NONE, memory_order_release);
  atomic_store_explicit(&ring->pending_stack, pend_stack(lane, origin, what), memory_order_relaxed);
  atomic_store_explicit(&ring->pending_object, object, memory_order_relaxed);
  atomic_store_explicit(&ring->pending_second, second, memory_order_relaxed);
  atomic_store_explicit(&ring->pending_since, clock_ticks(), memory_order_relaxed);
  // Last, and with release: whoever sees `what` sees the rest.
  atomic_store_explicit(&ring->pending_what, what, memory_order_release);
  lane->pend_cfa = origin->cfa;
  lane->pend_ip = origin->ip;
  return outer;
}

void lane_unpend(lane_t *lane, const lane_pending_t *outer) {
  trace_ring_t *ring = lane->ring;
  atomic_store_explicit(&ring->pending_what, TRACE_PENDING_NONE, memory_order_release);
  lane->pend_cfa = outer->cfa;
  lane->pend_ip = outer->ip;
  if (likely(outer->what == TRACE_PENDING_NONE)) return;
  atomic_store_explicit(&ring->pending_stack, outer->stack, memory_order_relaxed);
  atomic_store_explicit(&ring->pending_object, outer->object, memory_order_relaxed);
  atomic_store_explicit(&ring->pending_second, outer->second, memory_order_relaxed);
  atomic_store_explicit(&ring->pending_since, outer->since, memory_order_relaxed);
  atomic_store_explicit(&ring->pending_what, outer->what, memory_order_release);
}
