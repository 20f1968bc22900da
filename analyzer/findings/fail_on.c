// SPDX-License-Identifier: Apache-2.0
// --fail-on: the list of kinds, and whether each was found.
#include "analyzer/findings/fail_on.h"

#include <string.h>

#define CONTENTION_LEAST_NS UINT64_C(10000000)
enum { CONTENTION_SHARE = 100, ALL_KINDS = (1 << FAIL_ON_COUNT) - 1 };

static const struct {
  const char *name, *meaning;
} kinds[] = {
#define KIND(name, key, text) {key, text},
    FAIL_ON_TABLE(KIND)
#undef KIND
};

const char *fail_on_name(fail_on_kind_t kind) { return kinds[kind].name; }
const char *fail_on_meaning(fail_on_kind_t kind) { return kinds[kind].meaning; }

static bool is_word(const char *word, size_t length, const char *name) {
  return strlen(name) == length && !strncmp(word, name, length);
}

// The set that a word stands for, 0: none.
static uint32_t set_of(const char *word, size_t length) {
  if (is_word(word, length, "any")) return ALL_KINDS;
  for (unsigned kind = 0; kind < FAIL_ON_COUNT; ++kind)
    if (is_word(word, length, kinds[kind].name)) return 1u << kind;
  return 0;
}

bool fail_on_parse(const char *list, uint32_t *set, const char **bad, size_t *bad_length) {
  *set = 0;
  for (const char *word = list;; ++word) {
    size_t length = strcspn(word, ",");
    uint32_t named = set_of(word, length);
    if (!named) {
      *bad = word;
      *bad_length = length;
      return false;
    }
    *set |= named;
    word += length;
    if (!*word) return true;
  }
}

bool fail_on_leaks_known(const models_t *models) {
  const reader_t *reader = models_reader(models);
  if (!reader) return true;
  const reader_summary_t *summary = reader_summary(reader);
  return !summary->running && summary->end_how == TRACE_END_EXIT;
}

static bool found_leak(const models_t *models, fail_on_runtime_t is_runtime, void *context) {
  const heap_t *heap = models_heap(models);
  if (!fail_on_leaks_known(models)) return false;
  for (uint32_t stack = 0; stack < heap_site_limit(heap); ++stack)
    if (heap_site(heap, stack)->live_blocks && !(is_runtime && is_runtime(context, stack)))
      return true;
  return false;
}

static bool found_stall(const models_t *models) {
  const loops_t *loops = models_loops(models);
  for (uint32_t at = 0; at < loops_count(loops); ++at)
    if (loops_get(loops, at)->stall_count) return true;
  return false;
}

// Of traces that are read as one only what is between the processes.
static bool found_contention(const models_t *models) {
  const locks_t *locks = models_locks(models);
  const reader_t *reader = models_reader(models);
  bool joined = reader && reader_part_count(reader) > 1;
  uint64_t least = models_end_ns(models) / CONTENTION_SHARE;
  if (least < CONTENTION_LEAST_NS) least = CONTENTION_LEAST_NS;
  for (uint32_t id = 1; id < locks_limit(locks); ++id) {
    const lock_t *lock = locks_get(locks, id);
    if (lock && lock_is_contention(lock) && lock->wait_ns.total >= least &&
        (!joined || lock->shared_by_processes))
      return true;
  }
  return false;
}

static bool found_loss(const models_t *models) {
  const reader_t *reader = models_reader(models);
  if (!reader) return models_kind_count(models, TRACE_LOST) > 0;
  return reader_summary(reader)->lost || reader_summary(reader)->damaged;
}

uint32_t fail_on_found(const models_t *models, const deadlocks_t *deadlocks,
                       fail_on_runtime_t is_runtime, void *context) {
  const bool found[FAIL_ON_COUNT] = {
      [FAIL_ON_DEADLOCK] = deadlocks_count(deadlocks, DEADLOCK_ACTUAL),
      [FAIL_ON_POTENTIAL_DEADLOCK] = deadlocks_count(deadlocks, DEADLOCK_FEASIBLE) ||
                                     deadlocks_count(deadlocks, DEADLOCK_POTENTIAL),
      [FAIL_ON_HAZARD] = deadlocks_count(deadlocks, DEADLOCK_HAZARD),
      [FAIL_ON_LEAK] = found_leak(models, is_runtime, context),
      [FAIL_ON_STALL] = found_stall(models),
      [FAIL_ON_CONTENTION] = found_contention(models),
      [FAIL_ON_LOST] = found_loss(models),
  };
  uint32_t set = 0;
  for (unsigned kind = 0; kind < FAIL_ON_COUNT; ++kind) set |= (uint32_t)found[kind] << kind;
  return set;
}
