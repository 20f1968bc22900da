// SPDX-License-Identifier: Apache-2.0
// Reads /proc/self/fdinfo/EPOLL, which has a line for each descriptor of the set (proc(5)):
//   tfd:        5 events:       19 data:         7f0012345678  pos:0 ino:1f sdev:8
#include "preload/hooks/epoll_held.h"

#include "preload/hooks/description.h"
#include "preload/hooks/descriptor.h"
#include "preload/loop_sample.h"
#include "preload/naming.h"
#include "preload/system.h"

#include <fcntl.h>
#include <string.h>

enum { HELD_LINE = 128, HELD_PIECE = 256 };

typedef struct {
  int descriptor;
  uint32_t events;
  uint64_t data;
} held_t;

// The hexadecimal or decimal number behind `label`, 0 where there is none.
static uint64_t number_behind(const char *line, const char *label, unsigned base) {
  const char *at = strstr(line, label);
  if (!at) return 0;
  uint64_t number = 0;
  for (at += strlen(label); *at == ' '; at++) {
  }
  for (;; at++) {
    unsigned digit = (unsigned)*at - '0';
    if (*at >= 'a' && *at <= 'f') digit = (unsigned)*at - 'a' + 10;
    if (digit >= base) return number;
    number = number * base + digit;
  }
}

static void held_record(lane_t *lane, int epoll, const char *line) {
  if (strncmp(line, "tfd:", 4) != 0) return;
  const held_t held = {.descriptor = (int)number_behind(line, "tfd:", 10),
                       .events = (uint32_t)number_behind(line, "events:", 16),
                       .data = number_behind(line, "data:", 16)};
  if (descriptor_is_skipped(held.descriptor)) return;
  if (!descriptor_task_begin(held.descriptor)) {
    lane_count_lost(lane, TRACE_EPOLL_HELD);
    return;
  }
  descriptor_watch(held.descriptor);
  loop_sample_register(epoll, held.descriptor, held.data);
  lane_record3(lane, TRACE_EPOLL_HELD, 0, (unsigned)held.descriptor, (unsigned)epoll, held.data,
               held.events);
  if (!descriptor_add(&descriptor_named, held.descriptor))
    description_record(lane, held.descriptor, NULL, 0);
}

// Cuts what is read into lines; what is too long for one is none that is wanted.
static void lines_record(lane_t *lane, int epoll, long file) {
  char piece[HELD_PIECE], line[HELD_LINE];
  size_t length = 0;
  for (long got;
       (got = system_call(SYS_read, file, piece, sizeof piece)) > 0 && !system_failed(got);)
    for (long i = 0; i < got; i++) {
      if (piece[i] != '\n') {
        if (length < sizeof line - 1) line[length++] = piece[i];
        continue;
      }
      line[length] = 0;
      held_record(lane, epoll, line);
      length = 0;
    }
}

void epoll_held_record(lane_t *lane, int epoll) {
  char path[40] = "/proc/self/fdinfo/";
  if (epoll < 0 || !process_is_recorded() || descriptor_add(&descriptor_listed, epoll)) return;
  naming_digits(path + strlen(path), (uint32_t)epoll);
  const long file = system_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (system_failed(file)) return;
  descriptor_add(&descriptor_known, epoll);  // so that its close is recorded
  lines_record(lane, epoll, file);
  system_call(SYS_close, file);
}
