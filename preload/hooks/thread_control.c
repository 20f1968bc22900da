// SPDX-License-Identifier: Apache-2.0
// What threads do to threads: cancel them, bind them to processors.
#include "preload/hooks/hooks.h"
#include "preload/stacks/memory.h"

#include <errno.h>

HOOK(thread, int, pthread_cancel, (pthread_t thread), (thread)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  lane_t *lane = lane_enter(&origin, TRACE_THREAD_CANCEL);
  // Before the call, which ends a thread that cancels itself asynchronously. It may fail only for a
  // thread that is gone.
  if (lane) {
    lane_record1(lane, TRACE_THREAD_CANCEL, lane_stack_take(lane, &origin), trace_zigzag(0),
                 thread);
    lane_leave(lane);
  }
  return real_pthread_cancel(thread);
}

// The kernel reads no more than its own masks are long, whatever `size` says.
static unsigned count_processors(size_t size, const cpu_set_t *processors) {
  memory_t memory = {0};
  if (size > sizeof *processors) size = sizeof *processors;
  if (!memory_probe_bytes(&memory, (uint64_t)processors, size)) return 0;
  return (unsigned)CPU_COUNT_S(size, processors);
}

static void bound(const stacks_origin_t *origin, pthread_t thread, size_t size,
                  const cpu_set_t *processors) {
  lane_t *lane = lane_enter(origin, TRACE_THREAD_AFFINITY);
  if (!lane) return;
  lane_record1(lane, TRACE_THREAD_AFFINITY, lane_stack_take(lane, origin),
               count_processors(size, processors), thread);
  lane_leave(lane);
}

HOOK(thread, int, pthread_setaffinity_np,
     (pthread_t thread, size_t size, const cpu_set_t *processors), (thread, size, processors)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  const int result = real_pthread_setaffinity_np(thread, size, processors);
  if (result == 0) bound(&origin, thread, size, processors);
  return result;
}

// Of the calling thread only: the handle of another one is not known here.
HOOK(thread, int, sched_setaffinity, (pid_t thread, size_t size, const cpu_set_t *processors),
     (thread, size, processors)) {
  const stacks_origin_t origin = STACKS_ORIGIN();
  const int result = real_sched_setaffinity(thread, size, processors);
  const lane_t *lane = lane_current;
  if (result == 0 && (thread == 0 || (lane && (uint32_t)thread == lane->tid)))
    bound(&origin, pthread_self(), size, processors);
  return result;
}
