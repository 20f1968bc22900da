// SPDX-License-Identifier: Apache-2.0
// The first lines: what this is, how much of it was seen, what is wrong.
#include "analyzer/reading/memory.h"
#include "analyzer/reports/names.h"
#include "analyzer/reports/quantity.h"
#include "analyzer/reports/text.h"
#include "analyzer/reports/verdict.h"

#include <stdlib.h>
#include <string.h>

enum { COMMAND_COLUMNS = 70, WAITING_LINES = 3 };

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash && slash[1] ? slash + 1 : path;
}

// What the program was called by: several names may stand for one file (redis-server is a link to
// redis-check-rdb). A login shell has a dash before its own.
static const char *program_name(const reader_summary_t *summary) {
  const char *called = summary->argument_count ? base_name(summary->arguments[0]) : "";
  called += *called == '-';
  return *called ? called : base_name(summary->program);
}

// The command line, its program without the folder, cut to a sensible length. A forked child has
// its parent's, over which it may have written a title of its own: only the program is sure.
static void command_print(FILE *stream, const reader_summary_t *summary) {
  char *line = NULL, clean[512];
  size_t length;
  FILE *memory = open_memstream(&line, &length);
  if (!memory) return;
  fputs(summary->parent ? base_name(summary->program) : program_name(summary), memory);
  for (size_t i = 1; i < summary->argument_count && !summary->parent; i++)
    fprintf(memory, " %s", summary->arguments[i]);
  fclose(memory);
  fputs(page_clean(clean, sizeof clean, line, COMMAND_COLUMNS), stream);
  free(line);
}

static void ending_print(FILE *stream, const reader_summary_t *summary) {
  const char *time = quantity_time(summary->duration_ns, QUANTITY);
  if (summary->running)
    fprintf(stream, "has been running for %s", time);
  else if (summary->end_how == TRACE_END_EXIT && summary->exit_status >= 0)
    fprintf(stream, "ran %s and ended with exit status %d", time, summary->exit_status);
  else if (summary->end_how == TRACE_END_EXIT)
    fprintf(stream, "ran %s and ended", time);
  else if (summary->end_how == TRACE_END_EXEC)
    fprintf(stream, "ran %s until another program took its place", time);
  else if (summary->end_how == TRACE_END_LIMIT)
    fprintf(stream, "was recorded for %s, up to a limit", time);
  else if (summary->end_signal)
    fprintf(stream, "ran %s and was killed by %s", time,
            quantity_signal(summary->end_signal, QUANTITY));
  else
    fprintf(stream, "ran %s and was killed, crashed, or ended by a raw exit_group", time);
}

static void program_line(const text_t *text, const reader_summary_t *summary) {
  FILE *stream = text->page->stream;
  page_style(text->page, PAGE_HEADING);
  command_print(stream, summary);
  page_style(text->page, PAGE_PLAIN);
  fprintf(stream, ", pid %u, ", summary->pid);
  if (summary->parent) fprintf(stream, "forked by %u, ", summary->parent);
  ending_print(stream, summary);
  fprintf(stream, "; %s mode", summary->mode ? summary->mode : "unknown");
  if (summary->sampling < 1) fprintf(stream, ", sampling %g %%", summary->sampling * 100);
  fputc('\n', stream);
}

static void lost_write(FILE *stream, const reader_summary_t *summary) {
  const char *gap = " (";
  fprintf(stream, "LOST: %s", quantity_count(summary->lost, QUANTITY));
  for (int kind = 0; kind < TRACE_KIND_LIMIT; kind++)
    if (summary->lost_by_kind[kind] && trace_event_kinds[kind].name) {
      fprintf(stream, "%s%s %s", gap, quantity_count(summary->lost_by_kind[kind], QUANTITY),
              trace_event_kinds[kind].name);
      gap = ", ";
    }
  fprintf(stream, "%s, so counts are lower bounds", gap[0] == ',' ? ")" : "");
}

static void seen_line(const text_t *text, const reader_summary_t *summary) {
  FILE *stream = text->page->stream;
  const threads_t *threads = models_threads(text->analysis->models);
  uint64_t events = models_event_count(text->analysis->models), count = 0;
  for (uint32_t i = 1; i < threads_limit(threads); i++) count += threads_get(threads, i)->seen;
  fprintf(stream, "Seen: %s event%s of %s thread%s; ", quantity_count(events, QUANTITY),
          quantity_plural(events), quantity_count(count, QUANTITY), quantity_plural(count));
  if (summary->lost) {
    page_style(text->page, PAGE_BAD);
    lost_write(stream, summary);
    page_style(text->page, PAGE_PLAIN);
  } else {
    fputs(summary->damaged ? "what was damaged is missing" : "nothing was lost", stream);
  }
  if (summary->running)
    fputs("; it runs, this is the state as of now", stream);
  else if (!summary->complete)
    fputs("; the record is interrupted", stream);
  if (summary->events_from_rings)
    fprintf(stream, "; %s event%s found in the rings beside the trace",
            quantity_count(summary->events_from_rings, QUANTITY),
            quantity_plural(summary->events_from_rings));
  if (summary->damaged) page_print(text->page, PAGE_BAD, "; the trace is damaged, see WARNINGS");
  fputc('\n', stream);
}

static void verdict_line(const text_t *text) {
  uint32_t found = text->analysis->found;
  page_style_t style = found & (1u << FAIL_ON_DEADLOCK) ? PAGE_BAD
                       : found                          ? PAGE_DOUBTFUL
                                                        : PAGE_GOOD;
  fputs("Verdict: ", text->page->stream);
  page_style(text->page, style);
  verdict_write(text->page->stream, text->analysis);
  page_style(text->page, PAGE_PLAIN);
  fputc('\n', text->page->stream);
}

// A thread that waits when the record ends.
typedef struct {
  uint32_t index;
  unsigned rank;  // what tells most of a hang comes first: locks and joins, then the main thread
  uint64_t since_ns;
} waiting_t;

static int waiting_compare(const void *left, const void *right) {
  const waiting_t *a = left, *b = right;
  if (a->rank != b->rank) return a->rank < b->rank ? -1 : 1;
  if (a->since_ns != b->since_ns) return a->since_ns < b->since_ns ? -1 : 1;
  return a->index < b->index ? -1 : a->index > b->index;
}

static unsigned waiting_rank(const text_t *text, uint32_t index, const thread_pending_t *pending) {
  const reader_thread_t *thread = reader_thread(text->analysis->reader, index);
  if (pending->what == TRACE_PENDING_LOCK || pending->what == TRACE_PENDING_JOIN ||
      pending->what == TRACE_PENDING_BARRIER)
    return 0;
  return thread && thread->main ? 1 : 2;
}

// A process-shared lock says who has it; where that is no thread of this trace, the answer stands
// in another one.
static void foreign_owner_print(const text_t *text, const thread_pending_t *pending) {
  uint32_t owner = (uint32_t)(pending->second >> TRACE_PENDING_OWNER_SHIFT);
  if (pending->what != TRACE_PENDING_LOCK || !owner ||
      !(pending->second & TRACE_LOCK_PROCESS_SHARED))
    return;
  for (uint32_t i = 1; i < reader_thread_count(text->analysis->reader); i++)
    if (reader_thread(text->analysis->reader, i)->tid == owner) return;
  fprintf(text->page->stream, "; thread %u of another process holds it: see --all-processes",
          owner);
}

static void waiting_line(const text_t *text, const waiting_t *waiting) {
  FILE *stream = text->page->stream;
  const thread_account_t *thread =
      threads_get(models_threads(text->analysis->models), waiting->index);
  uint64_t end = models_end_ns(text->analysis->models);
  const char *site = names_site(text->analysis->names, thread->pending.stack);
  bool running = reader_summary(text->analysis->reader)->running;
  fprintf(stream, "  %s %s %s for %s", names_thread_label(text->analysis->names, waiting->index),
          running ? "is" : "was", thread_state_text(thread->state),
          quantity_time(end > waiting->since_ns ? end - waiting->since_ns : 0, QUANTITY));
  if (*site) fprintf(stream, ", in %s", site);
  foreign_owner_print(text, &thread->pending);
  fputc('\n', stream);
}

// What a hanging process hangs in, where it is no deadlock.
static void waiting_lines(const text_t *text) {
  const threads_t *threads = models_threads(text->analysis->models);
  uint32_t limit = threads_limit(threads), count = 0;
  waiting_t *waiting = memory_new(limit + 1, sizeof *waiting);
  for (uint32_t i = 1; i < limit && i < reader_thread_count(text->analysis->reader); i++) {
    const thread_account_t *thread = threads_get(threads, i);
    if (thread->ended || !thread->pending.what) continue;
    waiting[count++] =
        (waiting_t){i, waiting_rank(text, i, &thread->pending), thread->pending.since_ns};
  }
  if (count) qsort(waiting, count, sizeof *waiting, waiting_compare);
  for (uint32_t i = 0; i < count && i < WAITING_LINES; i++) waiting_line(text, &waiting[i]);
  if (count > WAITING_LINES)
    fprintf(text->page->stream, "  and %u more wait, see THREADS\n", count - WAITING_LINES);
  free(waiting);
}

void text_summary(const text_t *text) {
  const reader_summary_t *summary = reader_summary(text->analysis->reader);
  program_line(text, summary);
  seen_line(text, summary);
  verdict_line(text);
  bool unfinished = summary->running || summary->end_how != TRACE_END_EXIT;
  if (unfinished && !(text->analysis->found & 1u << FAIL_ON_DEADLOCK)) waiting_lines(text);
}
