// SPDX-License-Identifier: Apache-2.0
// The recorder's state in one process, and what a hook may ask of it.
#ifndef PRELOAD_RECORDER_H
#define PRELOAD_RECORDER_H

#include "formats/session.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

// Families of hooks that can be switched off as a whole. A hook of a family that is off jumps to
// the real function and does nothing else. Of the heap all may be kept, a sample, or nothing but
// that blocks with locks go back (lock_memory.h).
enum {
  RECORDER_HEAP_OFF = 0,
  RECORDER_HEAP_LOCKS = 1,
  RECORDER_HEAP_ALL = 2,
  RECORDER_HEAP_SAMPLED = 3,
};
// None of this is exported, so no access goes through the GOT.
#pragma GCC visibility push(hidden)
typedef struct {
  uint8_t heap;  // RECORDER_HEAP_*
  bool mapping;  // with the heap, if that is all kept or a sample
  bool lock;
  bool thread;
  bool descriptor;
  bool process;
} recorder_families_t;
extern recorder_families_t recorder_families;

// Set once in the constructor.
extern trace_session_t *recorder_session;  // NULL: this process is not recorded
extern bool recorder_backtraces;           // INSPECT_BACKTRACES
extern uint64_t recorder_wait_ticks;       // INSPECT_WAIT_MS: waits from here on are long
extern bool recorder_may_wait;             // a full ring: wait for the writer (else drop)
extern uint64_t recorder_heap_distance;    // mean distance of samples, bytes (formats/sampling.h)

// Where the code of the allocator behind malloc is, if it is not libc's; size 0 if it is.
extern uint64_t recorder_allocator_start, recorder_allocator_size;

#pragma GCC visibility pop

// Index of this process in recorder_session->processes. Registers a forked child the first time
// it is called there. -1: no place was left, or recording is off. Signal-safe, no syscalls but
// getpid the first time.
int recorder_process(void);

// Whether the caller is the process that is recorded here: false in a vfork child, which runs in
// the memory of its parent. Costs a system call. Signal-safe.
bool recorder_is_own(void);

// Around fork: prepare takes a place for the child (-1: none) before it, so that the writer waits
// for it even if the parent ends at once; the parent tells which process has it (a negative
// `child`: fork failed), the child takes it, so that its trace exists even if it never calls
// anything. Prepare and what follows run in one thread.
int recorder_fork_prepare(void);
void recorder_fork_parent(int place, pid_t child);
void recorder_fork_child(void);
// The process ends: asks the writer to complete the trace. The first of the session waits for it,
// 50 ms at most and 4 ms if it has lived for a moment only.
void recorder_finish(int status, unsigned how);
// An exec is about to happen (true), or has failed (false).
void recorder_exec(bool begins);

// Wakes the writer where it sleeps. Signal-safe.
void recorder_ring_bell(void);
// Rings the bell and lets the writer work for a moment; counts up `*tries`. False where it is of no
// use to wait longer: no writer, production mode, or 50 ms of tries.
bool recorder_wait_a_moment(unsigned *tries);
// False once the writer has died or where it could not be started.
bool recorder_writer_lives(void);

#endif
