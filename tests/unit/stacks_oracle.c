// SPDX-License-Identifier: Apache-2.0
// Compares a stack as the recorder takes it with what libgcc's unwinder says of the same place.
#include "tests/unit/stacks_oracle.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unwind.h>

enum { DEPTH_MAX = 8192, ROOM = 32 << 20 };

static bool stack_defined(void *arg, uint32_t number, const uint64_t *frames, size_t count,
                          bool truncated) {
  oracle_lane_t *lane = arg;
  uint64_t *copy = lane->room;
  if ((lane->room += count + 2) > lane->room_end) abort();
  copy[0] = count;
  copy[1] = truncated;
  memcpy(copy + 2, frames, count * sizeof *frames);
  lane->frames[number] = copy;
  lane->definitions++;
  return true;
}

static bool module_defined(void *arg, const trace_module_t *module, const uint8_t *build_id,
                           const char *path) {
  oracle_lane_t *lane = arg;
  (void)build_id, (void)path;
  lane->module_starts[lane->modules % MODULES] = module->start;
  lane->module_ends[lane->modules++ % MODULES] = module->end;
  return true;
}

static void *memory_take(size_t size) {
  void *memory =
      mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) abort();
  return memory;
}

// Never malloc: stacks are taken in signal handlers that struck in it.
void oracle_open(oracle_lane_t *lane) {
  memset(lane, 0, sizeof *lane);
  lane->frames = memory_take((STACKS_NUMBER_LAST + 1) * sizeof *lane->frames);
  lane->room = memory_take(ROOM * sizeof *lane->room);
  lane->room_end = lane->room + ROOM;
  lane->stacks = memory_take(STACKS_MEMORY);
  lane->sink = (stacks_sink_t){lane, stack_defined, module_defined};
  stacks_modules_announce(&lane->sink);
  lane->modules = 0;
}

void oracle_close(oracle_lane_t *lane) {
  munmap(lane->stacks, STACKS_MEMORY);
  munmap(lane->frames, (STACKS_NUMBER_LAST + 1) * sizeof *lane->frames);
  munmap(lane->room_end - ROOM, ROOM * sizeof *lane->room);
}

const uint64_t *oracle_frames(const oracle_lane_t *lane, uint32_t number, size_t *count,
                              bool *truncated) {
  const uint64_t *copy = lane->frames[number];
  if (!copy) return NULL;
  *count = copy[0];
  *truncated = copy[1];
  return copy + 2;
}

typedef struct {
  uint64_t *frames;
  size_t count;
} backtrace_t;

// An address at which a signal struck is what define_stack calls that address plus 1.
static _Unwind_Reason_Code frame_seen(struct _Unwind_Context *context, void *arg) {
  backtrace_t *backtrace = arg;
  int struck = 0;
  uint64_t ip = _Unwind_GetIPInfo(context, &struck);
  if (backtrace->count == DEPTH_MAX) return _URC_END_OF_STACK;
  backtrace->frames[backtrace->count++] = ip + (struck != 0);
  return _URC_NO_REASON;
}

static void difference_find(oracle_result_t *result, const uint64_t *ours, const uint64_t *theirs) {
  uint32_t i = 0;
  while (i < result->count && i < result->expected && ours[i] == theirs[i]) i++;
  // The address that makecontext lays below the first frame is nobody's return address.
  if (i && i + 1 == result->count && i + 1 == result->expected && ours[i] == theirs[i] + 1) i++;
  result->different = i;
  result->ours = i < result->count ? ours[i] : 0;
  result->theirs = i < result->expected ? theirs[i] : 0;
  result->equal = i == result->count && (result->truncated || i == result->expected);
}

__attribute__((noinline)) oracle_result_t oracle_compare(oracle_lane_t *lane) {
  static __thread uint64_t theirs[DEPTH_MAX];
  backtrace_t backtrace = {theirs, 0};
  stacks_origin_t origin = STACKS_ORIGIN();
  oracle_result_t result = {.number = stacks_number(lane->stacks, &origin, &lane->sink)};
  size_t count = 0;
  const uint64_t *ours = oracle_frames(lane, result.number, &count, &result.truncated);
  result.count = (uint32_t)count;
  _Unwind_Backtrace(frame_seen, &backtrace);
  while (backtrace.count && theirs[backtrace.count - 1] == 0) backtrace.count--;
  result.expected = (uint32_t)backtrace.count - 1;
  if (ours) difference_find(&result, ours, theirs + 1);
  return result;
}

void oracle_judge(const oracle_result_t *result) {
  ck_assert_msg(result->equal, "frame %u of %u (%u expected): %#lx, expected %#lx",
                result->different, result->count, result->expected, result->ours, result->theirs);
}

// A wrapper of its own would be one more frame that nobody asked for; this one is.
__attribute__((noinline)) uint32_t oracle_check(oracle_lane_t *lane) {
  oracle_result_t result = oracle_compare(lane);
  oracle_judge(&result);
  ck_assert_msg(!result.truncated, "truncated after %u frames of %u", result.count,
                result.expected);
  return result.number;
}
