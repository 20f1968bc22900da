// SPDX-License-Identifier: Apache-2.0
// What limits the report: from the reader, the recorder's properties, and the models.
#include "analyzer/findings/warnings.h"

#include "analyzer/models/array.h"
#include "formats/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  warnings_t *result;
  uint32_t capacity;
} collector_t;

static const char *const severity_names[] = {
#define SEVERITY(name, key) key,
    WARNING_SEVERITY_TABLE(SEVERITY)
#undef SEVERITY
};

const char *warning_severity_name(warning_severity_t severity) { return severity_names[severity]; }

static void add_list(collector_t *collector, warning_severity_t severity, const char *where,
                     const char *format, va_list arguments) {
  warnings_t *result = collector->result;
  ARRAY_RESERVE(result->items, collector->capacity, (uint32_t)result->count + 1);
  warning_t *added = &result->items[result->count++];
  *added = (warning_t){.id = (uint32_t)result->count, .severity = severity, .where = where};
  if (vasprintf(&added->text, format, arguments) < 0) added->text = NULL;
  if (!added->text) added->text = array_zeroed(1, 1);
}

static void add(collector_t *collector, warning_severity_t severity, const char *where,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

static void add(collector_t *collector, warning_severity_t severity, const char *where,
                const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  add_list(collector, severity, where, format, arguments);
  va_end(arguments);
}

// ---- the trace ---------------------------------------------------------------------------------

static void check_trace(collector_t *collector, const reader_t *reader) {
  const reader_summary_t *summary = reader_summary(reader);
  if (summary->running)
    add(collector, WARNING_SEVERITY_INFO, "trace",
        "the process still runs: this is what it had done until now");
  else if (summary->end_how == TRACE_END_DIED)
    add(collector, WARNING_SEVERITY_WARNING, "trace",
        "the process %s: what was live or held then is no leak",
        summary->end_signal ? "was killed or crashed"
                            : "was killed, crashed, or ended by a raw exit_group");
  else if (!summary->complete)
    add(collector, WARNING_SEVERITY_WARNING, "trace",
        "the trace has no end: the recorder was interrupted");
  if (summary->end_how == TRACE_END_LIMIT)
    add(collector, WARNING_SEVERITY_WARNING, "trace",
        "recording stopped at a limit (INSPECT_MAX_SIZE, or the disk): the process ran on");
  if (summary->events_from_rings)
    add(collector, WARNING_SEVERITY_INFO, "trace",
        "%" PRIu64 " events were not in the file yet, and were read from the rings beside it",
        summary->events_from_rings);
}

static void check_losses(collector_t *collector, const reader_summary_t *summary) {
  if (!summary->lost) return;
  add(collector, WARNING_SEVERITY_ERROR, "trace",
      "%" PRIu64 " events were lost: totals are lower bounds, and conclusions across the gap are "
      "not drawn",
      summary->lost);
  for (unsigned kind = 0; kind < TRACE_KIND_LIMIT; ++kind)
    if (summary->lost_by_kind[kind] && trace_event_kinds[kind].name)
      add(collector, WARNING_SEVERITY_WARNING, "trace", "%" PRIu64 " lost: %s",
          summary->lost_by_kind[kind], trace_event_kinds[kind].name);
}

static void check_stacks(collector_t *collector, const reader_summary_t *summary) {
  if (summary->unwind_truncated)
    add(collector, WARNING_SEVERITY_INFO, "stacks",
        "%" PRIu64 " stacks end early: a frame has no unwind rule", summary->unwind_truncated);
}

// ---- what the recorder said --------------------------------------------------------------------

static const struct {
  const char *key;
  warning_severity_t severity;
  const char *where, *prefix;
} property_rows[] = {
    {TRACE_KEY_WARNING "=", WARNING_SEVERITY_WARNING, "recorder", ""},
    {TRACE_KEY_NOT_SEEN "=", WARNING_SEVERITY_WARNING, "coverage", "not recorded: "},
};

static void check_properties(collector_t *collector, const reader_t *reader) {
  const char *property;
  for (size_t at = 0; (property = reader_property(reader, at)); ++at)
    for (size_t row = 0; row < sizeof property_rows / sizeof *property_rows; ++row) {
      size_t length = strlen(property_rows[row].key);
      if (strncmp(property, property_rows[row].key, length)) continue;
      add(collector, property_rows[row].severity, property_rows[row].where, "%s%s",
          property_rows[row].prefix, property + length);
    }
}

static void check_reader(collector_t *collector, const reader_t *reader) {
  bool damaged = reader_summary(reader)->damaged;
  const char *text;
  for (size_t at = 0; (text = reader_warning(reader, at)); ++at)
    add(collector, damaged ? WARNING_SEVERITY_ERROR : WARNING_SEVERITY_WARNING, "trace", "%s",
        text);
}

// ---- the models --------------------------------------------------------------------------------

static void check_heap(collector_t *collector, const models_t *models) {
  const heap_totals_t *heap = heap_totals(models_heap(models));
  uint64_t known = heap->allocations + heap->unknown_frees;
  if (heap->unknown_frees > 100 && heap->unknown_frees > known / 100)
    add(collector, WARNING_SEVERITY_INFO, "memory",
        "%" PRIu64 " frees are of blocks whose allocation was not seen", heap->unknown_frees);
  if (heap->lost)
    add(collector, WARNING_SEVERITY_WARNING, "memory",
        "%" PRIu64 " memory events were lost: live bytes and leaks are estimates", heap->lost);
}

static void check_locks(collector_t *collector, const models_t *models) {
  const locks_t *locks = models_locks(models);
  uint64_t unseen = 0, foreign = 0, estimated = 0;
  for (uint32_t id = 1; id < locks_limit(locks); ++id) {
    const lock_t *lock = locks_get(locks, id);
    if (!lock) continue;
    unseen += lock->released_unseen;
    foreign += lock->released_by_other;
    estimated += lock->holds > lock->hold_ns.count ? lock->holds - lock->hold_ns.count : 0;
  }
  if (unseen)
    add(collector, WARNING_SEVERITY_INFO, "locks",
        "%" PRIu64 " releases of locks whose acquisition was not seen", unseen);
  if (foreign)
    add(collector, WARNING_SEVERITY_INFO, "locks",
        "%" PRIu64 " releases by a thread that did not hold the lock", foreign);
  if (locks_are_sampled(locks))
    add(collector, WARNING_SEVERITY_INFO, "locks",
        "holds that nobody waited for were sampled: how often an order of locks was met is a lower "
        "bound, and what could be reordered is not known");
  if (estimated)
    add(collector, WARNING_SEVERITY_INFO, "locks",
        "%" PRIu64 " hold times were not taken: quantiles of these locks are estimated", estimated);
}

static void check_dependencies(collector_t *collector, const models_t *models,
                               const deadlocks_t *deadlocks) {
  uint64_t dropped = dependencies_dropped(models_dependencies(models));
  if (dropped)
    add(collector, WARNING_SEVERITY_WARNING, "deadlocks",
        "%" PRIu64 " steps of the lock order went over a limit and were not kept", dropped);
  if (deadlocks && deadlocks->search_cut)
    add(collector, WARNING_SEVERITY_WARNING, "deadlocks",
        "the search for lock-order cycles stopped at its limit, after %" PRIu64
        " cycles: there may be more",
        deadlocks->cycles_examined);
}

static void check_threads(collector_t *collector, const models_t *models) {
  const threads_t *threads = models_threads(models);
  const locks_t *locks = models_locks(models);
  for (uint32_t thread = 1; thread < threads_limit(threads); ++thread)
    if (threads_get(threads, thread)->ended && locks_held_count(locks, thread))
      add(collector, WARNING_SEVERITY_WARNING, "locks",
          "thread %" PRIu32 " ended holding %" PRIu32 " locks", thread,
          locks_held_count(locks, thread));
}

static void check_tasks(collector_t *collector, const models_t *models) {
  uint64_t dropped = tasks_dropped(models_tasks(models));
  if (dropped)
    add(collector, WARNING_SEVERITY_INFO, "tasks",
        "%" PRIu64 " tasks that had ended earliest are left out", dropped);
}

static int compare_severity(const void *left, const void *right) {
  const warning_t *a = left, *b = right;
  if (a->severity != b->severity) return a->severity > b->severity ? -1 : 1;
  return a->id < b->id ? -1 : a->id > b->id;
}

static void sort_warnings(warnings_t *result) {
  if (result->count) qsort(result->items, result->count, sizeof *result->items, compare_severity);
  for (size_t at = 0; at < result->count; ++at) result->items[at].id = (uint32_t)at + 1;
}

warnings_t *warnings_find(const models_t *models, const deadlocks_t *deadlocks) {
  collector_t collector = {.result = array_zeroed(1, sizeof(warnings_t))};
  const reader_t *reader = models_reader(models);
  if (reader) {
    check_losses(&collector, reader_summary(reader));
    check_reader(&collector, reader);
    check_trace(&collector, reader);
    check_properties(&collector, reader);
    check_stacks(&collector, reader_summary(reader));
  }
  check_dependencies(&collector, models, deadlocks);
  check_threads(&collector, models);
  check_locks(&collector, models);
  check_heap(&collector, models);
  check_tasks(&collector, models);
  sort_warnings(collector.result);
  return collector.result;
}

void warnings_add(warnings_t *warnings, warning_severity_t severity, const char *where,
                  const warning_lint_t *lint, const char *format, ...) {
  collector_t collector = {.result = warnings, .capacity = (uint32_t)warnings->count};
  va_list arguments;
  va_start(arguments, format);
  add_list(&collector, severity, where, format, arguments);
  va_end(arguments);
  if (lint) warnings->items[warnings->count - 1].lint = *lint;
  sort_warnings(warnings);
}

void warnings_free(warnings_t *warnings) {
  if (!warnings) return;
  for (size_t at = 0; at < warnings->count; ++at) free(warnings->items[at].text);
  free(warnings->items);
  free(warnings);
}
