// SPDX-License-Identifier: Apache-2.0
// Who woke whom, as JSON.
#include "analyzer/reports/json.h"
#include "analyzer/reports/names.h"

json_t *json_wakers(const analysis_t *analysis) {
  const wakers_t *wakers = models_wakers(analysis->models);
  json_t *list = json_array();
  for (uint32_t i = 0; i < wakers_count(wakers); i++) {
    const waker_row_t *row = wakers_row(wakers, i);
    json_t *value = json_object();
    json_object_set_new(value, "woken", json_thread(analysis, row->woken));
    json_object_set_new(value, "by", json_thread(analysis, row->waker));
    json_object_set_new(value, "how", json_text(wake_how_name(row->how)));
    json_object_set_new(value, "count", json_number(row->count));
    json_object_set_new(value, "waited_ns", json_number(row->waited_ns));
    json_object_set_new(value, "latency_ns", json_number(row->latency_ns));
    json_object_set_new(value, "latency_max_ns", json_number(row->latency_max_ns));
    json_object_set_new(value, "stack", json_stack(analysis, row->stack));
    json_array_append_new(list, value);
  }
  return list;
}
