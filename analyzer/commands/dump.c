// SPDX-License-Identifier: Apache-2.0
// Every event of a trace as one line, in order of time; the names come from the table of kinds.
#include "analyzer/commands/commands.h"
#include "analyzer/reading/reader.h"
#include "analyzer/reports/page.h"

#include <inttypes.h>
#include <string.h>

enum { TEXT_MAX = 8 * TRACE_PAYLOAD_MAX + 1 };

// One line being written: `name=value` in text, `"name":value` in JSON.
typedef struct {
  FILE *stream;
  bool json;
} line_t;

// ---- values ----------------------------------------------------------------------------------

static void field_begin(const line_t *line, const char *name, const char *suffix) {
  fprintf(line->stream, line->json ? ",\"%s%s\":" : " %s%s=", name, line->json ? suffix : "");
}

static void field_number(const line_t *line, const char *name, uint64_t value) {
  field_begin(line, name, "");
  fprintf(line->stream, "%" PRIu64, value);
}

// JSON readers keep 53 bits of a number: what may have more is a text.
static void field_hex(const line_t *line, const char *name, uint64_t value) {
  field_begin(line, name, "");
  fprintf(line->stream, line->json ? "\"0x%" PRIx64 "\"" : "0x%" PRIx64, value);
}

static void field_text(const line_t *line, const char *name, const char *text, size_t length) {
  static char plain[TEXT_MAX], clean[TEXT_MAX];
  if (length >= sizeof plain) length = sizeof plain - 1;
  memcpy(plain, text, length);
  plain[length] = '\0';
  page_clean(clean, sizeof clean, plain, 0);
  field_begin(line, name, "");
  putc('"', line->stream);
  for (const char *next = clean; *next; next++) {
    if (*next == '"' || *next == '\\') putc('\\', line->stream);
    putc(*next, line->stream);
  }
  putc('"', line->stream);
}

static const char *const lock_kinds[TRACE_LOCK_WHAT + 1] = {
    [TRACE_LOCK_MUTEX] = "mutex",         [TRACE_LOCK_RWLOCK] = "rwlock",
    [TRACE_LOCK_SPIN] = "spin",           [TRACE_LOCK_SEMAPHORE] = "semaphore",
    [TRACE_LOCK_CONDITION] = "condition", [TRACE_LOCK_BARRIER] = "barrier",
    [TRACE_LOCK_ONCE] = "once",           [TRACE_LOCK_FUTEX] = "futex",
    [TRACE_LOCK_FILE] = "file",
};
static const struct {
  uint32_t bit;
  const char *name;
} lock_bits[] = {
    {TRACE_LOCK_SHARED, "shared"},
    {TRACE_LOCK_TRY, "try"},
    {TRACE_LOCK_TIMED, "timed"},
    {TRACE_LOCK_BY_CONDITION, "by-condition"},
    {TRACE_LOCK_DRAWN, "drawn"},
    {TRACE_LOCK_FOR_ORDER, "for-order"},
    {TRACE_LOCK_RECURSIVE, "recursive"},
    {TRACE_LOCK_ERRORCHECK, "errorcheck"},
    {TRACE_LOCK_ADAPTIVE, "adaptive"},
    {TRACE_LOCK_ROBUST, "robust"},
    {TRACE_LOCK_INHERIT, "inherit"},
    {TRACE_LOCK_PROTECT, "protect"},
    {TRACE_LOCK_PROCESS_SHARED, "process-shared"},
    {TRACE_LOCK_WRITER_PREFERRED, "writer-preferred"},
    {TRACE_LOCK_OWNER_DIED, "owner-died"},
};

static void field_lock(const line_t *line, const char *name, uint64_t value) {
  const char *kind = lock_kinds[value & TRACE_LOCK_WHAT], *quote = line->json ? "\"" : "";
  field_begin(line, name, "");
  fprintf(line->stream, "%s%s", quote, kind ? kind : "unknown");
  for (size_t i = 0; i < sizeof lock_bits / sizeof *lock_bits; i++)
    if (value & lock_bits[i].bit) fprintf(line->stream, ",%s", lock_bits[i].name);
  fputs(quote, line->stream);
}

static void field_pair(const line_t *line, const char *name, uint64_t value) {
  field_begin(line, name, "");
  fprintf(line->stream, line->json ? "[%" PRIu32 ",%" PRIu32 "]" : "%" PRIu32 ",%" PRIu32,
          (uint32_t)value, (uint32_t)(value >> 32));
}

static void field_value(const line_t *line, const trace_field_t *field, uint64_t value) {
  switch (field->type) {
  case TRACE_FIELD_ADDRESS:
  case TRACE_FIELD_TOKEN:
    field_hex(line, field->name, value);
    break;
  case TRACE_FIELD_RESULT:
    field_begin(line, field->name, "");
    fprintf(line->stream, "%" PRId64, trace_unzigzag(value));
    break;
  case TRACE_FIELD_TICKS:
    field_begin(line, field->name, "_ns");
    fprintf(line->stream, line->json ? "%" PRIu64 : "%" PRIu64 "ns", value);
    break;
  case TRACE_FIELD_LOCK:
    field_lock(line, field->name, value);
    break;
  case TRACE_FIELD_PAIR:
    field_pair(line, field->name, value);
    break;
  case TRACE_FIELD_NONE:
    break;
  default:
    field_number(line, field->name, value);
  }
}

// ---- payloads --------------------------------------------------------------------------------

static void payload_frames(const line_t *line, const uint64_t *payload, size_t count) {
  if (count == 0) return;
  field_number(line, "truncated", payload[0] & TRACE_STACK_TRUNCATED);
  field_begin(line, "frames", "");
  const char *quote = line->json ? "\"" : "";
  if (line->json) putc('[', line->stream);
  for (size_t i = 1; i < count; i++)
    fprintf(line->stream, "%s%s0x%" PRIx64 "%s", i > 1 ? "," : "", quote, payload[i], quote);
  if (line->json) putc(']', line->stream);
}

static void payload_text(const line_t *line, const char *name, const uint64_t *payload,
                         size_t count) {
  uint64_t id;
  const char *text;
  size_t length;
  if (!trace_text_unpack(payload, count, &id, &text, &length)) return;
  field_hex(line, "id", id);
  field_text(line, name, text, length);
}

static void payload_module(const line_t *line, const uint64_t *payload, size_t count) {
  trace_module_t module;
  const uint8_t *build_id;
  const char *path;
  char digits[2 * 64 + 1] = "";
  if (!trace_module_unpack(payload, count, &module, &build_id, &path)) return;
  for (size_t i = 0; i < module.build_id_length; i++) sprintf(digits + 2 * i, "%02x", build_id[i]);
  field_hex(line, "bias", module.bias);
  field_hex(line, "start", module.start);
  field_hex(line, "end", module.end);
  field_text(line, "build_id", digits, strlen(digits));
  field_text(line, "path", path, (size_t)module.path_length);
}

static void payload_print(const line_t *line, const trace_event_kind_t *kind,
                          const reader_event_t *event) {
  size_t count = (size_t)event->arg;
  switch (kind->words[0].type) {
  case TRACE_FIELD_FRAMES:
    payload_frames(line, event->payload, count);
    break;
  case TRACE_FIELD_TEXT:
    payload_text(line, kind->words[0].name, event->payload, count);
    break;
  case TRACE_FIELD_MODULE:
    payload_module(line, event->payload, count);
    break;
  default:
    break;
  }
}

// ---- lines -----------------------------------------------------------------------------------

static void fields_print(const line_t *line, const reader_event_t *event) {
  const trace_event_kind_t *kind = &trace_event_kinds[event->kind];
  if (kind->has_payload) {
    payload_print(line, kind, event);
  } else {
    // The kind that was lost reads better by its name; 0: what a damaged block held.
    const char *lost = event->kind == TRACE_LOST ? trace_event_kinds[event->arg].name : NULL;
    if (lost)
      field_text(line, kind->arg.name, lost, strlen(lost));
    else
      field_value(line, &kind->arg, event->arg);
    for (unsigned i = 0; i < kind->word_count; i++)
      field_value(line, &kind->words[i], event->words[i]);
  }
  if (event->stack) field_number(line, "stack", event->stack);
}

static void line_text(const line_t *line, const reader_t *reader, const reader_event_t *event) {
  const reader_thread_t *thread = reader_thread(reader, event->thread);
  char name[64];
  fprintf(line->stream, "%" PRIu64 ".%09" PRIu64 " ", event->time / 1000000000,
          event->time % 1000000000);
  if (event->thread)
    fprintf(line->stream, "%" PRIu32, thread->tid);
  else
    putc('-', line->stream);
  if (thread->name[0]) fprintf(line->stream, "/%s", page_clean(name, sizeof name, thread->name, 0));
  fprintf(line->stream, " %s", trace_event_kinds[event->kind].name);
  fields_print(line, event);
  putc('\n', line->stream);
}

static void line_json(const line_t *line, const reader_t *reader, const reader_event_t *event) {
  const reader_thread_t *thread = reader_thread(reader, event->thread);
  fprintf(line->stream, "{\"time_ns\":%" PRIu64 ",\"event\":\"%s\"", event->time,
          trace_event_kinds[event->kind].name);
  fprintf(line->stream, ",\"thread\":{\"id\":%" PRIu32 ",\"tid\":%" PRIu32, event->thread,
          thread->tid);
  field_text(line, "name", thread->name, strlen(thread->name));
  putc('}', line->stream);
  fields_print(line, event);
  fputs("}\n", line->stream);
}

static void warnings_print(const reader_t *reader, const char *trace) {
  for (size_t i = 0; reader_warning(reader, i); i++)
    command_complain("%s: %s", trace, reader_warning(reader, i));
}

int command_dump(const options_t *options) {
  reader_options_t wanted = {.facts = options->facts};
  char error[1024];
  reader_t *reader = reader_open(options->traces[0], &wanted, error, sizeof error);
  if (!reader) {
    command_complain("%s", error);
    return STATUS_FILES;
  }
  line_t line = {stdout, options->format == OPTIONS_JSON};
  reader_event_t event;
  while (reader_next(reader, &event) && !ferror(stdout))
    if (wanted.facts || event.kind != TRACE_THREAD_SCHEDULED)
      (line.json ? line_json : line_text)(&line, reader, &event);
  warnings_print(reader, options->traces[0]);
  reader_close(reader);
  return STATUS_DONE;
}
