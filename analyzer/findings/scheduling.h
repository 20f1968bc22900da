// SPDX-License-Identifier: Apache-2.0
// Whether threads that could run had a processor: those of a loop, of all loops, of the run.
#ifndef ANALYZER_FINDINGS_SCHEDULING_H
#define ANALYZER_FINDINGS_SCHEDULING_H

#include "analyzer/models/models.h"

// Sums over threads. A thread is busy that does not wait for at least half of its life.
typedef struct {
  uint32_t threads, busy;
  uint32_t ran_known, runnable_known;  // of how many of them
  uint64_t ran_ns;                     // on a processor
  uint64_t runnable_ns;                // runnable, but not running
} scheduling_t;

scheduling_t scheduling_of_loop(const models_t *models, const loop_t *loop);
// Each thread that waits in any loop, once.
scheduling_t scheduling_of_loops(const models_t *models);
scheduling_t scheduling_of_run(const models_t *models);
// Whether a turn of that loop (its id) may have been so long only because its thread had no
// processor: it could have run and did not for half of that, and for a fifth of the whole time.
bool scheduling_is_starved(const models_t *models, uint32_t loop, uint64_t turn_ns);
// How many processors the program was allowed to use when it began, 0 not known.
uint32_t scheduling_processors(const models_t *models);

#endif
