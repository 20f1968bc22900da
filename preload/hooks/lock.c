// SPDX-License-Identifier: Apache-2.0
// The records that the hooks of all kinds of locks make.
#include "preload/hooks/lock.h"

uint64_t lock_owner_bits(uint32_t bits, uintptr_t object) {
  const int *owner;
  if ((bits & TRACE_LOCK_WHAT) == TRACE_LOCK_MUTEX)
    owner = &((const pthread_mutex_t *)object)->__data.__owner;
  else if ((bits & TRACE_LOCK_WHAT) == TRACE_LOCK_RWLOCK)
    owner = &((const pthread_rwlock_t *)object)->__data.__cur_writer;
  else
    return 0;
  return (uint64_t)(uint32_t)__atomic_load_n(owner, __ATOMIC_RELAXED) << TRACE_PENDING_OWNER_SHIFT;
}

void lock_request_begin(lock_request_t *request, lane_t *lane, const stacks_origin_t *origin) {
  if (request->bits & TRACE_LOCK_PROCESS_SHARED) lane_note_shared(lane, request->object);
  hook_wait_begin(&request->wait, lane, origin, TRACE_PENDING_LOCK, request->object,
                  request->bits | lock_owner_bits(request->bits, request->object));
}

void lock_request_end(lock_request_t *request, const stacks_origin_t *origin, int error) {
  const hook_wait_t *wait = &request->wait;
  lane_t *lane = hook_wait_end(&request->wait, origin);
  if (!lane) return;
  const uint32_t stack = wait->ticks >= recorder_wait_ticks
                             ? lane_stack_take(lane, origin)
                             : lane_stack_lock(lane, origin, request->object);
  if (error == 0) {
    lane_note_contended(lane, request->object);
    lane_record(lane, TRACE_LOCK_WAIT, stack, request->bits, wait->now, 2, request->object,
                wait->ticks, 0);
    lock_sample_note(lane, origin, request->bits, request->object, stack);
  } else {
    lane_record(lane, TRACE_LOCK_FAIL, stack, request->bits, wait->now, 3, request->object,
                wait->ticks, trace_zigzag(-error));
  }
  lane_leave(lane);
}

void lock_acquired(lane_t *lane, const stacks_origin_t *origin, uint32_t bits, uintptr_t object) {
  lock_record_acquire(lane, origin, bits, object);
  lane_leave(lane);
}

void lock_failed(lane_t *lane, const stacks_origin_t *origin, uint32_t bits, uintptr_t object,
                 int error) {
  lane_record3(lane, TRACE_LOCK_FAIL, lane_stack(lane, origin), bits, object, 0,
               trace_zigzag(-error));
}

void lock_initialised(lane_t *lane, const stacks_origin_t *origin, uint32_t bits,
                      uintptr_t object) {
  if (bits & TRACE_LOCK_PROCESS_SHARED) lane_note_shared_anew(lane, object);
  lock_sample_end_epoch(object);
  lane_record1(lane, TRACE_LOCK_INIT, lane_stack_lock(lane, origin, 0), bits, object);
  lane_leave(lane);
}

void lock_destroyed(lane_t *lane, const stacks_origin_t *origin, uint32_t bits, uintptr_t object) {
  lock_sample_end_epoch(object);
  lane_record1(lane, TRACE_LOCK_DESTROY, lane_stack(lane, origin), bits, object);
  lane_leave(lane);
}
