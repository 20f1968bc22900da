// SPDX-License-Identifier: Apache-2.0
// Any records as a trace, in blocks and in rings: the reader must end, give events in order of
// time, and name only threads and stacks that it has. Symbols are asked for whatever comes out.
//
// Input: chunks of (byte: lane and where it goes, byte: words, the words). The container around
// them is made right, so that every mutation reaches the reader.
#include "analyzer/reading/reader.h"
#include "analyzer/symbols/symbols.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LANES = 4, IN_RING = 0x80, RAW_HEADER = 0x40, WORDS_MAX = 256, EVENTS_MAX = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64], path[96], rings_path[128];

static void require(bool condition) {
  if (!condition) abort();
}

static void files_remove(void) {
  unlink(path);
  unlink(rings_path);
  rmdir(folder);
}

static void folder_make(void) {
  if (*folder) return;
  strcpy(folder, "/dev/shm/fuzz-reader-XXXXXX");
  require(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/t.zst", folder);
  snprintf(rings_path, sizeof rings_path, "%s/t.zst.rings", folder);
  atexit(files_remove);
}

static uint8_t *session_make(void) {
  static uint8_t *map;
  const size_t length = TRACE_SESSION_SIZE + LANES * TRACE_RING_STRIDE;
  if (!map) {
    int fd = open(rings_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    require(fd >= 0 && ftruncate(fd, (off_t)length) == 0);
    map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    require(map != MAP_FAILED);
    close(fd);
  }
  trace_session_t *session = (trace_session_t *)map;
  memset(session, 0, sizeof *session);
  session->magic = TRACE_SESSION_MAGIC;
  session->version = TRACE_SESSION_VERSION;
  session->header_size = TRACE_SESSION_SIZE;
  session->ring_stride = TRACE_RING_STRIDE;
  session->ring_header = TRACE_RING_HEADER;
  session->rings_max = TRACE_RINGS_MAX;
  session->processes_max = TRACE_PROCESSES_MAX;
  session->rings_ready = LANES;
  session->processes[0].state = TRACE_PROCESS_ACTIVE;
  strcpy(session->processes[0].trace_path, path);
  for (size_t i = 0; i < LANES; i++)
    memset(map + TRACE_SESSION_SIZE + i * TRACE_RING_STRIDE, 0, TRACE_RING_HEADER);
  return map;
}

// Words at the head of a ring, or over the fields of its header.
static void ring_add(uint8_t *map, unsigned which, const uint64_t *words, size_t count) {
  uint8_t *start = map + TRACE_SESSION_SIZE + (which % LANES) * TRACE_RING_STRIDE;
  trace_ring_t *ring = (trace_ring_t *)start;
  if (which & RAW_HEADER) {
    memcpy(start, words, count * 8 < sizeof *ring ? count * 8 : sizeof *ring);
    return;
  }
  uint64_t *to = (uint64_t *)(start + TRACE_RING_HEADER);
  for (size_t i = 0; i < count; i++) to[(ring->head + i) % TRACE_RING_WORDS] = words[i];
  ring->head += count;
  ring->state = TRACE_RING_OWNED;
}

static void block_add(trace_writer_t *writer, uint64_t *position, uint32_t lane,
                      const uint64_t *words, size_t count) {
  static uint8_t *scratch, *out;
  if (!scratch) scratch = malloc(trace_block_scratch(WORDS_MAX));
  if (!out) out = malloc(trace_block_bound(WORDS_MAX));
  trace_block_t block = {.lane = lane, .from = *position, .to = *position + count};
  if (lane == 0) block.from = 0;
  size_t encoded = trace_block_encode(words, count, scratch, out, &block);
  if (!encoded) return;
  require(trace_writer_append(writer, &block, out, encoded) == 0);
  *position += count;
}

// Returns whether there is a trace.
static bool trace_make(const uint8_t *data, size_t size) {
  trace_writer_t writer;
  uint64_t words[WORDS_MAX], positions[LANES] = {0};
  uint8_t *map = session_make();
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  require(fd >= 0 && trace_writer_open(&writer, fd, 1 << 20, 1) == 0);
  while (size >= 2) {
    unsigned where = data[0];
    size_t count = data[1];
    data += 2, size -= 2;
    if (count > size / 8) count = size / 8;
    memcpy(words, data, count * 8);
    data += count * 8, size -= count * 8;
    if (where & IN_RING)
      ring_add(map, where, words, count);
    else
      block_add(&writer, &positions[where % LANES], where % LANES, words, count);
  }
  trace_writer_finish(&writer);
  trace_writer_close(&writer);
  close(fd);
  return true;
}

static void symbols_ask(reader_t *reader) {
  symbols_t *symbols = symbols_open(reader);
  for (uint32_t i = 0; i < reader_stack_count(reader) && i < 16; i++) {
    const symbols_stack_t *stack = symbols_resolve_stack(symbols, i);
    require(stack->count >= reader_stack(reader, i)->count);
  }
  for (size_t i = 0; i < reader_module_count(reader) && i < 16; i++) {
    const reader_module_t *module = reader_module(reader, i);
    require(symbols_function(symbols, module->start) != NULL);
    symbols_variable(symbols, module->end - 1);
  }
  symbols_close(symbols);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  folder_make();
  char error[256];
  reader_options_t options = {.settle_ms = 1, .facts = size & 1};
  reader_t *reader =
      trace_make(data, size) ? reader_open(path, &options, error, sizeof error) : NULL;
  if (!reader) return 0;
  reader_event_t events[EVENTS_MAX];
  uint64_t last = 0;
  const size_t limit = 1 + size / 2 % EVENTS_MAX;
  for (size_t count; (count = reader_read(reader, events, limit)) > 0;) {
    require(count <= limit);
    for (size_t i = 0; i < count; i++) {
      require(events[i].thread < reader_thread_count(reader));
      require(events[i].stack < reader_stack_count(reader));
      require(options.facts || events[i].time >= last);
      last = events[i].time;
    }
  }
  require(reader_next(reader, events) == 0);
  symbols_ask(reader);
  reader_close(reader);
  return 0;
}
