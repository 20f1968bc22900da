// SPDX-License-Identifier: Apache-2.0
// What is between processes: which they are, the verdict, the deadlocks, the locks they share.
#include "analyzer/reports/quantity.h"
#include "analyzer/reports/text.h"
#include "analyzer/reports/verdict.h"

#include <string.h>

static void process_print(const text_t *text, const reader_t *part) {
  const reader_summary_t *summary = reader_summary(part);
  const char *slash = strrchr(summary->program, '/');
  char program[256];
  fprintf(text->page->stream, "%s %u%s",
          page_clean(program, sizeof program, slash ? slash + 1 : summary->program, 0),
          summary->pid, summary->running ? ", which still runs" : "");
}

void text_joined(const text_t *text) {
  const reader_t *reader = text->analysis->reader;
  uint32_t count = reader_part_count(reader);
  size_t shown = text_rows(text, count);
  FILE *stream = text->page->stream;
  page_print(text->page, PAGE_HEADING, "==> between %u processes <==\n", count);
  for (uint32_t i = 0; i < shown; i++) {
    if (i) fputs("; ", stream);
    process_print(text, reader_part(reader, i));
  }
  if (shown < count) fprintf(stream, "; and %zu more", (size_t)count - shown);
  fputs("\nVerdict: ", stream);
  verdict_write_joined(stream, text->analysis);
  fputc('\n', stream);
  if (text->options->sections & OPTIONS_SECTION_DEADLOCKS) text_deadlocks(text);
  if (text->options->sections & OPTIONS_SECTION_LOCKS) text_locks(text);
}
