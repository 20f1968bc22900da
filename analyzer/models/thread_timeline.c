// SPDX-License-Identifier: Apache-2.0
// States of a thread over time.
#include "analyzer/models/thread_timeline.h"

static const struct {
  const char *key, *text;
  char letter;
} rows[] = {
#define PART(NAME, key, letter, text) {key, text, letter},
    THREAD_PART_TABLE(PART)
#undef PART
};

static const uint8_t parts_of[THREAD_STATE_COUNT] = {
    [THREAD_STATE_RUNNING] = THREAD_PART_RUNNING,     [THREAD_STATE_LOCK] = THREAD_PART_LOCK,
    [THREAD_STATE_CONDITION] = THREAD_PART_CONDITION, [THREAD_STATE_EPOLL] = THREAD_PART_LOOP,
    [THREAD_STATE_JOIN] = THREAD_PART_JOIN,           [THREAD_STATE_READ] = THREAD_PART_OTHER,
    [THREAD_STATE_WRITE] = THREAD_PART_OTHER,         [THREAD_STATE_ACCEPT] = THREAD_PART_OTHER,
    [THREAD_STATE_BARRIER] = THREAD_PART_OTHER,       [THREAD_STATE_SLEEP] = THREAD_PART_OTHER,
    [THREAD_STATE_POLL] = THREAD_PART_LOOP,           [THREAD_STATE_FUTEX] = THREAD_PART_OTHER,
    [THREAD_STATE_CONNECT] = THREAD_PART_OTHER,       [THREAD_STATE_SYNC] = THREAD_PART_OTHER,
    [THREAD_STATE_RESOLVE] = THREAD_PART_OTHER,
};

thread_part_t thread_part_of(thread_state_t state) { return (thread_part_t)parts_of[state]; }
const char *thread_part_key(thread_part_t part) { return rows[part].key; }
const char *thread_part_text(thread_part_t part) { return rows[part].text; }
char thread_part_letter(thread_part_t part) { return rows[part].letter; }

void thread_timeline_wait(thread_timeline_t *timeline, thread_state_t state, uint64_t from,
                          uint64_t until) {
  timeline_spend(&timeline->waits[parts_of[state]], from, until);
}

bool thread_timeline_parts(const thread_account_t *thread, uint64_t from, uint64_t until,
                           uint64_t parts[THREAD_PART_COUNT]) {
  if (!thread->seen || !thread->timeline) return false;
  if (from < thread->started_ns) from = thread->started_ns;
  if (until > thread->ended_ns) until = thread->ended_ns;
  if (until <= from) return false;
  const timeline_extent_t life = {thread->started_ns, thread->ended_ns};
  uint64_t left = until - from;
  for (unsigned part = 1; part < THREAD_PART_COUNT; ++part) {
    parts[part] = timeline_spent(&thread->timeline->waits[part], life, from, until);
    // Waits are taken to be even within a part of the timeline, which may reach beyond the life.
    if (parts[part] > left) parts[part] = left;
    left -= parts[part];
  }
  parts[THREAD_PART_RUNNING] = left;
  return true;
}
