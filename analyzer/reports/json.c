// SPDX-License-Identifier: Apache-2.0
// The JSON document: what the trace is, what was seen of it, and the parts.
#include "analyzer/reports/json.h"
#include "formats/trace.h"

#include <string.h>
#include <time.h>

static json_t *time_value(uint64_t realtime_ns) {
  time_t seconds = (time_t)(realtime_ns / 1000000000);
  struct tm parts;
  char text[40], day[24];
  if (!realtime_ns || !gmtime_r(&seconds, &parts)) return json_null();
  strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
  snprintf(text, sizeof text, "%s.%09uZ", day, (unsigned)(realtime_ns % 1000000000));
  return json_string(text);
}

static const char *end_name(const reader_summary_t *summary) {
  static const char *const names[] = {[TRACE_END_EXIT] = "exit",
                                      [TRACE_END_DIED] = "died",
                                      [TRACE_END_EXEC] = "exec",
                                      [TRACE_END_LIMIT] = "limit"};
  int how = summary->end_how;
  return how >= 0 && how < (int)(sizeof names / sizeof *names) ? names[how] : NULL;
}

json_t *json_trace(const analysis_t *analysis) {
  const reader_summary_t *summary = reader_summary(analysis->reader);
  json_t *arguments = json_array(), *trace = json_object();
  for (size_t i = 0; i < summary->argument_count; i++)
    json_array_append_new(arguments, json_text(summary->arguments[i]));
  json_object_set_new(trace, "file", json_text(analysis->path));
  json_object_set_new(trace, "program", json_text(summary->program));
  json_object_set_new(trace, "arguments", arguments);
  json_object_set_new(trace, "pid", json_number(summary->pid));
  json_object_set_new(trace, "parent",
                      summary->parent ? json_number(summary->parent) : json_null());
  json_object_set_new(trace, "start", time_value(summary->start_realtime_ns));
  json_object_set_new(trace, "duration_ns", json_number(summary->duration_ns));
  json_object_set_new(trace, "mode", json_text(summary->mode));
  json_object_set_new(trace, "sampling", json_real(summary->sampling));
  json_object_set_new(trace, "complete", json_boolean(summary->complete));
  json_object_set_new(trace, "running", json_boolean(summary->running));
  json_object_set_new(trace, "damaged", json_boolean(summary->damaged));
  json_object_set_new(trace, "end", json_text(end_name(summary)));
  json_object_set_new(trace, "exit_status",
                      summary->exit_status >= 0 ? json_integer(summary->exit_status) : json_null());
  if (summary->end_signal) json_object_set_new(trace, "signal", json_integer(summary->end_signal));
  json_object_set_new(trace, "format_version", json_number(summary->version));
  return trace;
}

static json_t *lost_value(const reader_summary_t *summary) {
  json_t *lost = json_object();
  for (int kind = 0; kind < TRACE_KIND_LIMIT; kind++)
    if (summary->lost_by_kind[kind] && trace_event_kinds[kind].name)
      json_object_set_new(lost, trace_event_kinds[kind].name,
                          json_number(summary->lost_by_kind[kind]));
  return lost;
}

static json_t *hooks_value(const analysis_t *analysis) {
  json_t *hooks = json_array();
  for (unsigned family = TRACE_FAMILY_THREAD; family < TRACE_FAMILY_COUNT; family++)
    if (models_family_count(analysis->models, family))
      json_array_append_new(hooks, json_text(analysis_family_name(family)));
  return hooks;
}

// Properties "not-seen=what: why", and families of which no call was recorded.
static json_t *not_seen_value(const analysis_t *analysis) {
  json_t *list = json_array();
  for (unsigned family = TRACE_FAMILY_THREAD; family < TRACE_FAMILY_COUNT; family++) {
    const char *why = analysis_absence(analysis, family);
    if (why)
      json_array_append_new(list,
                            json_pack("{s:o, s:o}", "what", json_text(analysis_family_name(family)),
                                      "why", json_text(why)));
  }
  return list;
}

json_t *json_coverage(const analysis_t *analysis) {
  const reader_summary_t *summary = reader_summary(analysis->reader);
  json_t *coverage = json_object();
  json_object_set_new(coverage, "events", json_number(models_event_count(analysis->models)));
  json_object_set_new(coverage, "events_lost", json_number(summary->lost));
  json_object_set_new(coverage, "lost_by_kind", lost_value(summary));
  json_object_set_new(coverage, "events_from_rings", json_number(summary->events_from_rings));
  json_object_set_new(coverage, "tasks_dropped",
                      json_number(tasks_dropped(models_tasks(analysis->models)) +
                                  summary->lost_by_kind[TRACE_EPOLL_CTL]));
  json_object_set_new(coverage, "unwind_truncated", json_number(summary->unwind_truncated));
  json_object_set_new(coverage, "hooks", hooks_value(analysis));
  json_object_set_new(coverage, "not_seen", not_seen_value(analysis));
  json_object_set_new(coverage, "overhead_ns",
                      json_number(summary->writer_cpu_ns + summary->waited_ns));
  json_object_set_new(coverage, "writer_cpu_ns", json_number(summary->writer_cpu_ns));
  json_object_set_new(coverage, "waits_for_writer", json_number(summary->waits));
  json_object_set_new(coverage, "waited_for_writer_ns", json_number(summary->waited_ns));
  return coverage;
}

json_t *json_warnings(const analysis_t *analysis) {
  json_t *list = json_array();
  analysis_warning_t warning;
  for (size_t i = 0; analysis_warning(analysis, i, &warning); i++)
    json_array_append_new(
        list, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", json_number(warning.id),
                        "severity", json_text(warning_severity_name(warning.severity)), "text",
                        json_text(warning.text), "where", json_text(warning.where), "confidence",
                        json_text(warning.lint.confidence), "threshold",
                        warning.lint.confidence ? json_number(warning.lint.threshold) : json_null(),
                        "threshold_unit",
                        json_text(!warning.lint.confidence ? NULL
                                  : warning.lint.is_time   ? "ns"
                                                           : "count")));
  return list;
}

// Sections that were not asked for are left out; the rest is always there.
json_t *json_report(const analysis_t *analysis, const options_t *options) {
  unsigned sections = options->sections;
  json_t *report = json_pack("{s:s, s:i}", "format", "inspect-report", "version", 1);
  json_object_set_new(report, "trace", json_trace(analysis));
  json_object_set_new(report, "coverage", json_coverage(analysis));
  if (sections & OPTIONS_SECTION_DEADLOCKS)
    json_object_set_new(report, "deadlocks", json_deadlocks(analysis, options->all));
  if (sections & OPTIONS_SECTION_LOCKS) {
    json_object_set_new(report, "locks", json_locks(analysis));
    json_object_set_new(report, "conditions", json_conditions(analysis));
    json_object_set_new(report, "critical_path", json_critical_path(analysis));
  }
  if (sections & (OPTIONS_SECTION_TASKS | OPTIONS_SECTION_THREADS))
    json_object_set_new(report, "tasks", json_tasks(analysis));
  if (sections & OPTIONS_SECTION_TASKS)
    json_object_set_new(report, "task_totals", json_task_totals(analysis));
  if (sections & OPTIONS_SECTION_LOOPS) json_object_set_new(report, "loops", json_loops(analysis));
  if (sections & OPTIONS_SECTION_TASKS) json_object_set_new(report, "pools", json_pools(analysis));
  if (sections & (OPTIONS_SECTION_TASKS | OPTIONS_SECTION_THREADS))
    json_object_set_new(report, "wakers", json_wakers(analysis));
  if (sections & OPTIONS_SECTION_MEMORY)
    json_object_set_new(report, "memory", json_memory(analysis));
  if (sections & OPTIONS_SECTION_WARNINGS)
    json_object_set_new(report, "warnings", json_warnings(analysis));
  return report;
}

json_t *json_joined(const analysis_t *analysis, const options_t *options) {
  json_t *joined = json_object(), *processes = json_array();
  for (uint32_t i = 0; i < reader_part_count(analysis->reader); i++)
    json_array_append_new(processes,
                          json_number(reader_summary(reader_part(analysis->reader, i))->pid));
  json_object_set_new(joined, "processes", processes);
  if (options->sections & OPTIONS_SECTION_DEADLOCKS)
    json_object_set_new(joined, "deadlocks", json_deadlocks(analysis, options->all));
  if (options->sections & OPTIONS_SECTION_LOCKS)
    json_object_set_new(joined, "locks", json_locks(analysis));
  return joined;
}
