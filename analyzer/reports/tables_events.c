// SPDX-License-Identifier: Apache-2.0
// events.csv: a row for each event, written as the trace is read.
#include "analyzer/reports/tables.h"

#include "formats/record.h"

#include <inttypes.h>
#include <stdarg.h>

bool events_table_open(events_table_t *table, const char *folder) {
  table->count = 0;
  return csv_open(&table->csv, folder, "events.csv", "event_id,task_id,timestamp_ms,kind,details");
}

// The details of one event, gathered without allocating: there may be a hundred million.
typedef struct {
  char text[512];
  size_t end;
} details_t;

static void details_add(details_t *details, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void details_add(details_t *details, const char *format, ...) {
  size_t room = sizeof details->text - details->end;
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(details->text + details->end, room, format, arguments);
  va_end(arguments);
  if (length > 0) details->end += (size_t)length < room ? (size_t)length : room - 1;
}

static void field_add(details_t *details, const trace_field_t *field, uint64_t value) {
  if (field->type == TRACE_FIELD_NONE) return;
  details_add(details, "%s%s=", details->end ? " " : "", field->name);
  switch (field->type) {
  case TRACE_FIELD_ADDRESS:
  case TRACE_FIELD_TOKEN:
  case TRACE_FIELD_LOCK:
    details_add(details, "0x%" PRIx64, value);
    return;
  case TRACE_FIELD_RESULT:
    details_add(details, "%" PRId64, trace_unzigzag(value));
    return;
  case TRACE_FIELD_DESCRIPTOR:
    details_add(details, "%" PRId32, (int32_t)value);
    return;
  case TRACE_FIELD_PAIR:
    details_add(details, "%" PRId32 ":%" PRId32, (int32_t)value, (int32_t)(value >> 32));
    return;
  case TRACE_FIELD_TICKS:
    details_add(details, "%" PRIu64 "ns", value);
    return;
  default:
    details_add(details, "%" PRIu64, value);
  }
}

static void payload_add(details_t *details, const reader_event_t *event,
                        const trace_field_t *field) {
  uint64_t id;
  const char *text;
  size_t length;
  if (field->type == TRACE_FIELD_TEXT && event->payload &&
      trace_text_unpack(event->payload, event->arg, &id, &text, &length))
    details_add(details, "%s=%.*s", field->name, (int)length, text);
}

static void details_fill(details_t *details, const reader_event_t *event) {
  const trace_event_kind_t *kind = &trace_event_kinds[event->kind];
  if (kind->has_payload) {
    payload_add(details, event, &kind->words[0]);
  } else {
    field_add(details, &kind->arg, event->arg);
    for (int i = 0; i < kind->word_count; i++) field_add(details, &kind->words[i], event->words[i]);
  }
  if (event->stack) details_add(details, "%sstack=%" PRIu32, details->end ? " " : "", event->stack);
}

void events_table_add(void *context, const reader_t *reader, const reader_event_t *event) {
  events_table_t *table = context;
  details_t details = {.end = 0};
  (void)reader;
  if (trace_event_kinds[event->kind].family == TRACE_FAMILY_FACT) return;
  details_fill(&details, event);
  csv_number(&table->csv, ++table->count);
  csv_number(&table->csv, event->thread);
  csv_milliseconds(&table->csv, event->time);
  csv_text(&table->csv, trace_event_kinds[event->kind].name);
  csv_text(&table->csv, details.text);
  csv_row_end(&table->csv);
}
