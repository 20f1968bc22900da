// SPDX-License-Identifier: Apache-2.0
// write-version FILE VERSION: an otherwise whole trace that says it is of that version of the
// format.
#include "formats/container.h"
#include "formats/trace.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LEVEL = 1 };

// A PROPERTY record of lane 0 in `words`; gives its length.
static size_t property_make(uint64_t *words, size_t limit, const char *text) {
  size_t payload = trace_text_pack(words + 1, limit - 1, 0, text, strlen(text));
  words[0] = trace_header(TRACE_PROPERTY, false, 0, (uint32_t)payload);
  return 1 + payload;
}

static int trace_write(int fd, const char *version) {
  char text[64];
  uint64_t words[64];
  snprintf(text, sizeof text, "%s=%s", TRACE_KEY_VERSION, version);
  size_t count = property_make(words, sizeof words / sizeof *words, text);
  trace_block_t block = {.lane = 0, .from = 0, .to = count};
  void *scratch = malloc(trace_block_scratch(count));
  uint8_t *content = malloc(trace_block_bound(count));
  size_t size = trace_block_encode(words, count, scratch, content, &block);
  trace_writer_t writer;
  int result = size ? trace_writer_open(&writer, fd, trace_block_bound(count), LEVEL) : -1;
  if (result == 0) {
    result = trace_writer_append(&writer, &block, content, size);
    if (result == 0) result = trace_writer_finish(&writer);
    trace_writer_close(&writer);
  }
  free(content);
  free(scratch);
  return result;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || trace_write(fd, argv[2]) != 0) {
    perror(argv[1]);
    return 1;
  }
  return close(fd) != 0;
}
