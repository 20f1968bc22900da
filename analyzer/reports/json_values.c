// SPDX-License-Identifier: Apache-2.0
// Values that many parts of the JSON report share.
#include "analyzer/reports/json.h"
#include "analyzer/reports/names.h"
#include "analyzer/reports/page.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

// In JSON control characters are escaped, so that they are no harm: only broken UTF-8 is.
static size_t character_length(const char *text) {
  return (unsigned char)*text < 0x20 || *text == 0x7f ? 1 : page_character(text);
}

json_t *json_text(const char *text) {
  static const char replacement[] = "\xef\xbf\xbd";
  if (!text) return json_null();
  json_t *simple = json_string(text);
  if (simple) return simple;
  char *clean = malloc(strlen(text) * 3 + 1);
  if (!clean) return json_null();
  size_t end = 0;
  while (*text) {
    size_t length = character_length(text);
    memcpy(clean + end, length ? text : replacement, length ? length : 3);
    end += length ? length : 3;
    text += length ? length : 1;
  }
  clean[end] = '\0';
  json_t *value = json_string(clean);
  free(clean);
  return value ? value : json_null();
}

json_t *json_number(uint64_t number) {
  return json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number);
}

json_t *json_address(uint64_t address) {
  char text[24];
  snprintf(text, sizeof text, "0x%" PRIx64, address);
  return json_string(text);
}

static json_t *frame_value(const symbols_frame_t *frame) {
  return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b}", "function", json_text(frame->function), "file",
                   json_text(frame->file), "line",
                   frame->file ? json_number(frame->line) : json_null(), "module",
                   json_text(frame->module), "offset", json_number(frame->offset), "inlined",
                   frame->inlined);
}

json_t *json_stack(const analysis_t *analysis, uint32_t stack) {
  json_t *list = json_array();
  const symbols_stack_t *all = stack ? symbols_resolve_stack(analysis->symbols, stack) : NULL;
  for (size_t i = 0; all && i < all->count; i++)
    if (!names_frame_is_recorder(&all->frames[i]))
      json_array_append_new(list, frame_value(&all->frames[i]));
  return list;
}

json_t *json_thread(const analysis_t *analysis, uint32_t thread) {
  if (!thread || thread >= reader_thread_count(analysis->reader)) return json_null();
  json_t *value = json_pack("{s:o, s:o, s:o}", "id", json_number(thread), "tid",
                            json_number(reader_thread(analysis->reader, thread)->tid), "name",
                            json_text(names_thread(analysis->names, thread)));
  uint32_t part = reader_part_of_thread(analysis->reader, thread);
  if (reader_part_count(analysis->reader) > 1)
    json_object_set_new(value, "pid",
                        json_number(reader_summary(reader_part(analysis->reader, part))->pid));
  return value;
}

json_t *json_timeline(const timeline_t *timeline) {
  json_t *parts = json_array();
  size_t count = TIMELINE_PARTS;
  while (count && !timeline->parts[count - 1]) --count;
  for (size_t i = 0; i < count; i++) json_array_append_new(parts, json_number(timeline->parts[i]));
  return json_pack("{s:o, s:o}", "width_ns", json_number(timeline->width_ns), "parts", parts);
}

json_t *json_histogram(const histogram_t *histogram) {
  return json_pack(
      "{s:o, s:o, s:o, s:o, s:o, s:o}", "count", json_number(histogram->count), "total",
      json_number(histogram->total), "p50", json_number(histogram_quantile(histogram, 0.5)), "p95",
      json_number(histogram_quantile(histogram, 0.95)), "p99",
      json_number(histogram_quantile(histogram, 0.99)), "max", json_number(histogram->max));
}

json_t *json_buckets(const histogram_t *histogram) {
  json_t *list = json_array();
  histogram_bucket_t bucket;
  for (size_t position = 0; histogram_next(histogram, &position, &bucket);)
    json_array_append_new(list,
                          json_pack("{s:o, s:o, s:o}", "low", json_number(bucket.low), "high",
                                    json_number(bucket.high), "count", json_number(bucket.count)));
  return list;
}

json_t *json_sites(const analysis_t *analysis, const site_table_t *unsorted) {
  site_table_t sites = {0};
  json_t *list = json_array();
  site_table_merge(&sites, unsorted);
  site_table_sort(&sites);
  for (uint32_t i = 0; i < sites.count; i++) {
    const site_total_t *site = &sites.items[i];
    json_t *item = json_pack(
        "{s:o, s:o, s:o, s:o, s:o}", "site", json_text(names_site(analysis->names, site->stack)),
        "stack", json_stack(analysis, site->stack), "count", json_number(site->count), "total_ns",
        json_number(site->total_ns), "max_ns", json_number(site->max_ns));
    if (site->kind && site->kind < TRACE_KIND_LIMIT)
      json_object_set_new(item, "kind", json_text(trace_event_kinds[site->kind].name));
    json_array_append_new(list, item);
  }
  site_table_clear(&sites);
  return list;
}
