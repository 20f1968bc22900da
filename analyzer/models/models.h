// SPDX-License-Identifier: Apache-2.0
// All models over one trace: feed every event of the reader once, in its order, then finish.
//
//   models_t *models = models_open(reader);
//   while ((count = reader_read(reader, events, limit))) models_run(models, events, count);
//   models_finish(models);
//
// Memory grows with live objects, threads and distinct sites, not with the trace's length.
#ifndef ANALYZER_MODELS_MODELS_H
#define ANALYZER_MODELS_MODELS_H

#include "analyzer/models/critical_path.h"
#include "analyzer/models/dependencies.h"
#include "analyzer/models/heap.h"
#include "analyzer/models/locks.h"
#include "analyzer/models/loops.h"
#include "analyzer/models/tasks.h"
#include "analyzer/models/threads.h"
#include "analyzer/models/wakers.h"

typedef struct models models_t;

// `reader` outlives the models; NULL for events fed by hand (then no modules, stacks or live
// process, and the thresholds are the defaults).
models_t *models_open(const reader_t *reader);
void models_step(models_t *models, const reader_event_t *event);
// A step with each of the `count` events that one reader_read gave.
void models_run(models_t *models, const reader_event_t *events, size_t count);
// For who draws: told of every wake-up as it is found.
void models_watch_wakeups(models_t *models, wakers_watch_t *watch, void *context);
// Call once, after the last event; figures are final afterwards.
void models_finish(models_t *models);
void models_close(models_t *models);

const reader_t *models_reader(const models_t *models);  // as given
const threads_t *models_threads(const models_t *models);
const locks_t *models_locks(const models_t *models);
const wakers_t *models_wakers(const models_t *models);
const critical_path_t *models_critical_path(const models_t *models);
const thread_order_t *models_order(const models_t *models);
const dependencies_t *models_dependencies(const models_t *models);
const heap_t *models_heap(const models_t *models);
const loops_t *models_loops(const models_t *models);
const tasks_t *models_tasks(const models_t *models);

// Events read of a kind, facts that are given out included; and of all kinds without these.
uint64_t models_kind_count(const models_t *models, unsigned kind);
uint64_t models_event_count(const models_t *models);
// Events read of a family (TRACE_FAMILY_*): 0 means the family was not seen.
uint64_t models_family_count(const models_t *models, unsigned family);
// The last moment: of the reader's summary, or of the last event where it is later.
uint64_t models_end_ns(const models_t *models);

#endif
