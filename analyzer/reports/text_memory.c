// SPDX-License-Identifier: Apache-2.0
// MEMORY: totals, what was live or leaked, and where it was allocated.
#include "analyzer/reports/names.h"
#include "analyzer/reports/quantity.h"
#include "analyzer/reports/ranking.h"
#include "analyzer/reports/text.h"

enum { SITE_FRAMES = 5 };

static const char *bytes_about(uint64_t bytes, double variance, quantity_t *quantity) {
  return quantity_bytes_about(bytes, estimate_error(variance), quantity);
}

static const char *count_about(uint64_t count, double variance, quantity_t *quantity) {
  return quantity_count_about(count, estimate_error(variance), quantity);
}

static void sampling_print(const text_t *text, const heap_totals_t *totals) {
  fprintf(text->page->stream,
          "  estimated  from %s sampled allocation%s, one in %s on average; ± is the standard "
          "error\n",
          quantity_count(totals->ever.members, QUANTITY), quantity_plural(totals->ever.members),
          quantity_bytes(totals->distance, QUANTITY));
}

static void totals_print(const text_t *text, const heap_totals_t *totals) {
  FILE *stream = text->page->stream;
  if (totals->distance) sampling_print(text, totals);
  fprintf(stream, "  allocated  %s in %s block%s",
          bytes_about(totals->bytes_allocated, totals->ever.bytes_variance, QUANTITY),
          count_about(totals->allocations, totals->ever.blocks_variance, QUANTITY),
          quantity_plural(totals->allocations));
  if (!totals->distance)  // of a sample it is not known what the next heap call was
    fprintf(stream, "; %s of them temporary (freed by the next heap call)",
            quantity_share(totals->temporary, totals->allocations, QUANTITY));
  fprintf(stream, "\n  peak       %s at %s\n",
          bytes_about(totals->peak_bytes, totals->peak_variance, QUANTITY),
          quantity_time(totals->peak_ns, QUANTITY));
  fprintf(stream, "  at the end %s in %s block%s\n",
          bytes_about(totals->live_bytes, totals->live.bytes_variance, QUANTITY),
          count_about(totals->live_blocks, totals->live.blocks_variance, QUANTITY),
          quantity_plural(totals->live_blocks));
  if (totals->unknown_frees)
    fprintf(stream, "  freed without their allocation being seen: %s block%s\n",
            quantity_count(totals->unknown_frees, QUANTITY),
            quantity_plural(totals->unknown_frees));
  if (totals->lost)
    page_print(text->page, PAGE_BAD,
               "  %s heap events are missing: what is live is an upper bound\n",
               quantity_count(totals->lost, QUANTITY));
}

static void site_print(const text_t *text, const heap_site_t *site) {
  FILE *stream = text->page->stream;
  fprintf(stream, "\n  allocated %s in %s block%s",
          bytes_about(site->bytes, site->ever.bytes_variance, QUANTITY),
          count_about(site->allocations, site->ever.blocks_variance, QUANTITY),
          quantity_plural(site->allocations));
  fprintf(stream, "; peak %s; ", bytes_about(site->peak_bytes, site->peak_variance, QUANTITY));
  if (!site->ever.members)
    fprintf(stream, "%s temporary; ", quantity_share(site->temporary, site->allocations, QUANTITY));
  if (site->live_blocks)
    fprintf(stream, "live at the end %s in %s\n",
            bytes_about(site->live_bytes, site->live.bytes_variance, QUANTITY),
            count_about(site->live_blocks, site->live.blocks_variance, QUANTITY));
  else
    fputs("nothing live at the end\n", stream);
  text_stack(text, "      ", site->stack, SITE_FRAMES);
}

static void leak_print(const text_t *text, const heap_site_t *site) {
  fprintf(text->page->stream, "\n  %s in %s block%s",
          bytes_about(site->live_bytes, site->live.bytes_variance, QUANTITY),
          count_about(site->live_blocks, site->live.blocks_variance, QUANTITY),
          quantity_plural(site->live_blocks));
  fprintf(text->page->stream, " of %s allocated\n",
          count_about(site->allocations, site->ever.blocks_variance, QUANTITY));
  text_stack(text, "      ", site->stack, SITE_FRAMES);
}

// What was left at the exit: the program's own first, the runtime's on one line.
static void leaks_print(const text_t *text) {
  const heap_t *heap = models_heap(text->analysis->models);
  ranking_t ranking = ranking_sites(text->analysis, OPTIONS_SORT_LIVE);
  uint64_t runtime_bytes = 0, runtime_blocks = 0, own_bytes = 0, own_blocks = 0;
  double bytes_variance = 0, blocks_variance = 0;  // of what is the program's own
  size_t own_sites = 0;
  for (size_t i = 0; i < ranking.count; i++) {
    const heap_site_t *site = heap_site(heap, ranking.ids[i]);
    bool runtime = site->live_blocks && analysis_stack_is_runtime(text->analysis, site->stack);
    *(runtime ? &runtime_bytes : &own_bytes) += site->live_bytes;
    *(runtime ? &runtime_blocks : &own_blocks) += site->live_blocks;
    own_sites += site->live_blocks && !runtime;
    if (runtime) continue;
    bytes_variance += site->live.bytes_variance;
    blocks_variance += site->live.blocks_variance;
  }
  if (own_sites)
    fprintf(text->page->stream, "\n  Left at exit: %s in %s block%s from %s site%s",
            bytes_about(own_bytes, bytes_variance, QUANTITY),
            count_about(own_blocks, blocks_variance, QUANTITY), quantity_plural(own_blocks),
            quantity_count(own_sites, QUANTITY), quantity_plural(own_sites));
  else
    fputs("\n  Left at exit: nothing of the program's own", text->page->stream);
  if (runtime_blocks)
    fprintf(text->page->stream, "; besides, the loader and libc keep %s in %s block%s of their own",
            quantity_bytes(runtime_bytes, QUANTITY), quantity_count(runtime_blocks, QUANTITY),
            quantity_plural(runtime_blocks));
  fputc('\n', text->page->stream);
  if (own_sites)
    page_print(text->page, PAGE_FAINT,
               "  (never freed; a trace cannot tell what the program could still have reached)\n");
  size_t shown = 0;
  for (size_t i = 0; i < ranking.count && shown < text_rows(text, own_sites); i++) {
    const heap_site_t *site = heap_site(heap, ranking.ids[i]);
    if (!site->live_blocks || analysis_stack_is_runtime(text->analysis, site->stack)) continue;
    leak_print(text, site);
    shown++;
  }
  text_more(text, own_sites);
  ranking_free(&ranking);
}

static const char *sort_title(options_sort_t sort) {
  switch (sort) {
  case OPTIONS_SORT_PEAK:
    return "greatest peak";
  case OPTIONS_SORT_BYTES:
    return "most bytes allocated";
  case OPTIONS_SORT_ALLOCATIONS:
    return "most allocations";
  case OPTIONS_SORT_TEMPORARY:
    return "most temporary allocations";
  case OPTIONS_SORT_NAME:
    return "in order of names, the";
  case OPTIONS_SORT_ID:
    return "in order of numbers, the";
  default:
    return "most live bytes";
  }
}

// By live bytes; where these are leaks and were listed already, by peak.
static void sites_print(const text_t *text, bool leaks_known) {
  const heap_t *heap = models_heap(text->analysis->models);
  options_sort_t sort = text->options->sort;
  if (sort == OPTIONS_SORT_DEFAULT && leaks_known) sort = OPTIONS_SORT_PEAK;
  ranking_t ranking = ranking_sites(text->analysis, sort);
  fprintf(text->page->stream, "\n  Where it was allocated, %s first\n", sort_title(sort));
  for (size_t i = 0; i < text_rows(text, ranking.count); i++)
    site_print(text, heap_site(heap, ranking.ids[i]));
  text_more(text, ranking.count);
  ranking_free(&ranking);
}

void text_memory(const text_t *text) {
  const analysis_t *analysis = text->analysis;
  const char *absence = analysis_absence(analysis, TRACE_FAMILY_HEAP);
  if (absence) {
    char note[240];
    snprintf(note, sizeof note, "not recorded: %s", absence);
    page_heading(text->page, "MEMORY", note);
    return;
  }
  bool leaks_known = fail_on_leaks_known(analysis->models);
  const char *note = reader_summary(analysis->reader)->running
                         ? "the process still runs: what is live is no leak"
                         : "the process did not end by itself: what is live is no leak";
  page_heading(text->page, "MEMORY", leaks_known ? "" : note);
  totals_print(text, heap_totals(models_heap(analysis->models)));
  if (leaks_known) leaks_print(text);
  sites_print(text, leaks_known);
}
