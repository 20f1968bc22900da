// SPDX-License-Identifier: Apache-2.0
// Sums of what the kernel counted for threads.
#include "analyzer/findings/scheduling.h"

#include "analyzer/models/array.h"

#include <stdlib.h>

#define STARVED_LEAST_NS UINT64_C(10000000)

static void add(scheduling_t *sum, const models_t *models, uint32_t index) {
  const thread_account_t *thread = threads_get(models_threads(models), index);
  uint64_t life = thread->ended_ns - thread->started_ns;
  if (!thread->seen) return;
  ++sum->threads;
  sum->busy += thread->time_ns[THREAD_STATE_RUNNING] * 2 >= life;
  sum->ran_known += thread->ran_known;
  sum->runnable_known += thread->scheduled_ns > 0;
  sum->ran_ns += thread->ran_ns;
  sum->runnable_ns += thread->runnable_ns;
}

scheduling_t scheduling_of_loop(const models_t *models, const loop_t *loop) {
  scheduling_t sum = {0};
  for (uint32_t at = 0; at < loop->thread_count; ++at) add(&sum, models, loop->threads[at]);
  return sum;
}

scheduling_t scheduling_of_loops(const models_t *models) {
  const loops_t *loops = models_loops(models);
  uint32_t limit = threads_limit(models_threads(models));
  bool *added = array_zeroed(limit + 1, sizeof *added);
  scheduling_t sum = {0};
  for (uint32_t i = 0; i < loops_count(loops); ++i) {
    const loop_t *loop = loops_get(loops, i);
    for (uint32_t at = 0; at < loop->thread_count; ++at) {
      uint32_t thread = loop->threads[at];
      if (thread >= limit || added[thread]) continue;
      added[thread] = true;
      add(&sum, models, thread);
    }
  }
  free(added);
  return sum;
}

scheduling_t scheduling_of_run(const models_t *models) {
  uint32_t limit = threads_limit(models_threads(models));
  scheduling_t sum = {0};
  for (uint32_t thread = 1; thread < limit; ++thread) add(&sum, models, thread);
  return sum;
}

bool scheduling_is_starved(const models_t *models, uint32_t loop, uint64_t turn_ns) {
  scheduling_t times = scheduling_of_loop(models, loops_get(models_loops(models), loop - 1));
  return times.runnable_ns >= STARVED_LEAST_NS && times.runnable_ns >= turn_ns / 2 &&
         times.runnable_ns >= (times.ran_ns + times.runnable_ns) / 5;
}

uint32_t scheduling_processors(const models_t *models) {
  const reader_t *reader = models_reader(models);
  return reader ? reader_summary(reader)->processors : 0;
}
