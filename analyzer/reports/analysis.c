// SPDX-License-Identifier: Apache-2.0
// One trace, read to its end.
#include "analyzer/reports/analysis.h"

#include "analyzer/reports/lint_warnings.h"
#include "analyzer/reports/names.h"
#include "analyzer/reports/progress.h"
#include "formats/trace.h"

#include <string.h>

static bool runtime_stack(void *context, uint32_t stack) {
  return analysis_stack_is_runtime(context, stack);
}

// A long-lived program that leaves a few strings behind is not what somebody looks for at night:
// less than a hundredth of its peak, few blocks, and little in all.
static bool leak_is_slight(const analysis_t *analysis) {
  enum { SHARE = 100, BLOCKS = 100, BYTES = 64 << 10 };
  analysis_left_t left = analysis_left(analysis);
  return left.blocks < BLOCKS && left.bytes < BYTES &&
         left.bytes < heap_totals(models_heap(analysis->models))->peak_bytes / SHARE;
}

enum { EVENTS_AT_ONCE = 64 };

static void events_watch(analysis_t *analysis, const reader_event_t *events, size_t count,
                         analysis_watch_t *watch, void *context) {
  for (size_t i = 0; i < count; i++) {
    models_step(analysis->models, &events[i]);
    if (events[i].phase != READER_BEGINS) watch(context, analysis->reader, &events[i]);
  }
}

static void events_read(analysis_t *analysis, analysis_watch_t *watch, void *context) {
  progress_t progress = progress_begin();
  reader_event_t events[EVENTS_AT_ONCE];
  for (size_t count; (count = reader_read(analysis->reader, events, EVENTS_AT_ONCE)) > 0;) {
    if (watch)
      events_watch(analysis, events, count, watch, context);
    else
      models_run(analysis->models, events, count);
    progress_steps(&progress, analysis->path, count);
  }
  progress_end(&progress);
}

static const reader_options_t reading = {.beginnings = true};

bool analysis_open(analysis_t *analysis, const char *path, const analysis_settings_t *settings,
                   analysis_watch_t *watch, void *context, char *error, size_t size) {
  static const analysis_settings_t usual;
  if (!settings) settings = &usual;
  *analysis = (analysis_t){.path = path};
  analysis->reader = reader_open(path, &reading, error, size);
  if (!analysis->reader) return false;
  analysis->models = models_open(analysis->reader);
  events_read(analysis, watch, context);
  models_finish(analysis->models);
  analysis->symbols = symbols_open(analysis->reader);
  analysis->names = names_open(analysis->models, analysis->symbols);
  analysis->deadlocks = deadlocks_find(analysis->models, settings->strict_order);
  if (settings->suppressions) suppressions_apply(settings->suppressions, analysis);
  analysis->found = fail_on_found(analysis->models, analysis->deadlocks, runtime_stack, analysis);
  analysis->grave = analysis->found & ~(leak_is_slight(analysis) ? 1u << FAIL_ON_LEAK : 0);
  analysis->warnings = warnings_find(analysis->models, analysis->deadlocks);
  lint_warnings_add(analysis, settings);
  if (settings->suppressions) suppressions_warn(settings->suppressions, analysis);
  return true;
}

static bool readers_open(reader_t **readers, const char *const *paths, uint32_t count, char *error,
                         size_t size) {
  for (uint32_t i = 0; i < count; i++) {
    readers[i] = reader_open(paths[i], &reading, error, size);
    if (readers[i]) continue;
    while (i-- > 0) reader_close(readers[i]);
    return false;
  }
  return true;
}

bool analysis_open_joined(analysis_t *analysis, const char *const *paths, uint32_t count,
                          const analysis_settings_t *settings, char *error, size_t size) {
  reader_t *readers[READER_PARTS_MAX];
  *analysis = (analysis_t){.path = paths[0]};
  if (!readers_open(readers, paths, count, error, size)) return false;
  analysis->reader = reader_join(readers, count);
  analysis->models = models_open(analysis->reader);
  events_read(analysis, NULL, NULL);
  models_finish(analysis->models);
  analysis->symbols = symbols_open(analysis->reader);
  analysis->names = names_open(analysis->models, analysis->symbols);
  analysis->deadlocks = deadlocks_find(analysis->models, settings->strict_order);
  deadlocks_keep_joint(analysis->deadlocks, analysis->reader);
  if (settings->suppressions) suppressions_apply(settings->suppressions, analysis);
  const uint32_t kinds = 1u << FAIL_ON_DEADLOCK | 1u << FAIL_ON_POTENTIAL_DEADLOCK |
                         1u << FAIL_ON_HAZARD | 1u << FAIL_ON_CONTENTION;
  analysis->found = kinds & fail_on_found(analysis->models, analysis->deadlocks, NULL, NULL);
  analysis->grave = analysis->found;
  return true;
}

void analysis_close(analysis_t *analysis) {
  if (analysis->warnings) warnings_free(analysis->warnings);
  if (analysis->deadlocks) deadlocks_free(analysis->deadlocks);
  names_close(analysis->names);
  if (analysis->symbols) symbols_close(analysis->symbols);
  if (analysis->models) models_close(analysis->models);
  if (analysis->reader) reader_close(analysis->reader);
  *analysis = (analysis_t){0};
}

// A function's name without what libc puts before it inside: __GI__IO_file_doallocate.
static const char *plain_name(const char *function) {
  while (*function == '_' || !strncmp(function, "GI_", 3)) function += *function == '_' ? 1 : 3;
  return function;
}

// What libc and the loader keep for themselves when a program calls these: buffers of streams,
// blocks of threads, tables of modules, locales and time zones. Beginnings of plain names.
static bool function_keeps_blocks(const char *function) {
  static const char *const keepers[] = {
      "IO_file_doallocate", "setlocale",   "tzset",          "localtime",
      "strftime",           "mktime",      "pthread_create", "atexit",
      "cxa_atexit",         "on_exit",     "new_exitfn",     "getpwnam",
      "getgrnam",           "getaddrinfo", "vsyslog",        "openlog",
      "bindtextdomain",     "textdomain"};
  const char *plain = function ? plain_name(function) : "";
  for (size_t i = 0; i < sizeof keepers / sizeof *keepers; i++)
    if (!strncmp(plain, keepers[i], strlen(keepers[i]))) return true;
  return false;
}

static bool module_begins(const symbols_frame_t *frame, const char *prefix) {
  return frame->module && !strncmp(frame->module, prefix, strlen(prefix));
}

bool analysis_stack_is_runtime(const analysis_t *analysis, uint32_t stack) {
  const symbols_stack_t *all = stack ? symbols_resolve_stack(analysis->symbols, stack) : NULL;
  bool inner = true;  // all frames so far are libc's or the loader's
  size_t i = 0;
  for (; all && i < all->count; i++) {
    const symbols_frame_t *frame = &all->frames[i];
    bool runtime = symbols_frame_is_runtime(frame);
    if (inner && runtime && (module_begins(frame, "ld-") || function_keeps_blocks(frame->function)))
      return true;
    inner = inner && runtime;
    if (!runtime && !module_begins(frame, "libstdc++.so") && !module_begins(frame, "libinspect.so"))
      return false;
  }
  return i > 0;
}

analysis_left_t analysis_left(const analysis_t *analysis) {
  const heap_t *heap = models_heap(analysis->models);
  analysis_left_t left = {0};
  for (uint32_t stack = 0; stack < heap_site_limit(heap); stack++) {
    const heap_site_t *site = heap_site(heap, stack);
    if (!site || !site->live_blocks || analysis_stack_is_runtime(analysis, stack)) continue;
    left.blocks += site->live_blocks;
    left.bytes += site->live_bytes;
    if (!left.worst || site->live_bytes > left.worst->live_bytes) left.worst = site;
  }
  return left;
}

bool analysis_warning(const analysis_t *analysis, size_t index, analysis_warning_t *warning) {
  const warnings_t *found = analysis->warnings;
  *warning = (analysis_warning_t){.id = index + 1};
  if (index < found->count) {
    warning->severity = found->items[index].severity;
    warning->text = found->items[index].text;
    warning->where = found->items[index].where;
    warning->lint = found->items[index].lint;
    return true;
  }
  warning->severity = WARNING_SEVERITY_INFO;
  warning->text = symbols_warning(analysis->symbols, index - found->count);
  warning->where = "symbols";
  return warning->text != NULL;
}

size_t analysis_warning_count(const analysis_t *analysis) {
  analysis_warning_t warning;
  size_t count = 0;
  while (analysis_warning(analysis, count, &warning)) count++;
  return count;
}

const char *analysis_property(const analysis_t *analysis, const char *key, const char *prefix) {
  size_t length = strlen(key);
  const char *text;
  for (size_t i = 0; (text = reader_property(analysis->reader, i)); i++)
    if (!strncmp(text, key, length) && text[length] == '=' &&
        !strncmp(text + length + 1, prefix, strlen(prefix)))
      return text + length + 1;
  return NULL;
}

const char *analysis_family_name(unsigned family) {
  static const char *const names[TRACE_FAMILY_COUNT] = {[TRACE_FAMILY_FACT] = "fact",
                                                        [TRACE_FAMILY_THREAD] = "thread",
                                                        [TRACE_FAMILY_LOCK] = "lock",
                                                        [TRACE_FAMILY_HEAP] = "heap",
                                                        [TRACE_FAMILY_DESCRIPTOR] = "descriptor",
                                                        [TRACE_FAMILY_PROCESS] = "process"};
  return family < TRACE_FAMILY_COUNT ? names[family] : "?";
}

const char *analysis_absence(const analysis_t *analysis, unsigned family) {
  if (models_family_count(analysis->models, family)) return NULL;
  const char *said = analysis_property(analysis, TRACE_KEY_NOT_SEEN, analysis_family_name(family));
  if (said) return said;
  if (family == TRACE_FAMILY_HEAP) {
    const char *setting = analysis_property(analysis, TRACE_KEY_SETTING, "INSPECT_ALLOCATIONS=");
    if (setting) return setting;
  }
  return "no such call was recorded";
}
