// SPDX-License-Identifier: Apache-2.0
// Records taken apart, and the payloads that hold text or a module.
#include "formats/record.h"

#include <string.h>

static size_t padding_parse(uint64_t header, size_t available, trace_record_t *record) {
  size_t length = (size_t)trace_header_arg(header) + 1;
  if (header & 0xffffffff || length > available) return 0;
  *record = (trace_record_t){0};
  return length;
}

size_t trace_record_parse(const uint64_t *words, size_t available, trace_record_t *record) {
  if (available == 0) return 0;
  uint64_t header = words[0];
  unsigned kind = trace_header_kind(header);
  if (kind == 0) return padding_parse(header, available, record);
  const trace_event_kind_t *row = &trace_event_kinds[kind];
  if (!row->name) return 0;

  uint64_t arg = trace_header_arg(header);
  size_t length = 1;
  if (arg == TRACE_ARG_LONG) {
    if (available < 2) return 0;
    arg = words[length++];
  }
  if (row->has_payload && arg > TRACE_PAYLOAD_MAX) return 0;
  const uint64_t *body = words + length;
  length += row->has_payload ? (size_t)arg : row->word_count;
  bool timed = trace_header_timed(header);
  if (length + timed > available) return 0;

  record->kind = (uint8_t)kind;
  record->timed = timed;
  record->stack = row->has_stack ? trace_header_stack(header) : 0;
  record->arg = row->arg.type == TRACE_FIELD_NONE ? 0 : arg;
  for (unsigned i = 0; i < TRACE_WORDS_MAX; i++)
    record->words[i] = i < row->word_count ? body[i] : 0;
  record->payload = row->has_payload ? body : NULL;
  record->stamp = timed ? words[length] : 0;
  return length + timed;
}

static size_t words_of_bytes(size_t bytes) { return bytes / 8 + (bytes % 8 != 0); }

// Copies bytes into whole words, the rest of the last one zero.
static size_t bytes_pack(uint64_t *words, const void *bytes, size_t length) {
  size_t count = words_of_bytes(length);
  if (count == 0) return 0;
  words[count - 1] = 0;
  memcpy(words, bytes, length);
  return count;
}

enum { TEXT_HEAD = 2, MODULE_HEAD = sizeof(trace_module_t) / 8 };
enum { BUILD_ID_MAX = 64, PATH_MAX_BYTES = 4096 };

size_t trace_text_pack(uint64_t *payload, size_t limit, uint64_t id, const char *text,
                       size_t length) {
  if (limit < TEXT_HEAD) return 0;
  if (words_of_bytes(length) > limit - TEXT_HEAD) length = (limit - TEXT_HEAD) * 8;
  payload[0] = id;
  payload[1] = length;
  return TEXT_HEAD + bytes_pack(payload + TEXT_HEAD, text, length);
}

bool trace_text_unpack(const uint64_t *payload, size_t count, uint64_t *id, const char **text,
                       size_t *length) {
  if (count < TEXT_HEAD || words_of_bytes((size_t)payload[1]) != count - TEXT_HEAD) return false;
  *id = payload[0];
  *length = (size_t)payload[1];
  *text = (const char *)(payload + TEXT_HEAD);
  return true;
}

size_t trace_module_pack(uint64_t *payload, size_t limit, const trace_module_t *module,
                         const uint8_t *build_id, const char *path) {
  trace_module_t head = *module;
  if (head.build_id_length > BUILD_ID_MAX) head.build_id_length = BUILD_ID_MAX;
  if (head.path_length > PATH_MAX_BYTES) head.path_length = PATH_MAX_BYTES;
  size_t path_at = MODULE_HEAD + words_of_bytes((size_t)head.build_id_length);
  if (limit < path_at) return 0;
  if (words_of_bytes((size_t)head.path_length) > limit - path_at)
    head.path_length = (limit - path_at) * 8;
  memcpy(payload, &head, sizeof(head));
  bytes_pack(payload + MODULE_HEAD, build_id, (size_t)head.build_id_length);
  return path_at + bytes_pack(payload + path_at, path, (size_t)head.path_length);
}

bool trace_module_unpack(const uint64_t *payload, size_t count, trace_module_t *module,
                         const uint8_t **build_id, const char **path) {
  if (count < MODULE_HEAD) return false;
  memcpy(module, payload, sizeof(*module));
  if (module->build_id_length > BUILD_ID_MAX || module->path_length > PATH_MAX_BYTES) return false;
  size_t path_at = MODULE_HEAD + words_of_bytes((size_t)module->build_id_length);
  if (path_at + words_of_bytes((size_t)module->path_length) != count) return false;
  *build_id = (const uint8_t *)(payload + MODULE_HEAD);
  *path = (const char *)(payload + path_at);
  return true;
}
