// SPDX-License-Identifier: Apache-2.0
// events.csv: a row for each event, written as the trace is read.
#include "analyzer/reports/tables.h"

#include "formats/record.h"

#include <inttypes.h>

bool events_table_open(events_table_t *table, const char *folder) {
  table->count = 0;
  return csv_open(&table->csv, folder, "events.csv", "event_id,task_id,timestamp_ms,kind,details");
}

static void field_write(FILE *stream, const trace_field_t *field, uint64_t value) {
  switch (field->type) {
  case TRACE_FIELD_NONE:
    return;
  case TRACE_FIELD_ADDRESS:
  case TRACE_FIELD_TOKEN:
  case TRACE_FIELD_LOCK:
    fprintf(stream, "%s=0x%" PRIx64 " ", field->name, value);
    return;
  case TRACE_FIELD_RESULT:
    fprintf(stream, "%s=%" PRId64 " ", field->name, trace_unzigzag(value));
    return;
  case TRACE_FIELD_DESCRIPTOR:
    fprintf(stream, "%s=%" PRId32 " ", field->name, (int32_t)value);
    return;
  case TRACE_FIELD_PAIR:
    fprintf(stream, "%s=%" PRId32 ":%" PRId32 " ", field->name, (int32_t)value,
            (int32_t)(value >> 32));
    return;
  case TRACE_FIELD_TICKS:
    fprintf(stream, "%s=%" PRIu64 "ns ", field->name, value);
    return;
  default:
    fprintf(stream, "%s=%" PRIu64 " ", field->name, value);
  }
}

static void payload_write(FILE *stream, const reader_event_t *event, const trace_field_t *field) {
  uint64_t id;
  const char *text;
  size_t length;
  if (field->type == TRACE_FIELD_TEXT && event->payload &&
      trace_text_unpack(event->payload, event->arg, &id, &text, &length))
    fprintf(stream, "%s=%.*s ", field->name, (int)length, text);
}

static void details_write(FILE *stream, const reader_event_t *event) {
  const trace_event_kind_t *kind = &trace_event_kinds[event->kind];
  if (kind->has_payload) {
    payload_write(stream, event, &kind->words[0]);
  } else {
    field_write(stream, &kind->arg, event->arg);
    for (int i = 0; i < kind->word_count; i++)
      field_write(stream, &kind->words[i], event->words[i]);
  }
  if (event->stack) fprintf(stream, "stack=%" PRIu32 " ", event->stack);
}

void events_table_add(void *context, const reader_t *reader, const reader_event_t *event) {
  events_table_t *table = context;
  char details[512] = "";
  (void)reader;
  if (event->kind == TRACE_PENDING || event->kind == TRACE_LOST) return;
  FILE *stream = fmemopen(details, sizeof details, "w");
  long length = 0;
  if (stream) {
    details_write(stream, event);
    length = ftell(stream);
    fclose(stream);
  }
  if (length > 0 && (size_t)length < sizeof details) details[length - 1] = '\0';
  csv_number(&table->csv, ++table->count);
  csv_number(&table->csv, event->thread);
  csv_milliseconds(&table->csv, event->time);
  csv_text(&table->csv, trace_event_kinds[event->kind].name);
  csv_text(&table->csv, details);
  csv_row_end(&table->csv);
}
