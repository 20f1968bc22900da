// SPDX-License-Identifier: Apache-2.0
// A lane: the calling thread's way into its ring. This header is the record path.
//
// A hook that records:
//
//   if (!recorder_families.lock) return real_x(...);      // off: a tail jump
//   stacks_origin_t origin = STACKS_ORIGIN();
//   lane_t *lane = lane_enter(&origin, TRACE_KIND);       // NULL: call the real function, that is
//   all
//   ... real call, if it cannot block and must not be seen recording itself ...
//   lane_record2(lane, TRACE_KIND, lane_stack(lane, &origin), arg, word, word);
//   lane_leave(lane);
//
// Between enter and leave the lane's guard is set: what a signal handler, or the real function
// itself, calls meanwhile is passed through (and counted as lost where that may hide something).
// A real call that may block stands outside, after lane_pend():
//
//   lane_pending_t outer = lane_pend(lane, &origin, TRACE_PENDING_LOCK, object, second);
//   lane_leave(lane);
//   result = real_x(...);
//   lane = lane_reenter(&origin);                         // the same lane, unless the process
//   forked if (lane) { lane_unpend(lane, &outer); lane_record...; lane_leave(lane); }
//
// Everything here is signal-safe and leaves errno alone. Hooks are compiled with frame pointers,
// which is where STACKS_ORIGIN gets the caller's state from.
#ifndef PRELOAD_LANE_H
#define PRELOAD_LANE_H

#include "formats/record.h"
#include "preload/clock.h"
#include "preload/recorder.h"
#include "preload/stacks/stacks.h"

enum { LANE_SITES = 256, LANE_CONTENDED = 32, LANE_SHARED = 32, LANE_ANCHOR = 64 };

// Private to the owning thread, in memory that reads as zeros after fork (MADV_WIPEONFORK): a
// forked child finds ring == NULL and claims a ring of its own.
typedef struct lane {
  // What every hook looks at, in one cache line.
  _Alignas(64) trace_ring_t *ring;  // NULL: not claimed
  uint64_t *next;                   // where the next record goes: data + head % TRACE_RING_WORDS
  uint64_t *soft_end;               // next may grow to here before lane_make_room has to look again
  uint64_t head;                    // position of next; what ring->head will be told
  uintptr_t guard;                  // CFA of the hook that is inside; 0: none
  uintptr_t pend_cfa;               // CFA of the hook that called lane_pend; 0: no call is pending
  uintptr_t heap_cfa;         // CFA of the hook whose real call is inside the allocator; 0: none
  struct lock_sample *locks;  // NULL: all of them are kept (lock_sample.h)
  struct loop_sample *loops;  // the same (loop_sample.h)
  uint64_t *data, *data_end;
  uintptr_t pend_ip;   // where the hook that called lane_pend returns to
  stacks_t *stacks;    // NULL: no memory for stacks
  stacks_sink_t sink;  // where their definitions go: into this lane
  uint32_t index;      // of the ring
  uint32_t tid;
  uint64_t handle;                     // pthread_self()
  uint32_t untimed_left;               // records that may still go without a stamp
  uint32_t beat;                       // of the session, when the last anchor was taken
  uint64_t timed_lock;                 // the lock whose hold is being timed from end to end
  uint64_t contended[LANE_CONTENDED];  // locks that somebody waited for: their holds are all timed
  uint32_t known_sites[LANE_SITES];    // lock and call site, hashed: their stack was taken already
  uint64_t shared[LANE_SHARED];        // process-shared locks whose place was asked for
  bool mark_wanted;                    // the next definition begins a section of the ring
} lane_t;

extern __thread lane_t *lane_current
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

// The slow half of lane_enter: claims a ring, tells a nested call from a stale guard, ends a wait
// that a cancellation or longjmp left behind.
lane_t *lane_enter_slow(const stacks_origin_t *origin, unsigned kind);
// Makes room for `words` contiguous words, wraps, waits for the writer or drops the oldest.
// NULL: no room; the caller's event is counted as lost.
uint64_t *lane_make_room(lane_t *lane, size_t words);
// The hook before was left by a longjmp, perhaps between two stores: the next record goes where the
// last whole one ends.
void lane_resume(lane_t *lane);
// The pending call was left without coming back: it is no longer pending, and is recorded with
// ECANCELED. In the lane.
void lane_end_left(lane_t *lane);
void lane_count_lost(lane_t *lane, unsigned kind);

// The calling thread gives up its lane (its last destructor has run).
void lane_release(void);
// Records the thread's name (pthread_setname_np) as TEXT with the handle as id.
void lane_record_text(lane_t *lane, unsigned kind, uint32_t stack, uint64_t id, const char *text,
                      size_t length);
void lane_record_long(lane_t *lane, unsigned kind, uint32_t stack, uint64_t arg, int count,
                      uint64_t a, uint64_t b, uint64_t c);
// Notes that the process-shared lock at `object` is met: a LOCK_SHARED_AT, in which the writer
// fills in the file and place behind the address. Once for each lock, as long as the lane remembers
// it.
void lane_note_shared(lane_t *lane, uint64_t object) __attribute__((cold));
// The same of one that is initialised: what is behind the address may be another file than before.
void lane_note_shared_anew(lane_t *lane, uint64_t object);
// The number of a stack of which only that return address is known.
uint32_t lane_stack_frame(lane_t *lane, uint64_t ip);

// Enters the record path. `kind` is what is counted as lost where a nested call is passed through.
static inline lane_t *lane_enter(const stacks_origin_t *origin, unsigned kind) {
  lane_t *lane = lane_current;
  if (unlikely(!lane || !lane->ring || (lane->guard | lane->pend_cfa | lane->heap_cfa)))
    return lane_enter_slow(origin, kind);
  lane->guard = origin->cfa;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  return lane;
}

// Enters again after a call that was announced with lane_pend. NULL only where the lane is gone.
static inline lane_t *lane_reenter(const stacks_origin_t *origin) {
  lane_t *lane = lane_current;
  if (unlikely(!lane || !lane->ring)) return NULL;
  lane->guard = origin->cfa;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  return lane;
}

static inline void lane_leave(lane_t *lane) {
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  lane->guard = 0;
}

// Around the real call of an allocation: what a signal handler calls meanwhile is recorded, what
// the allocator itself does is not.
static inline void lane_enter_heap(lane_t *lane) {
  lane->heap_cfa = lane->guard;
  lane_leave(lane);
}
// After it: back under the guard ...
static inline void lane_leave_heap(lane_t *lane) {
  lane->guard = lane->heap_cfa;
  lane->heap_cfa = 0;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
}
// ... or out of the lane.
static inline void lane_end_heap(lane_t *lane) {
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  lane->heap_cfa = 0;
}

static inline uint32_t lane_stack_take(lane_t *lane, const stacks_origin_t *origin) {
  return stacks_number(lane->stacks, origin, &lane->sink);
}

// The number of the caller's stack; 0 where stacks are off or cannot be taken.
static inline uint32_t lane_stack(lane_t *lane, const stacks_origin_t *origin) {
  return recorder_backtraces ? lane_stack_take(lane, origin) : 0;
}

// The stack of a lock's acquisition. Where stacks are spared, it is taken all the same the first
// time this lane meets the lock at this call site: the lock graph has its stacks in every mode.
static inline uint32_t lane_stack_lock(lane_t *lane, const stacks_origin_t *origin,
                                       uint64_t object) {
  if (likely(recorder_backtraces)) return lane_stack_take(lane, origin);
  // Fibonacci hashing (Knuth, TAOCP 6.4).
  const uint64_t hash = (object ^ origin->ip << 20) * UINT64_C(0x9e3779b97f4a7c15);
  uint32_t *known = &lane->known_sites[hash >> 56];
  const uint32_t tag = (uint32_t)(hash >> 16) | 1;
  if (likely(*known == tag)) return 0;
  *known = tag;
  return lane_stack_take(lane, origin);
}

// The stack of a wait of that many ticks: a long one has its own in every mode.
static inline uint32_t lane_stack_wait(lane_t *lane, const stacks_origin_t *origin,
                                       uint64_t ticks) {
  return recorder_backtraces || ticks >= recorder_wait_ticks ? lane_stack_take(lane, origin) : 0;
}

// The writer has read these lines a lap ago, and another processor's cache may have them: they are
// fetched back before their turn comes. Eight lines ahead; past the end of the ring it is no fault,
// and every x86-64 processor takes the instruction (AMD64 manual, volume 3), if only for a nop.
// Where a line's way between the two processors is long (400 ns), a malloc pair takes 22 to 34 ns
// instead of 67 to 79, and no more where it is short.
static inline void lane_fetch_ahead(const uint64_t *from) {
  __asm__ volatile("prefetchw 512(%0)" : : "r"(from));
}

// The record at `from` is whole: it counts from here on. A longjmp out of a signal handler may come
// between any two stores: then `head` tells what is there, and lane_enter_slow sets `next` after
// it.
static inline __attribute__((always_inline)) void lane_advance(lane_t *lane, uint64_t *from,
                                                               size_t words) {
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  lane->head += words;
  lane->next = from + words;
  lane_fetch_ahead(from);
  // Pairs with the acquire loads of the writer and of readers: what is below head is whole.
  atomic_store_explicit(&lane->ring->head, lane->head, memory_order_release);
}

// Writes one record of `count` words (a constant); `timed` (a constant) with the stamp behind them.
static inline __attribute__((always_inline)) void lane_write(lane_t *lane, unsigned kind,
                                                             uint32_t stack, uint64_t arg,
                                                             bool timed, uint64_t stamp, int count,
                                                             uint64_t a, uint64_t b, uint64_t c) {
  if (unlikely(arg >= TRACE_ARG_LONG)) {
    lane_record_long(lane, kind, stack, arg, count, a, b, c);
    return;
  }
  const size_t words = 1 + (size_t)count + timed;
  uint64_t *to = lane->next;
  if (unlikely(to + words > lane->soft_end)) {
    to = lane_make_room(lane, words);
    if (!to) {
      lane_count_lost(lane, kind);
      return;
    }
  }
  to[0] = trace_header(kind, timed, stack, (uint32_t)arg);
  if (count > 0) to[1] = a;
  if (count > 1) to[2] = b;
  if (count > 2) to[3] = c;
  if (timed) to[words - 1] = stamp;
  lane_advance(lane, to, words);
}

// A record whose exact time somebody needs.
static inline __attribute__((always_inline)) void lane_record(lane_t *lane, unsigned kind,
                                                              uint32_t stack, uint64_t arg,
                                                              uint64_t stamp, int count, uint64_t a,
                                                              uint64_t b, uint64_t c) {
  lane_write(lane, kind, stack, arg, true, stamp, count, a, b, c);
}

// Whether the next record has to be an anchor: one in LANE_ANCHOR, and the first after each beat of
// the writer (5 ms while much comes, else up to 40; where it is sampled 20 and 80), so that the
// time of an unstamped record is known to the shorter of the two.
static inline __attribute__((always_inline)) bool lane_needs_anchor(lane_t *lane) {
  const uint32_t beat = atomic_load_explicit(&recorder_session->beat, memory_order_relaxed);
  if (likely(lane->untimed_left > 0 && beat == lane->beat)) {
    lane->untimed_left--;
    return false;
  }
  lane->untimed_left = LANE_ANCHOR - 1;
  lane->beat = beat;
  return true;
}

// A record that takes its time from its place between stamped ones: a stamp costs more than all the
// rest of it.
static inline __attribute__((always_inline)) void lane_record_cheap(lane_t *lane, unsigned kind,
                                                                    uint32_t stack, uint64_t arg,
                                                                    int count, uint64_t a,
                                                                    uint64_t b) {
  if (unlikely(lane_needs_anchor(lane)))
    lane_write(lane, kind, stack, arg, true, clock_ticks(), count, a, b, 0);
  else
    lane_write(lane, kind, stack, arg, false, 0, count, a, b, 0);
}

// ---- holds -----------------------------------------------------------------------------------
// Of uncontended holds, those that begin with an anchor are timed from end to end; of locks that
// somebody has waited for, all are.

static inline bool lane_is_contended(const lane_t *lane, uint64_t lock) {
  return lane->contended[lock >> 3 & (LANE_CONTENDED - 1)] == lock;
}
static inline void lane_note_contended(lane_t *lane, uint64_t lock) {
  lane->contended[lock >> 3 & (LANE_CONTENDED - 1)] = lock;
}
static inline void lane_note_calm(lane_t *lane, uint64_t lock) {
  if (lane_is_contended(lane, lock)) lane->contended[lock >> 3 & (LANE_CONTENDED - 1)] = 0;
}

static inline __attribute__((always_inline)) void
lane_record_acquire(lane_t *lane, uint32_t stack, uint32_t bits, uint64_t lock) {
  const bool anchor = lane_needs_anchor(lane);
  if (unlikely(bits & TRACE_LOCK_PROCESS_SHARED)) lane_note_shared(lane, lock);
  if (unlikely(anchor)) lane->timed_lock = lock;
  if (unlikely(anchor || lane_is_contended(lane, lock)))
    lane_write(lane, TRACE_LOCK_ACQUIRE, stack, bits, true, clock_ticks(), 1, lock, 0, 0);
  else
    lane_write(lane, TRACE_LOCK_ACQUIRE, stack, bits, false, 0, 1, lock, 0, 0);
}

// `waiters`: the lock word says that somebody waits now.
static inline __attribute__((always_inline)) void lane_record_release(lane_t *lane, uint32_t bits,
                                                                      uint64_t lock, bool waiters) {
  const bool anchor = lane_needs_anchor(lane);
  if (unlikely(bits & TRACE_LOCK_PROCESS_SHARED)) lane_note_shared(lane, lock);
  if (unlikely(waiters)) lane_note_contended(lane, lock);
  if (unlikely(anchor || lane->timed_lock == lock || lane_is_contended(lane, lock))) {
    if (lane->timed_lock == lock) lane->timed_lock = 0;
    lane_write(lane, TRACE_LOCK_RELEASE, 0, bits, true, clock_ticks(), 1, lock, 0, 0);
  } else {
    lane_write(lane, TRACE_LOCK_RELEASE, 0, bits, false, 0, 1, lock, 0, 0);
  }
}

#define lane_record0(lane, kind, stack, arg)                                                       \
  lane_record(lane, kind, stack, arg, clock_ticks(), 0, 0, 0, 0)
#define lane_record1(lane, kind, stack, arg, a)                                                    \
  lane_record(lane, kind, stack, arg, clock_ticks(), 1, (uint64_t)(a), 0, 0)
#define lane_record2(lane, kind, stack, arg, a, b)                                                 \
  lane_record(lane, kind, stack, arg, clock_ticks(), 2, (uint64_t)(a), (uint64_t)(b), 0)
#define lane_record3(lane, kind, stack, arg, a, b, c)                                              \
  lane_record(lane, kind, stack, arg, clock_ticks(), 3, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c))

// Says what call the thread is about to make, where a reader of a hung or dead process finds it.
// Returns the call that was pending already, where a signal handler interrupted one: lane_unpend
// puts it back. When the call began: atomic_load of lane->ring->pending_since, or clock_ticks()
// taken by the hook before it.
typedef struct {
  uint32_t what, stack;
  uint64_t object, second, since;
  uintptr_t cfa, ip;
} lane_pending_t;
lane_pending_t lane_pend(lane_t *lane, const stacks_origin_t *origin, uint32_t what,
                         uint64_t object, uint64_t second);
// `outer` is what lane_pend returned. After this no call is pending, or the outer one again.
void lane_unpend(lane_t *lane, const lane_pending_t *outer);

#endif
