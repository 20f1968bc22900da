// SPDX-License-Identifier: Apache-2.0
// The report as text: order of the sections, and what they share.
#include "analyzer/reports/text.h"

#include "analyzer/reports/names.h"
#include "analyzer/reports/siblings.h"

#include <string.h>

void text_stack(const text_t *text, const char *indent, uint32_t stack, size_t limit) {
  FILE *stream = text->page->stream;
  size_t count, columns = text->page->width;
  const symbols_frame_t *frames = names_frames_shown(text->analysis->names, stack, &count);
  if (!count) {
    fprintf(stream, "%s%s\n", indent, stack ? "(its frames are unknown)" : "(no stack was taken)");
    return;
  }
  if (text->options->top == SIZE_MAX) limit = count;
  size_t shown = count > limit + 1 ? limit : count;
  for (size_t i = 0; i < shown; i++) {
    char line[1024];
    size_t room = columns > strlen(indent) + 20 ? columns - strlen(indent) : 0;
    page_clean(line, sizeof line, names_frame_text(text->analysis->names, &frames[i]), room);
    fprintf(stream, "%s%s\n", indent, line);
  }
  if (shown < count) fprintf(stream, "%s... and %zu outer frames\n", indent, count - shown);
  const reader_stack_t *raw = reader_stack(text->analysis->reader, stack);
  if (raw && raw->truncated)
    fprintf(stream, "%s(the stack goes on, but could not be read)\n", indent);
}

size_t text_rows(const text_t *text, size_t count) {
  return count < text->options->top ? count : text->options->top;
}

void text_more(const text_t *text, size_t count) {
  size_t shown = text_rows(text, count);
  if (shown < count)
    page_print(text->page, PAGE_FAINT, "  ... and %zu more (--top 0 for all)\n", count - shown);
}

void text_warnings(const text_t *text) {
  static const page_style_t styles[] = {[WARNING_SEVERITY_INFO] = PAGE_PLAIN,
                                        [WARNING_SEVERITY_WARNING] = PAGE_DOUBTFUL,
                                        [WARNING_SEVERITY_ERROR] = PAGE_BAD};
  size_t count = analysis_warning_count(text->analysis), shown = text_rows(text, count);
  page_heading(text->page, "WARNINGS", count ? "" : "none");
  for (size_t i = 0; i < shown; i++) {
    analysis_warning_t warning;
    char line[1024];
    analysis_warning(text->analysis, i, &warning);
    fputs("  ", text->page->stream);
    page_print(text->page, styles[warning.severity], "%s", warning_severity_name(warning.severity));
    fprintf(text->page->stream, ": %s: %s\n", warning.where,
            page_clean(line, sizeof line, warning.text, 0));
  }
  text_more(text, count);
}

// Sections after the summary. Those in which one of `kinds` was found come first, in this order.
static const struct {
  unsigned section;
  uint32_t kinds;
  void (*print)(const text_t *text);
} section_table[] = {
    {OPTIONS_SECTION_DEADLOCKS,
     1u << FAIL_ON_DEADLOCK | 1u << FAIL_ON_POTENTIAL_DEADLOCK | 1u << FAIL_ON_HAZARD,
     text_deadlocks},
    {OPTIONS_SECTION_LOOPS, 1u << FAIL_ON_STALL, text_loops},
    {OPTIONS_SECTION_LOCKS, 1u << FAIL_ON_CONTENTION, text_locks},
    {OPTIONS_SECTION_MEMORY, 1u << FAIL_ON_LEAK, text_memory},
    {OPTIONS_SECTION_TASKS, 0, text_pools},
    {OPTIONS_SECTION_THREADS, 0, text_threads},
    {OPTIONS_SECTION_TASKS, 0, text_tasks},
    {OPTIONS_SECTION_WARNINGS, 1u << FAIL_ON_LOST, text_warnings},
};

void text_report(const text_t *text) {
  const size_t count = sizeof section_table / sizeof *section_table;
  if (text->options->sections & OPTIONS_SECTION_SUMMARY) text_summary(text);
  for (int found = 1; found >= 0; found--)
    for (size_t i = 0; i < count; i++)
      if (text->options->sections & section_table[i].section &&
          !!(section_table[i].kinds & text->analysis->grave) == found)
        section_table[i].print(text);
  if (text->options->sections & OPTIONS_SECTION_SUMMARY && !text->options->all_processes)
    siblings_print(text->page, text->analysis, text->options->top);
}
