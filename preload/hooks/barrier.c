// SPDX-License-Identifier: Apache-2.0
// Barriers. The result of a wait is 1 for the one thread that was told it is the last, else 0.
#include "preload/hooks/lock.h"

// What glibc keeps in the object (struct pthread_barrier of internaltypes.h).
typedef struct {
  unsigned in, current_round, count;
  int shared;
  unsigned out;
} barrier_t;

static uint32_t barrier_bits(const pthread_barrier_t *barrier) {
  const int shared = __atomic_load_n(&((const barrier_t *)barrier)->shared, __ATOMIC_RELAXED);
  return TRACE_LOCK_BARRIER | (shared ? TRACE_LOCK_PROCESS_SHARED : 0);
}

HOOK(lock, int, pthread_barrier_init,
     (pthread_barrier_t * barrier, const pthread_barrierattr_t *attributes, unsigned parties),
     (barrier, attributes, parties)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  const int result = real_pthread_barrier_init(barrier, attributes, parties);
  lane_t *lane = result == 0 ? lane_enter(&origin, TRACE_BARRIER_INIT) : NULL;
  if (!lane) return result;
  lane_record1(lane, TRACE_BARRIER_INIT, lane_stack_lock(lane, &origin, 0), parties,
               (uintptr_t)barrier);
  lane_leave(lane);
  return result;
}

HOOK(lock, int, pthread_barrier_wait, (pthread_barrier_t * barrier), (barrier)) {
  const stacks_origin_t origin = HOOK_WAIT_ORIGIN();
  lane_t *lane = lane_enter(&origin, TRACE_BARRIER_WAIT);
  if (!lane) return real_pthread_barrier_wait(barrier);
  hook_wait_t wait;
  hook_wait_begin(&wait, lane, &origin, TRACE_PENDING_BARRIER, (uintptr_t)barrier,
                  barrier_bits(barrier));
  const int result = real_pthread_barrier_wait(barrier);
  lane = hook_wait_end(&wait, &origin);
  if (!lane) return result;
  const int64_t noted = result == PTHREAD_BARRIER_SERIAL_THREAD ? 1 : -result;
  lane_record(lane, TRACE_BARRIER_WAIT, lane_stack_lock(lane, &origin, (uintptr_t)barrier),
              trace_zigzag(noted), wait.now, 2, (uintptr_t)barrier, wait.ticks, 0);
  lane_leave(lane);
  return result;
}

LOCK_DESTROYER(int, pthread_barrier_destroy, (pthread_barrier_t * barrier), (barrier), barrier,
               TRACE_LOCK_BARRIER)
