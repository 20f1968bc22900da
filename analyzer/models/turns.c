// SPDX-License-Identifier: Apache-2.0
// How the time of a turn divides among the events of its batch.
#include "analyzer/models/turns.h"

#include "analyzer/models/array.h"

#include <stdlib.h>

void turn_begin(turn_t *turn, uint32_t loop, uint64_t from, uint32_t wait_stack) {
  turn_t next = {.active = true,
                 .loop = loop,
                 .from = from,
                 .wait_stack = wait_stack,
                 .last_ns = from,
                 .weight = 1,
                 .shares = turn->shares,
                 .share_capacity = turn->share_capacity,
                 .blocked = turn->blocked,
                 .blocked_capacity = turn->blocked_capacity};
  *turn = next;
}

#define TURN_ROUNDING_NS 50

// One of its batch without a task, or where those out of the sample are not in it, one more.
void turn_step(turn_t *turn, int32_t descriptor, uint64_t from) {
  uint32_t at = 0;
  while (at < turn->share_count && (turn->shares[at].task || turn->shares[at].known)) ++at;
  if (at == turn->share_count) {
    ARRAY_RESERVE(turn->shares, turn->share_capacity, turn->share_count + 1);
    turn->shares[turn->share_count++] = (turn_share_t){.unasked = true};
  }
  turn_share_t *share = &turn->shares[at];
  share->known = true;
  share->start = from > turn->from ? from : turn->from;
  share->out = descriptor < 0 ? TURN_OUT_UNKNOWN : (uint32_t)descriptor + 1;
}

// The share that is known to begin then, but for what rounding takes.
static turn_share_t *find_start(const turn_t *turn, uint64_t from) {
  for (uint32_t at = 0; at < turn->share_count; ++at) {
    turn_share_t *share = &turn->shares[at];
    uint64_t apart = share->start > from ? share->start - from : from - share->start;
    if (share->known && apart <= TURN_ROUNDING_NS) return share;
  }
  return NULL;
}

void turn_step_late(turn_t *turn, int32_t descriptor, uint64_t from, uint64_t until) {
  turn_share_t *share = find_start(turn, from);
  if (share && share->out == TURN_OUT_UNKNOWN)
    share->out = (uint32_t)descriptor + 1;
  else
    turn_step(turn, descriptor, from);
  if (until && !find_start(turn, until)) turn_step(turn, -1, until);
}

void turn_free(turn_t *turn) {
  free(turn->shares);
  free(turn->blocked);
}

void turn_call(turn_t *turn, uint64_t from, uint64_t until, uint32_t stack) {
  if (from > turn->last_ns && from - turn->last_ns > turn->silence_ns) {
    turn->silence_ns = from - turn->last_ns;
    turn->silence_stack = stack ? stack : turn->last_stack;
  }
  if (until > turn->last_ns) turn->last_ns = until;
  if (stack) turn->last_stack = stack;
}

void turn_blocked(turn_t *turn, uint32_t kind, uint64_t from, uint64_t until, uint32_t stack) {
  if (from < turn->from) from = turn->from;
  if (until <= from) return;
  if (turn->blocked_count < TURN_SPANS_MAX) {
    ARRAY_RESERVE(turn->blocked, turn->blocked_capacity, turn->blocked_count + 1);
    turn->blocked[turn->blocked_count++] = (turn_span_t){from, until};
  }
  turn->blocked_ns += until - from;
  if (until - from <= turn->longest_blocked_ns) return;
  turn->longest_blocked_ns = until - from;
  turn->blocked_kind = kind;
  turn->blocked_stack = stack;
}

// The first of a batch starts at once; a run of unknown starts is spread evenly between the ones
// before and after it that are known.
static void fill_run(turn_t *turn, uint32_t first, uint32_t end, uint64_t low, uint64_t high) {
  uint32_t count = end - first, parts = first ? count + 1 : count;
  uint64_t width = high > low ? high - low : 0;
  for (uint32_t at = 0; at < count; ++at) {
    uint32_t part = first ? at + 1 : at;
    turn->shares[first + at].start = low + (uint64_t)((double)width * (double)part / (double)parts);
  }
}

static void fill_starts(turn_t *turn, uint64_t until) {
  uint64_t low = turn->from;
  for (uint32_t at = 0; at < turn->share_count;) {
    if (turn->shares[at].known) {
      if (turn->shares[at].start > low) low = turn->shares[at].start;
      ++at;
      continue;
    }
    uint32_t end = at;
    while (end < turn->share_count && !turn->shares[end].known) ++end;
    fill_run(turn, at, end, low, end < turn->share_count ? turn->shares[end].start : until);
    at = end;
  }
}

static int compare_starts(const void *left, const void *right) {
  const turn_share_t *a = left, *b = right;
  return a->start < b->start ? -1 : a->start > b->start;
}

void turn_end(turn_t *turn, uint64_t until) {
  turn->active = false;
  if (until < turn->from) until = turn->from;
  turn_call(turn, until, until, 0);
  if (!turn->share_count) return;
  fill_starts(turn, until);
  if (turn->share_count > 1)
    qsort(turn->shares, turn->share_count, sizeof *turn->shares, compare_starts);
  for (uint32_t at = 0; at < turn->share_count; ++at) {
    uint64_t end = at + 1 < turn->share_count ? turn->shares[at + 1].start : until;
    turn->shares[at].until = end > turn->shares[at].start ? end : turn->shares[at].start;
  }
}

uint64_t turn_share_blocked(const turn_t *turn, const turn_share_t *share) {
  uint64_t blocked = 0;
  for (uint32_t at = 0; at < turn->blocked_count; ++at) {
    const turn_span_t *span = &turn->blocked[at];
    uint64_t from = span->from > share->start ? span->from : share->start;
    uint64_t until = span->until < share->until ? span->until : share->until;
    if (until > from) blocked += until - from;
  }
  return blocked;
}
