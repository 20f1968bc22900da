// SPDX-License-Identifier: Apache-2.0
// Reads /proc/PID/task/TID/schedstat (Linux, Documentation/scheduler/sched-stats.rst): ns on a
// processor, ns runnable and waiting for one, and how often it was given one.
#include "preload/writer/scheduled.h"

static const uint64_t SCHEDULED_PERIOD_NS = 1000000000;
enum { SCHEDULED_RUN_SHARE = 1000 };

bool scheduled_is_due(const stream_t *stream, uint64_t now) {
  uint64_t period = (now - stream->opened_at) / SCHEDULED_RUN_SHARE;
  if (period < SCHEDULED_PERIOD_NS) period = SCHEDULED_PERIOD_NS;
  return now - stream->scheduled_at >= period;
}

// The number at *text, which then stands behind it and the blank that ends it.
static uint64_t number_take(const char **text) {
  uint64_t value = 0;
  for (; **text >= '0' && **text <= '9'; ++*text) value = value * 10 + (uint64_t)(**text - '0');
  if (**text == ' ') ++*text;
  return value;
}

bool scheduled_note(stream_t *stream, uint32_t tid, uint64_t *ran_told) {
  char text[128];
  const long length = process_read_task(stream->pid, tid, "schedstat", text, sizeof text);
  if (length <= 0) return false;
  const char *at = text;
  const uint64_t ran = number_take(&at);
  const uint64_t words[] = {ran, number_take(&at)};
  if (ran == *ran_told) return true;
  *ran_told = ran;
  stream_fact(stream, TRACE_THREAD_SCHEDULED, tid, 2, words);
  return true;
}
