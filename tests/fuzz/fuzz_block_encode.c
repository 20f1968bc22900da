// SPDX-License-Identifier: Apache-2.0
// Any words as records: what the encoder takes, trace_record_parse takes too, and it comes back.
#include "formats/block.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
  if (!condition) abort();
}

static void require_same(const trace_record_t *got, const trace_record_t *expected) {
  require(got->kind == expected->kind && got->timed == expected->timed);
  require(got->stack == expected->stack && got->arg == expected->arg);
  require(got->stamp == expected->stamp);
  require(memcmp(got->words, expected->words, sizeof(got->words)) == 0);
  require(!got->payload == !expected->payload);
  if (got->payload) require(memcmp(got->payload, expected->payload, got->arg * 8) == 0);
}

// Compares the block with the words. Returns whether the words are whole records.
static bool words_compare(const uint64_t *words, size_t count, trace_block_cursor_t *cursor) {
  trace_record_t expected, got;
  for (size_t at = 0; at < count;) {
    size_t length = trace_record_parse(words + at, count - at, &expected);
    if (length == 0) return false;
    at += length;
    if (!cursor || expected.kind == 0) continue;
    require(trace_block_next(cursor, &got) == 1);
    require_same(&got, &expected);
  }
  return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static trace_block_cursor_t cursor;
  size_t count = size / 8;
  uint64_t *words = malloc(count * 8 + 1);
  memcpy(words, data, count * 8);
  void *scratch = malloc(trace_block_scratch(count));
  uint8_t *out = malloc(trace_block_bound(count));
  trace_block_t block = {0};
  size_t encoded = trace_block_encode(words, count, scratch, out, &block);
  free(scratch);
  if (encoded) {
    trace_record_t record;
    uint8_t *content = malloc(encoded);
    memcpy(content, out, encoded);
    require(trace_block_open(&cursor, &block, content, encoded));
    require(words_compare(words, count, &cursor));
    require(trace_block_next(&cursor, &record) == 0);
    free(content);
  } else {
    require(!words_compare(words, count, NULL));
  }
  free(out);
  free(words);
  return 0;
}
