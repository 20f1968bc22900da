// SPDX-License-Identifier: Apache-2.0
// What a trace is: whose, how it was recorded, how much of it there is, and whether all of it can
// be read.
#include "analyzer/commands/commands.h"
#include "analyzer/reading/reader.h"
#include "analyzer/reports/page.h"
#include "analyzer/reports/quantity.h"
#include "formats/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

enum { NAME_WIDTH = 14, LINE_MAX_BYTES = 8192 };

static void row(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void row(const char *name, const char *format, ...) {
  char text[LINE_MAX_BYTES], clean[LINE_MAX_BYTES];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  printf("  %-*s %s\n", NAME_WIDTH, name, page_clean(clean, sizeof clean, text, 0));
}

static void heading(const page_t *page, const char *title) { page_heading(page, title, NULL); }

// ---- the run ---------------------------------------------------------------------------------

static void row_start(const reader_summary_t *summary) {
  time_t seconds = (time_t)(summary->start_realtime_ns / 1000000000);
  struct tm time;
  char text[64];
  if (summary->start_realtime_ns == 0 || !gmtime_r(&seconds, &time)) return;
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &time);
  row("started", "%s.%03" PRIu64 "Z", text, summary->start_realtime_ns / 1000000 % 1000);
}

static void row_end(const reader_summary_t *summary) {
  static const char *const ends[] = {
      [TRACE_END_EXIT] = "the process ended itself",
      [TRACE_END_DIED] = "the process was killed, crashed, or ended by a raw exit_group",
      [TRACE_END_EXEC] = "another program took its place (exec)",
      [TRACE_END_LIMIT] = "recording stopped at a limit",
  };
  if (summary->running)
    row("ended", "no: the process runs");
  else if (summary->end_how < 0)
    row("ended", "unknown: the trace has no end");
  else if (summary->end_signal)
    row("ended", "the process was killed by %s", quantity_signal(summary->end_signal, QUANTITY));
  else if (summary->exit_status >= 0)
    row("ended", "%s, exit status %d", ends[summary->end_how], summary->exit_status);
  else
    row("ended", "%s", ends[summary->end_how]);
}

static void row_arguments(const reader_summary_t *summary) {
  char text[LINE_MAX_BYTES] = "";
  size_t used = 0;
  for (size_t i = 0; i < summary->argument_count && used < sizeof text; i++)
    used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "",
                             summary->arguments[i]);
  if (*text) row("arguments", "%s", text);
}

static void run_print(const page_t *page, const reader_summary_t *summary) {
  heading(page, "RUN");
  row("program", "%s", summary->program);
  row_arguments(summary);
  if (summary->parent)
    row("process", "%" PRIu32 ", forked by %" PRIu32, summary->pid, summary->parent);
  else
    row("process", "%" PRIu32, summary->pid);
  row_start(summary);
  row("duration", "%s", quantity_time(summary->duration_ns, QUANTITY));
  row_end(summary);
  row("mode", "%s, sampling %g", summary->mode, summary->sampling);
}

// Properties that have no row of their own above.
static void properties_print(const page_t *page, const reader_t *reader) {
  static const char *const shown[] = {TRACE_KEY_PROGRAM, TRACE_KEY_ARGUMENT, TRACE_KEY_PID,
                                      TRACE_KEY_PARENT,  TRACE_KEY_MODE,     TRACE_KEY_SAMPLING};
  heading(page, "PROPERTIES");
  const char *text;
  for (size_t i = 0; (text = reader_property(reader, i)); i++) {
    size_t length = strcspn(text, "=");
    bool has_row = false;
    for (size_t k = 0; k < sizeof shown / sizeof *shown; k++)
      if (strlen(shown[k]) == length && memcmp(shown[k], text, length) == 0) has_row = true;
    char key[64];
    snprintf(key, sizeof key, "%.*s", (int)(length < 60 ? length : 60), text);
    if (!has_row)
      row(page_clean(key, sizeof key, key, 0), "%s", text[length] ? text + length + 1 : "");
  }
}

// ---- coverage and integrity ------------------------------------------------------------------

static void coverage_print(const page_t *page, const reader_t *reader, const uint64_t *counts) {
  const reader_summary_t *summary = reader_summary(reader);
  heading(page, "COVERAGE");
  row("events", "%s, %s of them from the rings", quantity_count(summary->events, QUANTITY),
      quantity_count(summary->events_from_rings, QUANTITY));
  row("lost", "%s", quantity_count(summary->lost, QUANTITY));
  row("threads", "%zu", reader_thread_count(reader) - 1);
  row("stacks", "%zu, %" PRIu64 " truncated", reader_stack_count(reader) - 1,
      summary->unwind_truncated);
  row("overhead", "writer %s CPU; the program waited %s times, %s in all",
      quantity_time(summary->writer_cpu_ns, QUANTITY), quantity_count(summary->waits, QUANTITY),
      quantity_time(summary->waited_ns, QUANTITY));
  for (unsigned kind = 0; kind < TRACE_KIND_LIMIT; kind++) {
    uint64_t lost = summary->lost_by_kind[kind];
    if (!counts[kind] && !lost) continue;
    const char *name = trace_event_kinds[kind].name ? trace_event_kinds[kind].name : "(any)";
    printf("    %-18s %14s", name, quantity_count(counts[kind], QUANTITY));
    if (lost) printf("   lost %s", quantity_count(lost, QUANTITY));
    putchar('\n');
  }
}

static void integrity_print(const page_t *page, const reader_t *reader) {
  const reader_summary_t *summary = reader_summary(reader);
  heading(page, "INTEGRITY");
  row("complete", "%s", summary->complete ? "yes" : "no");
  row("damaged", "%s", summary->damaged ? "yes: see the warnings" : "no");
  row("files", "%" PRIu32 ", %s in %s blocks", summary->files,
      quantity_bytes(summary->file_bytes, QUANTITY), quantity_count(summary->blocks, QUANTITY));
  row("seek table", "%s", summary->seek_table ? "yes" : "no");
  row("rings", "%" PRIu32 "%s", summary->rings, summary->rings ? " beside the trace" : "");
}

static void modules_print(const page_t *page, const reader_t *reader) {
  heading(page, "MODULES");
  for (size_t i = 0; i < reader_module_count(reader); i++) {
    const reader_module_t *module = reader_module(reader, i);
    char path[LINE_MAX_BYTES];
    printf("  0x%012" PRIx64 "-0x%012" PRIx64 " ", module->start, module->end);
    for (size_t k = 0; k < module->build_id_length; k++) printf("%02x", module->build_id[k]);
    printf("%s %s", module->build_id_length ? "" : "(no build id)",
           page_clean(path, sizeof path, module->path, 0));
    if (module->unloaded != UINT64_MAX)
      printf(" (unloaded at %s)", quantity_time(module->unloaded, QUANTITY));
    putchar('\n');
  }
}

static void warnings_print(const page_t *page, const reader_t *reader) {
  if (!reader_warning(reader, 0)) return;
  heading(page, "WARNINGS");
  char text[LINE_MAX_BYTES];
  for (size_t i = 0; reader_warning(reader, i); i++)
    printf("  %s\n", page_clean(text, sizeof text, reader_warning(reader, i), 0));
}

int command_info(const options_t *options) {
  char error[1024], name[LINE_MAX_BYTES];
  reader_t *reader = reader_open(options->traces[0], NULL, error, sizeof error);
  if (!reader) {
    command_complain("%s", error);
    return STATUS_FILES;
  }
  static uint64_t counts[TRACE_KIND_LIMIT];
  reader_event_t event;
  while (reader_next(reader, &event)) counts[event.kind]++;
  page_t page = page_of(stdout);
  page_print(&page, PAGE_HEADING, "%s: inspect trace, version %" PRIu32 "\n",
             page_clean(name, sizeof name, options->traces[0], 0), reader_summary(reader)->version);
  run_print(&page, reader_summary(reader));
  coverage_print(&page, reader, counts);
  integrity_print(&page, reader);
  modules_print(&page, reader);
  properties_print(&page, reader);
  warnings_print(&page, reader);
  reader_close(reader);
  return STATUS_DONE;
}
